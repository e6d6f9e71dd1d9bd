//! What programs under test logged, for the message of a failed test.

use std::fs;
use std::path::Path;

/// The last lines of a file; nothing if it cannot be read.
pub(crate) fn last_lines(file: &Path, count: usize) -> String {
    let log = fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// The last lines of each program's log in a directory, under its name.
pub(crate) fn last_of_each<const N: usize>(
    directory: &Path,
    programs: [&str; N],
    count: usize,
) -> String {
    programs
        .map(|program| {
            let last = last_lines(&directory.join(format!("{program}.log")), count);
            format!("--- {program}\n{last}\n")
        })
        .concat()
}
