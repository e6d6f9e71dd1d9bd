//! Percent-decoding and query strings, as Go's `net/url` reads them.

use crate::request::Query;
use crate::status::ApiError;

/// Decodes `%XX`, and `+` as a space where `form` is set (query strings; not paths).
///
/// `None` if an escape is broken or the result is not UTF-8.
pub(crate) fn decode(text: &str, form: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = hex(bytes.next()?)?;
                let low = hex(bytes.next()?)?;
                out.push(high << 4 | low);
            }
            b'+' if form => out.push(b' '),
            other => out.push(other),
        }
    }
    String::from_utf8(out).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

/// Parses a raw query string.
///
/// # Errors
/// 400 on a broken escape.
pub fn parse_query(raw: Option<&str>) -> Result<Query, ApiError> {
    let mut pairs = Vec::new();
    for part in raw.unwrap_or_default().split('&').filter(|p| !p.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        match (decode(name, true), decode(value, true)) {
            (Some(name), Some(value)) => pairs.push((name, value)),
            _ => {
                return Err(ApiError::bad_request(format!(
                    "invalid URL escape in query parameter {part:?}"
                )));
            }
        }
    }
    Ok(Query(pairs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_decode_like_forms() {
        let query =
            parse_query(Some("a=1&b=x%3Dy+z&flag&a=2&&labelSelector=app%20in%20(a)")).unwrap();
        assert_eq!(query.get("a"), Some("2"));
        assert_eq!(query.get("b"), Some("x=y z"));
        assert_eq!(query.get("flag"), Some(""));
        assert!(query.flag("flag"));
        assert_eq!(query.get("labelSelector"), Some("app in (a)"));
        assert_eq!(query.get("none"), None);
    }

    #[test]
    fn broken_escapes_are_refused() {
        for raw in ["a=%", "a=%4", "a=%zz", "a=%ff"] {
            assert!(parse_query(Some(raw)).is_err(), "{raw}");
        }
        assert_eq!(decode("a+b%2Fc", false).as_deref(), Some("a+b/c"));
    }
}
