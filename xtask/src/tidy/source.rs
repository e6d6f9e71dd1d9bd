//! Measuring Rust files without their tests.
//!
//! The files are formatted by rustfmt (checked before), which makes matching by indentation exact.

use std::path::Path;

/// The first lines of a file may say that a generator wrote it.
const GENERATED_MARK: &str = concat!("@", "generated");

/// Whether the size targets hold for a file: neither test nor bench nor generated.
#[must_use]
pub fn is_measured(file: &Path, content: &str) -> bool {
    let in_test_folder = file.iter().any(|part| part == "tests" || part == "benches");
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    !in_test_folder && name != "tests.rs" && !name.ends_with("_tests.rs") && !is_generated(content)
}

/// Whether a generator wrote this file and says so in the first five lines.
#[must_use]
pub fn is_generated(content: &str) -> bool {
    content
        .lines()
        .take(5)
        .any(|line| line.contains(GENERATED_MARK))
}

/// The number of lines outside `#[cfg(test)]` items.
#[must_use]
pub fn lines_without_tests(content: &str) -> usize {
    let mut lines = content.lines();
    let mut count = 0;
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            count += 1;
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let closing = format!("{indent}}}");
        // Other attributes may follow; then comes an item, of one line or up to the closing brace.
        for item in lines.by_ref() {
            let code = item.trim();
            let one_line = code.ends_with(';') || code.ends_with("{}");
            if item == closing
                || (one_line && item.starts_with(indent) && !item[indent.len()..].starts_with(' '))
            {
                break;
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_modules_do_not_count() {
        let content = "//! Doc.\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n    use c;\n}\nfn d() {}\n";
        assert_eq!(lines_without_tests(content), 4);
    }

    #[test]
    fn test_declarations_and_attributed_items_do_not_count() {
        assert_eq!(
            lines_without_tests("mod a;\n#[cfg(test)]\nmod tests;\nmod b;\n"),
            2
        );
        let content =
            "#[cfg(test)]\n#[expect(x, reason = \"y\")]\nfn helper() {\n    1;\n}\nmod b;\n";
        assert_eq!(lines_without_tests(content), 1);
    }

    #[test]
    fn indented_test_items_end_where_they_began() {
        let content = "impl A {\n    #[cfg(test)]\n    fn b() {\n        if c {\n        }\n    }\n    fn d() {}\n}\n";
        assert_eq!(lines_without_tests(content), 3);
    }

    #[test]
    fn tests_and_generated_files_are_not_measured() {
        let measured = |file: &str| is_measured(Path::new(file), "//! Doc.\n");
        assert!(measured("apiserver/src/verbs/get.rs"));
        assert!(!measured("apiserver/src/verbs/tests.rs"));
        assert!(!measured("tests/src/lib.rs"));
        assert!(!is_measured(
            Path::new("a.rs"),
            &format!("//! Kinds.\n// {GENERATED_MARK} by x\n")
        ));
    }
}
