//! Paths that documents name must exist.
//!
//! Two kinds of mentions are checked: relative Markdown links, seen from the document's folder, and code spans that begin
//! with a folder of the repository's root (`apiserver/src/lib.rs`), seen from the root. Patterns and placeholders are not
//! paths, and neither are folders that come to be by building.

use std::path::{Component, Path, PathBuf};

/// A sentence per mentioned path for which `exists` (asked relative to the root) does not hold.
#[must_use]
pub fn check(document: &Path, content: &str, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let folder = document.parent().unwrap_or(Path::new(""));
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in (1..).zip(content.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let spans = spans(line);
        let links = links(line)
            .into_iter()
            .filter(|_| !fenced)
            .map(|link| (link, normal(&folder.join(link))));
        let spans = spans
            .into_iter()
            .filter(|_| !fenced)
            .filter(|span| is_path(span) && exists(Path::new(first_part(span))))
            .map(|span| (span, normal(Path::new(span))));
        for (mention, path) in links.chain(spans) {
            if !exists(&path) {
                found.push(format!(
                    "{}:{number}: {mention} does not exist",
                    document.display()
                ));
            }
        }
    }
    found
}

/// The targets of relative links in a line, without their anchors.
fn links(line: &str) -> Vec<&str> {
    line.match_indices("](")
        .filter_map(|(at, _)| line[at + 2..].split_once(')'))
        .map(|(target, _)| target.split(['#', ' ']).next().unwrap_or_default())
        .filter(|target| {
            !target.is_empty() && !target.contains("://") && !target.starts_with(['/', '<'])
        })
        .filter(|target| !target.starts_with("mailto:"))
        .collect()
}

/// The code spans of a line.
fn spans(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

fn is_path(span: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
    span.contains('/')
        && !span.starts_with(['/', '.'])
        && span.chars().all(plain)
        && first_part(span) != "target"
}

fn first_part(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

/// The path with `.` and `..` carried out by name.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => {
                normal.push(component)
            }
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(content: &str) -> usize {
        let there = [
            "docs",
            "docs/a.md",
            "apiserver",
            "apiserver/src/lib.rs",
            "README.md",
        ];
        check(Path::new("docs/page.md"), content, |path| {
            there.iter().any(|known| Path::new(known) == path)
        })
        .len()
    }

    #[test]
    fn links_are_seen_from_the_document() {
        assert_eq!(
            missing("[a](a.md) [b](../README.md#top) [c](https://example.org/x)"),
            0
        );
        assert_eq!(missing("[a](b.md) and [c](../docs/c.md)"), 2);
    }

    #[test]
    fn code_spans_are_seen_from_the_root() {
        assert_eq!(
            missing("`apiserver/src/lib.rs`, `apiserver/src/*.rs`, `apps/v1`, `target/bench`"),
            0
        );
        assert_eq!(missing("`apiserver/src/gone.rs`"), 1);
    }

    #[test]
    fn fenced_blocks_are_not_read() {
        assert_eq!(missing("```\n[a](b.md) `apiserver/x/y`\n```\n"), 0);
    }
}
