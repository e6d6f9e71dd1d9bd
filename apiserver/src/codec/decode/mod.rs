//! Request bodies into JSON values, strictly: what a lenient parser would swallow is reported.

mod protobuf;
mod strict;
mod unreadable;
mod walk;
mod yaml;

use serde_json::Value;

use crate::kinds::Kind;
use crate::status::ApiError;
pub(crate) use unreadable::Unreadable;

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
    /// `application/vnd.kubernetes.protobuf`, for built-in kinds.
    Protobuf,
}

/// The kind that a body should be of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    /// Such as `apps/v1`.
    pub(crate) api_version: &'a str,
    /// Such as `Deployment`.
    pub(crate) kind: &'a str,
}

/// What a body may be encoded as, in the words of a 415.
const ACCEPTED: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];

/// The same for objects of custom kinds, which have no Protobuf form.
const ACCEPTED_OF_CUSTOM: &[&str] = &["application/json", "application/yaml"];

/// The media type without parameters, lower case.
pub(crate) fn media_type(content_type: &str) -> String {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

impl Format {
    /// The encoding of a body of a type that is the server's own.
    ///
    /// # Errors
    /// 415 for any other type.
    pub(crate) fn of(content_type: &str) -> Result<Self, ApiError> {
        match media_type(content_type).as_str() {
            "" | "application/json" => Ok(Self::Json),
            "application/yaml" => Ok(Self::Yaml),
            "application/vnd.kubernetes.protobuf" => Ok(Self::Protobuf),
            _ => Err(ApiError::unsupported_media_type(ACCEPTED)),
        }
    }

    /// The encoding of an object of a kind.
    ///
    /// # Errors
    /// 415 for any other type, and for Protobuf if the kind is custom.
    pub(crate) fn of_object(content_type: &str, kind: &Kind) -> Result<Self, ApiError> {
        match Self::of(content_type) {
            Ok(Self::Protobuf) | Err(_) if kind.is_custom() => {
                Err(ApiError::unsupported_media_type(ACCEPTED_OF_CUSTOM))
            }
            format => format,
        }
    }
}

/// Parses a body. What it should be matters for Protobuf only, where it fills in what the body does not say of its kind;
/// whether that is the kind that it should be, is for the caller to check.
///
/// # Errors
/// The parser's message, to be put into the words of the request.
pub(crate) fn decode(
    format: Format,
    body: &[u8],
    expected: Expected<'_>,
) -> Result<Decoded, Unreadable> {
    match format {
        Format::Json => strict::from_json(body).map_err(Unreadable::new),
        Format::Yaml => yaml::from_yaml(body).map_err(Unreadable::new),
        Format::Protobuf => protobuf::from_protobuf(body, expected),
    }
}

/// Parses a body that is of one kind whatever it is sent to: a scale, or the options of a deletion.
///
/// # Errors
/// 415 for an unknown encoding; 400 for a body that does not parse or says to be of another kind.
pub(crate) fn decode_kind(
    content_type: &str,
    body: &[u8],
    expected: Expected<'_>,
) -> Result<Value, ApiError> {
    let format = Format::of(content_type)?;
    let decoded = decode(format, body, expected).map_err(ApiError::bad_request)?;
    match decoded.value.get("kind").and_then(Value::as_str) {
        Some(kind) if !kind.is_empty() && kind != expected.kind => {
            Err(ApiError::bad_request(format!(
                "the kind in the data ({kind}) does not match the expected kind ({})",
                expected.kind
            )))
        }
        _ => Ok(decoded.value),
    }
}

/// What is said of a body that is nested too deep, in Go's words, with the limit.
pub(crate) fn too_deep(format: &str, levels: usize) -> String {
    format!("{format}: exceeded max depth: an object may have {levels} levels")
}

/// Do a parser's words mean that it went as deep as it goes?
fn is_too_deep(why: &str) -> bool {
    why.starts_with("recursion limit exceeded")
}

/// Parses a JSON body that is no object of a kind, such as a patch.
///
/// # Errors
/// The parser's message.
pub(crate) fn decode_json(body: &[u8]) -> Result<Decoded, String> {
    strict::from_json(body)
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
    use crate::kinds::{BuiltinHooks, Origin, Plain, builtin_rows};
    use serde_json::json;
    use std::sync::Arc;

    fn decode(format: Format, body: &[u8]) -> Result<Decoded, Unreadable> {
        let expected = Expected {
            api_version: "v1",
            kind: "ConfigMap",
        };
        super::decode(format, body, expected)
    }

    #[test]
    fn formats() {
        assert_eq!(Format::of(""), Ok(Format::Json));
        assert_eq!(
            Format::of("application/JSON; charset=utf-8"),
            Ok(Format::Json)
        );
        assert_eq!(Format::of("application/yaml"), Ok(Format::Yaml));
        assert_eq!(
            Format::of("application/vnd.kubernetes.protobuf"),
            Ok(Format::Protobuf)
        );
        let error = Format::of("text/plain").unwrap_err();
        assert_eq!(error.code, 415);
        assert_eq!(
            error.message,
            "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf"
        );
    }

    #[test]
    fn custom_kinds_have_no_protobuf() {
        let rows = builtin_rows(BuiltinHooks {
            strategy: |_, _| Arc::new(Plain),
            columns: |_, _| Vec::new(),
        });
        let mut kind = Kind::clone(&rows[0]);
        let of = |kind: &Kind| Format::of_object("application/vnd.kubernetes.protobuf", kind);
        assert_eq!(of(&kind), Ok(Format::Protobuf));
        kind.origin = Origin::Custom {
            crd_uid: String::new(),
            conversion: Value::Null,
        };
        let error = of(&kind).unwrap_err();
        assert_eq!(error.code, 415);
        assert!(
            error
                .message
                .ends_with(": application/json, application/yaml"),
            "{}",
            error.message
        );
        assert_eq!(
            Format::of_object("application/yaml", &kind),
            Ok(Format::Yaml)
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

    #[test]
    fn too_deep_and_too_large_are_said_in_plain_words() {
        let refused = |format, body: &str| decode(format, body.as_bytes()).unwrap_err().to_string();
        let flow = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        let block: String = (0..200).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        assert_eq!(
            refused(Format::Json, &flow),
            "json: exceeded max depth: an object may have 100 levels"
        );
        for deep in [&flow, &block] {
            assert_eq!(
                refused(Format::Yaml, deep),
                "yaml: exceeded max depth: an object may have 64 levels in YAML"
            );
        }
        let bomb = format!("a: &a [x]\nb:\n{}", "- *a\n".repeat(60_000));
        assert_eq!(
            refused(Format::Yaml, &bomb),
            "yaml: document contains excessive aliasing"
        );
        let levels: String = (0..63).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        assert!(decode(Format::Yaml, levels.as_bytes()).is_ok());
    }
}
