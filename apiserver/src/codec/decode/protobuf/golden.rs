//! What Go's own types encode, against what they say in JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::from_protobuf;
use crate::codec::decode::{Decoded, Expected, Unreadable};

fn decode(body: &[u8]) -> Result<Decoded, Unreadable> {
    let expected = Expected {
        api_version: "v1",
        kind: "ConfigMap",
    };
    from_protobuf(body, expected)
}

/// What Go's own types encode, see `tests/upstream/protofixtures`: kind, JSON, Protobuf body.
const FIXTURES: &str = include_str!("../../../../tests/fixtures/protobuf.tsv");

/// A `null` counts as absent.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn fixtures() -> Vec<(Value, Vec<u8>)> {
    let parse = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        let mut json = serde_json::from_str(cells[1]).unwrap();
        without_nulls(&mut json);
        (json, STANDARD.decode(cells[2]).unwrap())
    };
    FIXTURES.lines().map(parse).collect()
}

#[test]
fn what_go_encodes_becomes_what_go_says_in_json() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 25, "{}", fixtures.len());
    for (json, body) in fixtures {
        assert_eq!(decode(&body).unwrap().value, json, "{}", json["kind"]);
    }
}

#[test]
fn a_body_that_is_cut_short_is_no_panic_and_seldom_a_body() {
    for (json, body) in fixtures() {
        for end in (0..body.len()).step_by(7) {
            // The envelope has two more fields after the object, both empty: without them it is whole.
            if let Ok(decoded) = decode(&body[..end]) {
                assert!(end + 5 >= body.len() || decoded.value != json, "{end}");
            }
        }
    }
}

#[test]
fn a_damaged_body_is_no_panic() {
    for (_, body) in fixtures() {
        for at in (4..body.len()).step_by(3) {
            for damage in [0x01, 0x80, 0xff] {
                let mut body = body.clone();
                body[at] ^= damage;
                let _ = decode(&body);
            }
        }
    }
}
