//! `Warning` response headers (RFC 7234 §5.5, code 299), which kubectl prints.

use http::HeaderValue;

use crate::request::Warnings;

/// Beyond so many characters in all, every text is cut.
const TOTAL_CHARS: usize = 4096;
/// What a text is cut to then.
const CUT_CHARS: usize = 256;

/// The header values for the warnings of a request. As upstream: when all texts together are too long for headers,
/// each is cut, and what still does not fit is left out.
pub(crate) fn header_values(warnings: &Warnings) -> Vec<HeaderValue> {
    let texts = warnings.texts();
    let total: usize = texts.iter().map(|t| t.chars().count()).sum();
    let mut left = TOTAL_CHARS;
    texts
        .iter()
        .filter_map(|text| {
            let kept: String = if total > TOTAL_CHARS {
                text.chars().take(CUT_CHARS).collect()
            } else {
                text.clone()
            };
            left = left.checked_sub(kept.chars().count())?;
            HeaderValue::from_bytes(format!("299 - \"{}\"", quoted(&kept)).as_bytes()).ok()
        })
        .collect()
}

/// Escapes what a quoted string may not hold; control characters become spaces.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(texts: &[String]) -> Vec<String> {
        let warnings = Warnings::default();
        texts.iter().for_each(|t| warnings.add(t.as_str()));
        header_values(&warnings)
            .iter()
            .map(|v| String::from_utf8(v.as_bytes().to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn texts_are_quoted_and_never_break_the_header() {
        let got = values(&[
            "unknown field \"spec.x\"".to_owned(),
            "two\nlines".to_owned(),
        ]);
        assert_eq!(
            got,
            [
                r#"299 - "unknown field \"spec.x\"""#,
                r#"299 - "two lines""#
            ]
        );
    }

    #[test]
    fn too_much_text_is_cut() {
        let texts: Vec<String> = (0..20).map(|n| format!("{n:02}").repeat(200)).collect();
        let got = values(&texts);
        assert_eq!(got.len(), 16);
        assert!(
            got.iter()
                .all(|v| v.len() == "299 - \"\"".len() + CUT_CHARS)
        );
    }
}
