//! Counting tests over several runs of `cargo test`.
//!
//! The test harness does not know "skipped": a test that cannot run because a tool is missing returns early and counts as
//! passed. Such a test appends a line that says why to the file named by `KOINON_SKIP_LOG`; the tally moves it from passed
//! to skipped.

use std::fmt;

/// Tests seen so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    passed: usize,
    failed: usize,
    ignored: usize,
    skips: Vec<String>,
}

impl Tally {
    /// Reads one line of output; lines that close no test binary are ignored.
    pub fn read(&mut self, line: &str) {
        let Some(counts) = line
            .strip_prefix("test result: ")
            .and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for count in counts.1.split(';') {
            let Some((number, what)) = count.trim().split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse::<usize>() else {
                continue;
            };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    /// Counts a failure that no line tells of.
    pub fn add_failure(&mut self) {
        self.failed += 1;
    }

    /// Takes the lines of the skip log: one per test that said it passed but did not run.
    pub fn add_skips(&mut self, log: &str) {
        let before = self.skips.len();
        self.skips.extend(
            log.lines()
                .filter(|line| !line.trim().is_empty())
                .map(ToOwned::to_owned),
        );
        self.passed = self.passed.saturating_sub(self.skips.len() - before);
    }

    /// Why tests were skipped, each reason with its count, in order of appearance.
    #[must_use]
    pub fn skipped_because(&self) -> Vec<String> {
        let mut reasons: Vec<(&str, usize)> = Vec::new();
        for skip in &self.skips {
            match reasons.iter_mut().find(|(reason, _)| reason == skip) {
                Some((_, count)) => *count += 1,
                None => reasons.push((skip, 1)),
            }
        }
        reasons
            .into_iter()
            .map(|(reason, count)| format!("{reason} ({count} tests)"))
            .collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} passed, {} failed, {} skipped",
            self.passed,
            self.failed,
            self.ignored + self.skips.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_add_up() {
        let mut tally = Tally::default();
        tally.read("running 3 tests");
        tally.read("test a ... ok");
        tally.read("test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s");
        tally.read("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s");
        assert_eq!(tally.to_string(), "6 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn skipped_tests_do_not_count_as_passed() {
        let mut tally = Tally {
            passed: 4,
            ..Tally::default()
        };
        tally.add_skips("kubectl is missing\nkubectl is missing\n\n");
        assert_eq!(tally.to_string(), "2 passed, 0 failed, 2 skipped");
        assert_eq!(tally.skipped_because(), ["kubectl is missing (2 tests)"]);
    }
}
