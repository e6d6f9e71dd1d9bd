//! Checks of single text files: header, leftovers, white space.

use std::path::Path;

/// Kinds of files that people edit. Expected outputs of tests are not among them: what a program prints is as it is.
const EDITED: &[&str] = &["rs", "md", "toml", "yaml", "yml", "sh", "go", "sql", "tpl"];

/// Words that mark unfinished work, spelled so that this file does not hold them.
const LEFTOVERS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("db", "g!("),
];

/// Whether the checks apply to a file.
#[must_use]
pub fn is_ours(file: &Path) -> bool {
    let extension = file
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    EDITED.contains(&extension) && !file.iter().any(|part| part == "testdata")
}

/// A sentence per untidy thing in a file.
#[must_use]
pub fn check(file: &Path, content: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(content.lines()) {
        let mut complain = |what: &str| found.push(format!("{}:{number}: {what}", file.display()));
        if line.ends_with([' ', '\t', '\r']) {
            complain("white space at the end of the line");
        }
        for leftover in LEFTOVERS {
            if holds_word(line, leftover) {
                complain(&format!("{leftover} left over"));
            }
        }
    }
    if !content.is_empty() && !content.ends_with('\n') {
        found.push(format!("{}: no newline at the end", file.display()));
    }
    if needs_header(file) && !has_header(content) {
        found.push(format!(
            "{}: no //! header that says what the file is for",
            file.display()
        ));
    }
    found
}

/// Whether a word occurs on its own, not as a part of a longer one.
fn holds_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let part =
            |neighbour: Option<char>| neighbour.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !part(before) && (word.ends_with('(') || !part(after))
    })
}

fn needs_header(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "rs") && !file.ends_with("main.rs")
}

/// The header opens the file; only a mark of its generator may stand before it.
fn has_header(content: &str) -> bool {
    content
        .lines()
        .find(|line| !line.starts_with("// ") && !line.is_empty())
        .is_some_and(|line| line.starts_with("//!"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(file: &str, content: &str) -> usize {
        check(Path::new(file), content).len()
    }

    #[test]
    fn tidy_files_pass() {
        assert_eq!(found("a.rs", "//! What it does.\nfn a() {}\n"), 0);
        assert_eq!(found("src/main.rs", "fn main() {}\n"), 0);
        assert_eq!(found("a.yaml", ""), 0);
    }

    #[test]
    fn each_fault_is_found() {
        assert_eq!(found("a.rs", "fn a() {}\n"), 1, "header");
        assert_eq!(found("a.md", "x \n"), 1, "white space");
        assert_eq!(found("a.md", "x"), 1, "end of file");
        assert_eq!(found("a.md", concat!("TO", "DO: later\n")), 1);
        assert_eq!(found("src/main.rs", concat!("db", "g!(x);\n")), 1);
    }

    #[test]
    fn parts_of_words_are_no_leftovers() {
        assert_eq!(found("a.md", concat!("MAS", "TO", "DON\n")), 0);
        assert_eq!(found("a.md", concat!("my_db", "g!(\n")), 0);
    }

    #[test]
    fn only_edited_files_are_ours() {
        assert!(is_ours(Path::new("docs/a.md")));
        assert!(!is_ours(Path::new("tests/testdata/a.md")));
        assert!(!is_ours(Path::new("Cargo.lock")));
    }
}
