//! JSON as Go's `json.Encoder` writes it, which is what KubeFed hashes.
//!
//! Keys are sorted, `<`, `>`, `&`, U+2028 and U+2029 are escaped, floats have Go's form, and a newline ends it.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};
use serde_json::{Number, Value};

/// How numbers are read before they are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Integers stay integers, as in `unstructured`.
    Integers,
    /// Everything becomes a float64, as in `interface{}`.
    Floats,
}

/// Appends `value`.
pub(crate) fn write(out: &mut String, value: &Value, numbers: Numbers) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(out, number, numbers),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(out, item, numbers);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, item)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(out, key);
                out.push(':');
                write(out, item, numbers);
            }
            out.push('}');
        }
    }
}

/// Appends a string with its quotes.
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn write_number(out: &mut String, number: &Number, numbers: Numbers) {
    match number.as_i64() {
        Some(integer) if numbers == Numbers::Integers => {
            let _ = write!(out, "{integer}");
        }
        _ => write_float(out, number.as_f64().unwrap_or_default()),
    }
}

/// Shortest digits that read back; exponent form below 1e-6 and from 1e21, the exponent with its sign.
fn write_float(out: &mut String, float: f64) {
    let size = float.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{float:e}");
        match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => {
                let _ = write!(out, "{digits}e+{exponent}");
            }
            _ => out.push_str(&text),
        }
    } else {
        let _ = write!(out, "{float}");
    }
}

/// Lowercase hex md5 of `json` and a newline.
pub(crate) fn hash_line(mut json: String) -> String {
    json.push('\n');
    let mut hex = String::with_capacity(32);
    for byte in Md5::digest(json.as_bytes()) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(value: Value, numbers: Numbers) -> String {
        let mut out = String::new();
        write(&mut out, &value, numbers);
        out
    }

    #[test]
    fn writes_as_go_does() {
        for (value, integers, floats) in [
            (json!(5), "5", "5"),
            (json!(5.0), "5", "5"),
            (json!(-0.5), "-0.5", "-0.5"),
            (json!(1e21), "1e+21", "1e+21"),
            (
                json!(1e20),
                "100000000000000000000",
                "100000000000000000000",
            ),
            (json!(1.5e-7), "1.5e-7", "1.5e-7"),
            (json!(0.000001), "0.000001", "0.000001"),
            (
                json!(9_007_199_254_740_993_i64),
                "9007199254740993",
                "9007199254740992",
            ),
            (
                json!("<a&b>\u{2028}\u{8}\"\\\n\u{7f}é"),
                "\"\\u003ca\\u0026b\\u003e\\u2028\\u0008\\\"\\\\\\n\u{7f}é\"",
                "\"\\u003ca\\u0026b\\u003e\\u2028\\u0008\\\"\\\\\\n\u{7f}é\"",
            ),
            (
                json!({"b": [1, null], "a": {"z": true}}),
                "{\"a\":{\"z\":true},\"b\":[1,null]}",
                "{\"a\":{\"z\":true},\"b\":[1,null]}",
            ),
        ] {
            assert_eq!(text(value.clone(), Numbers::Integers), integers);
            assert_eq!(text(value, Numbers::Floats), floats);
        }
    }
}
