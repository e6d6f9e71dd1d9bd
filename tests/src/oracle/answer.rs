//! What a server said.

use std::collections::BTreeMap;

use serde_json::Value;

/// One answer, or one stream of events.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// The headers, names in lower case; several of one name stand in lines.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Body,
}

/// A body, as its content type says.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// JSON or YAML; of a watch, the list of its events.
    Tree(Value),
    /// Anything else.
    Text(String),
}

impl Answer {
    pub(super) fn body_of(content_type: &str, bytes: &[u8]) -> Body {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let parsed = if content_type.contains("yaml") {
            serde_saphyr::from_str(&text).ok()
        } else if content_type.contains("json") || text.starts_with('{') {
            serde_json::from_str(&text).ok()
        } else if content_type.contains("protobuf") {
            return Body::Text("<protobuf>".to_owned());
        } else {
            None
        };
        parsed.map_or(Body::Text(text), Body::Tree)
    }

    /// The value at a pointer, or a header.
    pub(super) fn find(&self, what: &str) -> Option<Value> {
        if let Some(name) = what.strip_prefix("header ") {
            return self.headers.get(name).map(|text| text.clone().into());
        }
        match &self.body {
            Body::Tree(tree) => tree.pointer(what).cloned(),
            Body::Text(_) => None,
        }
    }
}
