//! Request bodies into JSON values, strictly: what a lenient parser would swallow is reported.

mod strict;
mod yaml;

use serde_json::Value;

use crate::status::ApiError;

/// A body that parsed, with what a strict reader objects to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decoded {
    /// The value. Of a field that occurs twice the last occurrence counts, as in Go.
    pub(crate) value: Value,
    /// Strict-decoding complaints in the order of the document, such as `duplicate field "spec.x"`.
    pub(crate) complaints: Vec<String>,
}

/// The encodings of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `application/json`, and no content type at all.
    Json,
    /// `application/yaml`.
    Yaml,
}

/// What an object body may be encoded as, in the words of a 415.
const ACCEPTED: &[&str] = &["application/json", "application/yaml"];

/// The media type without parameters, lower case.
pub(crate) fn media_type(content_type: &str) -> String {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

impl Format {
    /// The encoding of an object body. This is the one place to add `application/vnd.kubernetes.protobuf`.
    ///
    /// # Errors
    /// 415 for any other type.
    pub(crate) fn of(content_type: &str) -> Result<Self, ApiError> {
        match media_type(content_type).as_str() {
            "" | "application/json" => Ok(Self::Json),
            "application/yaml" => Ok(Self::Yaml),
            _ => Err(ApiError::unsupported_media_type(ACCEPTED)),
        }
    }
}

/// Parses a body.
///
/// # Errors
/// The parser's message, to be put into the words of the request.
pub(crate) fn decode(format: Format, body: &[u8]) -> Result<Decoded, String> {
    match format {
        Format::Json => strict::from_json(body),
        Format::Yaml => yaml::from_yaml(body),
    }
}

/// What upstream shows of a body that it cannot read: the beginning, in hex if it does not look like JSON.
pub(crate) fn summary(body: &[u8]) -> String {
    const MAX: usize = 30;
    if body.is_empty() {
        return "<empty>".to_owned();
    }
    let shown = &body[..body.len().min(MAX)];
    let mut text = if body[0] == b'{' {
        String::from_utf8_lossy(shown).into_owned()
    } else {
        shown.iter().map(|b| format!("{b:02x}")).collect()
    };
    if body.len() > MAX {
        text.push_str(" ...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn formats() {
        assert_eq!(Format::of(""), Ok(Format::Json));
        assert_eq!(
            Format::of("application/JSON; charset=utf-8"),
            Ok(Format::Json)
        );
        assert_eq!(Format::of("application/yaml"), Ok(Format::Yaml));
        let error = Format::of("text/plain").unwrap_err();
        assert_eq!(error.code, 415);
        assert_eq!(
            error.message,
            "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml"
        );
    }

    #[test]
    fn json_duplicates_are_named_by_their_path() {
        let body = br#"{"a":1,"spec":{"x":1,"x":2,"list":[{"k":1},{"k":1,"k":3}]},"a":{"b":true}}"#;
        let decoded = decode(Format::Json, body).unwrap();
        assert_eq!(
            decoded.complaints,
            [
                "duplicate field \"spec.x\"",
                "duplicate field \"spec.list[1].k\"",
                "duplicate field \"a\""
            ]
        );
        assert_eq!(
            decoded.value,
            json!({"a": {"b": true}, "spec": {"x": 2, "list": [{"k": 1}, {"k": 3}]}})
        );
    }

    #[test]
    fn integers_and_floats_stay_apart() {
        let decoded = decode(Format::Json, br#"[1, 1.0, -3, 18446744073709551615]"#).unwrap();
        assert_eq!(decoded.value.to_string(), "[1,1.0,-3,18446744073709551615]");
    }

    #[test]
    fn broken_json_is_an_error() {
        for body in [&b"{"[..], b"", b"{} x", b"{\"a\":}", b"\xff"] {
            assert!(decode(Format::Json, body).is_err(), "{body:?}");
        }
    }

    #[test]
    fn yaml_gives_what_json_would() {
        let body = b"a: 1\nb: [x, 'y', true, null, 1.5]\nc:\n  d: \"2\"\n  2: z\n";
        let decoded = decode(Format::Yaml, body).unwrap();
        assert_eq!(
            decoded.value,
            json!({"a": 1, "b": ["x", "y", true, null, 1.5], "c": {"d": "2", "2": "z"}})
        );
        assert!(decoded.complaints.is_empty());
    }

    #[test]
    fn yaml_duplicates_are_reported_with_their_line() {
        let decoded = decode(Format::Yaml, b"a: 1\nb:\n  c: 1\n  c: 2\n").unwrap();
        assert_eq!(
            decoded.complaints,
            ["yaml: unmarshal errors:\n  line 4: key \"c\" already set in map"]
        );
        assert_eq!(decoded.value, json!({"a": 1, "b": {"c": 2}}));
    }

    #[test]
    fn summaries() {
        assert_eq!(summary(b""), "<empty>");
        assert_eq!(summary(b"abc"), "616263");
        assert_eq!(summary(br#"{"a":1}"#), r#"{"a":1}"#);
    }
}
