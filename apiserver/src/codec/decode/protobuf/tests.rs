//! Bodies of every kind, right and wrong.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::from_protobuf;
use super::message::{Decoder, MAX_DEPTH};
use super::table::Table;
use crate::codec::decode::{Decoded, Expected, Unreadable};

const EXPECTED: Expected<'static> = Expected {
    api_version: "v1",
    kind: "ConfigMap",
};

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn field(number: usize, content: &[u8]) -> Vec<u8> {
    [&varint(number << 3 | 2), &varint(content.len()), content].concat()
}

fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let type_meta = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
    let parts = [b"k8s\0".to_vec(), field(1, &type_meta), field(2, raw)];
    parts.concat()
}

fn decode(body: &[u8]) -> Result<Decoded, Unreadable> {
    from_protobuf(body, EXPECTED)
}

fn refusal(body: &[u8]) -> String {
    let error = decode(body).unwrap_err().refusal("ConfigMap", body);
    assert_eq!(error.code, 400);
    error.message
}

#[test]
fn a_body_says_what_it_is_or_is_what_is_expected() {
    let metadata = field(
        1,
        &[field(1, b"a"), field(2, b""), field(99, b"new")].concat(),
    );
    let wanted = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    for (api_version, kind) in [("v1", "ConfigMap"), ("", "")] {
        let body = envelope(api_version, kind, &metadata);
        assert_eq!(decode(&body).unwrap().value, wanted);
    }
    let other = decode(&envelope("v1", "Secret", &metadata)).unwrap();
    assert_eq!(other.value["kind"], "Secret");
    let options = decode(&envelope("apps/v1", "DeleteOptions", &field(4, b"Orphan"))).unwrap();
    assert_eq!(options.value["propagationPolicy"], "Orphan");
}

#[test]
fn maps_bytes_and_merged_messages() {
    let entry = |key: &[u8], value: &[u8]| [field(1, key), field(2, value)].concat();
    let raw = [
        field(1, &field(1, b"a")),
        field(2, &entry(b"text", b"x")),
        field(2, &field(1, b"empty")),
        field(3, &entry(b"bin", &[0, 255])),
        field(1, &field(3, b"team")),
    ];
    assert_eq!(
        decode(&envelope("v1", "ConfigMap", &raw.concat()))
            .unwrap()
            .value,
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "team"},
            "data": {"text": "x", "empty": ""}, "binaryData": {"bin": "AP8="},
        })
    );
}

#[test]
fn refusals_read_like_upstreams() {
    assert_eq!(
        refusal(b""),
        "the object provided is unrecognized (must be of type ConfigMap): empty data (<empty>)"
    );
    assert_eq!(
        refusal(b"k8s\0"),
        "the object provided is unrecognized (must be of type ConfigMap): empty body (6b387300)"
    );
    assert_eq!(
        refusal(b"{}"),
        "the object provided is unrecognized (must be of type ConfigMap): provided data does not appear to be a protobuf \
         message, expected prefix [107 56 115 0] ({})"
    );
    assert_eq!(
        refusal(&envelope("v9", "Frog", b"")),
        "Frog in version \"v9\" cannot be handled as a ConfigMap: no kind \"Frog\" is registered for version \"v9\""
    );
    let cut = "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: ";
    for (raw, why) in [
        (&[0x0a, 9][..], "unexpected EOF"),
        (&[0x08, 1], "proto: wrong wireType = 0 for field metadata"),
        (
            &[0x0a, 3, 0x0a, 1, 0xff],
            "proto: field name contains invalid UTF-8",
        ),
    ] {
        assert_eq!(
            refusal(&envelope("v1", "ConfigMap", raw)),
            format!("{cut}{why}")
        );
    }
}

/// The number of `not` in a JSON schema.
const NOT: usize = 28;

/// A JSON schema with others in it.
fn nested(levels: usize) -> Vec<u8> {
    let mut schema = field(5, b"object");
    for _ in 0..levels {
        schema = field(NOT, &schema);
    }
    schema
}

#[test]
fn nesting_has_an_end() {
    let kind = "CustomResourceDefinition";
    let body = |levels| {
        let version = field(4, &field(1, &nested(levels)));
        let spec = field(2, &field(7, &version));
        envelope("apiextensions.k8s.io/v1", kind, &spec)
    };
    let decoded = decode(&body(50)).unwrap().value;
    let text = decoded.to_string();
    assert_eq!(text.matches("\"not\":").count(), 50);
    assert!(serde_json::from_str::<Value>(&text).is_ok());
    assert!(refusal(&body(MAX_DEPTH)).ends_with("exceeded max depth"));
}

#[test]
fn raw_json_counts_towards_the_depth() {
    let raw = |depth: usize| {
        let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        // ControllerRevision.data
        envelope(
            "apps/v1",
            "ControllerRevision",
            &field(2, &field(1, text.as_bytes())),
        )
    };
    assert!(decode(&raw(MAX_DEPTH - 10)).is_ok());
    assert!(refusal(&raw(MAX_DEPTH)).ends_with("exceeded max depth"));
    let broken = envelope("apps/v1", "ControllerRevision", &field(2, &field(1, b"{")));
    assert!(refusal(&broken).contains("EOF while parsing"));
}

#[test]
fn values_are_counted() {
    let many = field(3, b"").repeat(600_000);
    let body = envelope("v1", "PodTemplate", &field(2, &field(2, &field(2, &many))));
    let wide = envelope("v1", "Endpoints", &field(2, b"").repeat(600_000));
    assert!(
        refusal(&wide).ends_with("too many values"),
        "{}",
        body.len()
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), pick in any::<proptest::sample::Index>()) {
        let kinds = Table::get().kinds();
        let (kind, id) = kinds[pick.index(kinds.len())];
        let _ = Decoder::new(Table::get()).message(id, &bytes, 1, &mut serde_json::Map::new());
        let (api_version, kind) = kind.rsplit_once('/').unwrap();
        let _ = decode(&envelope(api_version, kind, &bytes));
        let _ = decode(&[b"k8s\0", &bytes[..]].concat());
    }
}
