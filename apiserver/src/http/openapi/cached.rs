//! The documents as bytes, and the root that lists them with their hashes. Listing them builds none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::fingerprint::fingerprint;
use super::paths;
use crate::http::discovery::{Document, group_versions};
use crate::kinds::Kinds;

/// Documents that are kept: they are large, clients keep them too, and building one anew takes milliseconds.
const KEPT: usize = 3;

/// The OpenAPI documents, built when they are asked for.
#[derive(Debug, Default)]
pub(crate) struct OpenApi(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    hashes: BTreeMap<String, Hashed>,
    recent: Vec<(String, Document)>,
    root: Option<(Arc<Kinds>, Document)>,
}

#[derive(Clone, Debug)]
struct Hashed {
    epochs: Vec<u64>,
    hash: Arc<str>,
}

impl OpenApi {
    /// `/openapi/v3`: where the document of each group version is, with its hash.
    pub(crate) fn root(&self, kinds: &Arc<Kinds>) -> Document {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, document)) = &state.root
            && Arc::ptr_eq(of, kinds)
        {
            return document.clone();
        }
        let mut entries = Map::new();
        for path in all_paths(kinds) {
            let hash = state.hash(kinds, &path);
            entries.insert(
                path.clone(),
                json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}")}),
            );
        }
        state.hashes.retain(|path, _| entries.contains_key(path));
        let document = Document::new(&json!({"paths": entries}));
        state.root = Some((kinds.clone(), document.clone()));
        document
    }

    /// `/openapi/v3/<path>`, where the path is `api/v1` or `apis/<group>/<version>`; `None` if there is no such document.
    pub(crate) fn document(&self, kinds: &Arc<Kinds>, path: &str) -> Option<Document> {
        let (group, version) = parse(path)?;
        if epochs(kinds, group, version).is_empty() {
            return None;
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = state.hash(kinds, path);
        let kept = |(known, document): &&(String, Document)| known == path && document.hash == hash;
        if let Some((_, document)) = state.recent.iter().find(kept) {
            return Some(document.clone());
        }
        let body = paths::document(kinds, group, version).to_string().into();
        let document = Document { body, hash };
        state.recent.retain(|(known, _)| known != path);
        if state.recent.len() >= KEPT {
            state.recent.remove(0);
        }
        state.recent.push((path.to_owned(), document.clone()));
        Some(document)
    }
}

impl State {
    /// The hash of a document, without building it.
    fn hash(&mut self, kinds: &Kinds, path: &str) -> Arc<str> {
        let Some((group, version)) = parse(path) else {
            return Arc::from("");
        };
        let epochs = epochs(kinds, group, version);
        if let Some(known) = self.hashes.get(path).filter(|known| known.epochs == epochs) {
            return known.hash.clone();
        }
        let hash: Arc<str> = fingerprint(kinds, group, version).into();
        let hashed = Hashed {
            epochs,
            hash: hash.clone(),
        };
        self.hashes.insert(path.to_owned(), hashed);
        hash
    }
}

fn all_paths(kinds: &Kinds) -> Vec<String> {
    let mut paths = Vec::new();
    for group in group_versions(kinds) {
        for version in &group.versions {
            paths.push(match &*group.group {
                "" => format!("api/{version}"),
                name => format!("apis/{name}/{version}"),
            });
        }
    }
    paths
}

fn parse(path: &str) -> Option<(&str, &str)> {
    if let Some(version) = path.strip_prefix("api/") {
        return Some(("", version));
    }
    path.strip_prefix("apis/")?.split_once('/')
}

/// What a document depends on: the rows of its group version.
fn epochs(kinds: &Kinds, group: &str, version: &str) -> Vec<u64> {
    let rows = kinds
        .iter()
        .filter(|row| &*row.group == group && row.version(version).is_some());
    rows.map(|row| row.epoch).collect()
}

/// The value as a reference into the components.
pub(super) fn reference(component: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{component}")})
}
