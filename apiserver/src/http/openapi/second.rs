//! The OpenAPI v2 document, which kubectl 1.35 reads for one purpose: to look at the members of a `kind: List` before it sends
//! them one by one. A kind that the document does not define is not looked at there, and is judged by the server as always; so the
//! document defines none, and clients that want schemas read OpenAPI v3.

use bytes::Bytes;
use serde_json::{Value, json};

/// What kubectl asks for.
pub(crate) const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
/// What it is answered with: `@` is none of the characters of a media type.
pub(crate) const PROTOBUF_ANSWER: &str =
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

const SWAGGER: &str = "2.0";
const TITLE: &str = "Kubernetes";

/// The document in JSON.
pub(crate) fn json(version: &str) -> Value {
    json!({"swagger": SWAGGER, "info": {"title": TITLE, "version": version}, "paths": {}})
}

/// The document as `openapi.v2.Document` of gnostic: `swagger` is field 1, `info` 2 (`title` 1, `version` 2), `paths` 8.
pub(crate) fn protobuf(version: &str) -> Bytes {
    let mut info = Vec::new();
    field(&mut info, 1, TITLE.as_bytes());
    field(&mut info, 2, version.as_bytes());
    let mut document = Vec::new();
    field(&mut document, 1, SWAGGER.as_bytes());
    field(&mut document, 2, &info);
    field(&mut document, 8, &[]);
    document.into()
}

/// Appends a length-delimited field. All of them are shorter than 128 bytes, so that a length is one byte.
fn field(message: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    const LENGTH_DELIMITED: u8 = 2;
    const LONGEST: usize = 127;
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    message.push(number << 3 | LENGTH_DELIMITED);
    message.push(u8::try_from(bytes.len()).unwrap_or(0));
    message.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_as_gnostic_writes_it() {
        assert_eq!(
            &*protobuf("v1"),
            b"\x0a\x032.0\x12\x10\x0a\x0aKubernetes\x12\x02v1\x42\x00"
        );
    }
}
