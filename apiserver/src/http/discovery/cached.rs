//! Documents as bytes, kept until the table changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha512};

use super::aggregated::{AggregatedVersion, aggregated};
use super::legacy;
use crate::http::ExtensionResource;
use crate::kinds::Kinds;

/// A JSON document and the hash that stands for its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// The JSON.
    pub(crate) body: Bytes,
    /// SHA-512 of the body in upper-case hex: the `ETag` without its quotes.
    pub(crate) hash: Arc<str>,
}

impl Document {
    pub(crate) fn new(value: &Value) -> Self {
        Self::of(Bytes::from(value.to_string()))
    }

    /// A document that is made already.
    pub(crate) fn of(body: Bytes) -> Self {
        let hash = hash(&body).into();
        Self { body, hash }
    }

    /// The value of the `ETag` header.
    pub(crate) fn etag(&self) -> String {
        format!("\"{}\"", self.hash)
    }
}

/// SHA-512 in upper-case hex.
pub(crate) fn hash(bytes: &[u8]) -> String {
    Sha512::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect()
}

/// Which document of discovery is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DiscoveryPath {
    /// `/api` or `/apis` in the aggregated form.
    Aggregated {
        /// Is it `/api`?
        core: bool,
        /// The version of the form.
        version: AggregatedVersion,
    },
    /// `/api` in the old form. The address is what clients outside may use, `host:port`.
    ApiVersions(String),
    /// `/apis` in the old form.
    Groups,
    /// `/apis/<group>`.
    Group(String),
    /// `/api/v1` (group empty) and `/apis/<group>/<version>`.
    Resources(String, String),
}

/// The documents of discovery. They are built when they are asked for and kept until the table changes.
#[derive(Debug, Default)]
pub(crate) struct Discovery {
    extras: Vec<ExtensionResource>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    of: Option<Arc<Kinds>>,
    documents: BTreeMap<DiscoveryPath, Document>,
}

impl Discovery {
    /// Documents that show these besides the kinds.
    pub(crate) fn new(extras: Vec<ExtensionResource>) -> Self {
        Self {
            extras,
            kept: Mutex::default(),
        }
    }

    /// The document for the table given; `None` if nothing is served at the path.
    pub(crate) fn document(&self, kinds: &Arc<Kinds>, path: DiscoveryPath) -> Option<Document> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, kinds)) {
            *kept = Kept {
                of: Some(kinds.clone()),
                documents: BTreeMap::new(),
            };
        }
        if let Some(document) = kept.documents.get(&path) {
            return Some(document.clone());
        }
        let document = Document::new(&build(kinds, &self.extras, &path)?);
        kept.documents.insert(path, document.clone());
        Some(document)
    }
}

fn build(kinds: &Kinds, extras: &[ExtensionResource], path: &DiscoveryPath) -> Option<Value> {
    Some(match path {
        DiscoveryPath::Aggregated { core, version } => aggregated(kinds, extras, *core, *version),
        DiscoveryPath::ApiVersions(address) => legacy::api_versions(kinds, address),
        DiscoveryPath::Groups => legacy::group_list(kinds),
        DiscoveryPath::Group(name) => legacy::group(kinds, name)?,
        DiscoveryPath::Resources(group, version) => {
            legacy::resource_list(kinds, extras, group, version)?
        }
    })
}
