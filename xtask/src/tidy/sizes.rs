//! The size targets, and the table of the largest files.

use std::fmt;
use std::path::PathBuf;

use crate::table;

/// Half of the files are no longer than this.
const MEDIAN: usize = 180;
/// Nine of ten files are no longer than this.
const P90: usize = 400;
/// No file is longer than this.
const MAX: usize = 700;
/// How many files the table shows.
const SHOWN: usize = 10;

/// The sizes of the measured files.
#[derive(Debug)]
pub struct Report {
    /// Largest first; equals by name.
    files: Vec<(PathBuf, usize)>,
}

impl Report {
    /// Takes files with their numbers of lines.
    #[must_use]
    pub fn new(mut files: Vec<(PathBuf, usize)>) -> Self {
        files.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
        Self { files }
    }

    /// A sentence per missed target.
    #[must_use]
    pub fn broken(&self) -> Vec<String> {
        let mut broken: Vec<String> = self
            .files
            .iter()
            .take_while(|(_, lines)| *lines > MAX)
            .map(|(file, lines)| {
                format!(
                    "{}: {lines} lines without tests, more than {MAX}",
                    file.display()
                )
            })
            .collect();
        for (name, value, target) in [
            ("median", self.quantile(50), MEDIAN),
            ("p90", self.quantile(90), P90),
        ] {
            if value > target {
                broken.push(format!(
                    "{name} of file sizes is {value}, more than {target}"
                ));
            }
        }
        broken
    }

    /// The smallest size that at least `percent` of the files do not exceed; 0 without files.
    fn quantile(&self, percent: usize) -> usize {
        let rank = (self.files.len() * percent).div_ceil(100).max(1);
        self.files
            .iter()
            .rev()
            .nth(rank - 1)
            .map_or(0, |(_, lines)| *lines)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<Vec<String>> = self
            .files
            .iter()
            .take(SHOWN)
            .map(|(file, lines)| vec![file.display().to_string(), lines.to_string()])
            .collect();
        write!(out, "{}", table::render(&["largest files", "lines"], &rows))?;
        let largest = self.files.first().map_or(0, |(_, lines)| *lines);
        writeln!(
            out,
            "{} files: median {} (at most {MEDIAN}), p90 {} (at most {P90}), largest {largest} (at most {MAX})",
            self.files.len(),
            self.quantile(50),
            self.quantile(90),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(sizes: &[usize]) -> Report {
        Report::new(
            sizes
                .iter()
                .enumerate()
                .map(|(n, &size)| (PathBuf::from(format!("{n}.rs")), size))
                .collect(),
        )
    }

    #[test]
    fn quantiles() {
        let report = report(&[10, 30, 20, 50, 40]);
        assert_eq!((report.quantile(50), report.quantile(90)), (30, 50));
        assert_eq!(Report::new(Vec::new()).quantile(50), 0);
    }

    #[test]
    fn each_target_is_checked() {
        assert_eq!(
            report(&[100, 200, 700]).broken(),
            [
                "median of file sizes is 200, more than 180",
                "p90 of file sizes is 700, more than 400"
            ]
        );
        let mut sizes = vec![10; 50];
        sizes.push(701);
        assert_eq!(
            report(&sizes).broken(),
            ["50.rs: 701 lines without tests, more than 700"]
        );
    }
}
