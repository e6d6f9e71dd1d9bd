//! Continue tokens: base64url of `{"v":"meta.k8s.io/v1","rv":<n>,"start":"<namespace>/<name>\u0000"}`, as upstream's.

use std::fmt;

use apiserver_store::Revision;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

const VERSION: &str = "meta.k8s.io/v1";

/// A position in the key order, inclusive: `<namespace>/<name>` in lists over all namespaces, else `<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place(String);

impl Place {
    /// The position right after an object.
    pub(super) fn after(namespace: &str, name: &str, with_namespace: bool) -> Self {
        if with_namespace {
            Self(format!("{namespace}/{name}\0"))
        } else {
            Self(format!("{name}\0"))
        }
    }

    /// Namespace and name, for a list whose positions have the namespace or not.
    pub(super) fn parts<'a>(
        &'a self,
        namespace: &'a str,
        with_namespace: bool,
    ) -> (&'a str, &'a str) {
        if with_namespace {
            self.0.split_once('/').unwrap_or((&self.0, ""))
        } else {
            (namespace, &self.0)
        }
    }
}

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The revision that all pages show; `None` goes on with the latest (an inconsistent continuation).
    pub(super) revision: Option<Revision>,
    pub(super) from: Place,
}

/// Why a continue token is not one of ours. Reads as upstream's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenError {
    Unreadable(String),
    Version(String),
    Revision,
    EmptyStart,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "continue key is not valid: {why}"),
            Self::Version(version) => write!(
                f,
                "continue key is not valid: server does not recognize this encoded version {version}"
            ),
            Self::Revision => write!(
                f,
                "continue key is not valid: incorrect encoded start resourceVersion (version {VERSION})"
            ),
            Self::EmptyStart => write!(
                f,
                "continue key is not valid: encoded start key empty (version {VERSION})"
            ),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(default)]
    v: String,
    #[serde(default)]
    rv: i64,
    #[serde(default)]
    start: String,
}

impl Cursor {
    pub(super) fn encode(&self) -> String {
        let rv = match self.revision {
            Some(revision) => i64::try_from(revision.get()).unwrap_or(i64::MAX),
            None => -1,
        };
        let wire = Wire {
            v: VERSION.to_owned(),
            rv,
            start: self.from.0.clone(),
        };
        let json = serde_json::to_vec(&wire).expect("strings and numbers always serialise");
        URL_SAFE_NO_PAD.encode(json)
    }

    pub(super) fn decode(token: &str) -> Result<Self, TokenError> {
        let json = URL_SAFE_NO_PAD
            .decode(token)
            .map_err(|error| TokenError::Unreadable(error.to_string()))?;
        let wire: Wire = serde_json::from_slice(&json)
            .map_err(|error| TokenError::Unreadable(error.to_string()))?;
        if wire.v != VERSION {
            return Err(TokenError::Version(wire.v));
        }
        if wire.rv == 0 {
            return Err(TokenError::Revision);
        }
        if wire.start.is_empty() {
            return Err(TokenError::EmptyStart);
        }
        let steps_out = |part: &str| matches!(part, "" | "." | "..");
        if wire.start.split('/').any(steps_out) {
            return Err(TokenError::Unreadable(wire.start));
        }
        Ok(Self {
            revision: u64::try_from(wire.rv).ok().map(Revision::new),
            from: Place(wire.start),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_as_they_went() {
        for revision in [None, Some(Revision::new(12))] {
            let cursor = Cursor {
                revision,
                from: Place::after("ns", "a", true),
            };
            assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
        }
        let known = r#"{"v":"meta.k8s.io/v1","rv":12,"start":"ns/a\u0000"}"#;
        let cursor = Cursor::decode(&URL_SAFE_NO_PAD.encode(known)).unwrap();
        assert_eq!(cursor.from.parts("", true), ("ns", "a\0"));
        assert_eq!(cursor.revision, Some(Revision::new(12)));
    }

    #[test]
    fn bad_tokens_are_refused() {
        let refuse = |json: &str| Cursor::decode(&URL_SAFE_NO_PAD.encode(json)).unwrap_err();
        assert!(matches!(
            Cursor::decode("!"),
            Err(TokenError::Unreadable(_))
        ));
        assert!(matches!(refuse("{"), TokenError::Unreadable(_)));
        assert_eq!(
            refuse(r#"{"v":"x","rv":1,"start":"a"}"#),
            TokenError::Version("x".into())
        );
        let v = r#"{"v":"meta.k8s.io/v1""#;
        assert_eq!(
            refuse(&format!(r#"{v},"start":"a"}}"#)),
            TokenError::Revision
        );
        assert_eq!(refuse(&format!(r#"{v},"rv":1}}"#)), TokenError::EmptyStart);
        for start in ["../a", "a/../b", "a//b", "."] {
            let token = format!(r#"{v},"rv":1,"start":"{start}"}}"#);
            assert!(
                matches!(refuse(&token), TokenError::Unreadable(_)),
                "{start}"
            );
        }
    }
}
