//! The read verbs over a real store.

mod history;
mod lists;
mod watches;

use std::collections::BTreeMap;
use std::sync::Arc;

use apiserver_store::{Action, Expect, Key, Mutation, Revision};
use serde_json::json;

use super::{Reply, WatchItem, WatchStream};
use crate::api::Api;
use crate::cache::CacheOptions;
use crate::kinds::Kind;
use crate::object::encode;
use crate::request::{Query, Request, ResourcePath, UserInfo, Verb, Warnings};
use crate::status::ApiError;
use crate::testing;

/// A server's state with pods in it.
pub(super) struct World {
    pub(super) api: Api,
    pub(super) kind: Arc<Kind>,
    /// Every pod: its last revision.
    pub(super) pods: BTreeMap<(String, String), Revision>,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(CacheOptions::default()).await
    }

    pub(super) async fn with(options: CacheOptions) -> Self {
        let api = testing::api_of(testing::plain_kinds(), options).await;
        let kind = api.registry.kinds().resource("", "pods").unwrap().clone();
        Self {
            api,
            kind,
            pods: BTreeMap::new(),
        }
    }

    /// Creates or replaces a pod with a label `x` and a phase.
    pub(super) async fn put(
        &mut self,
        namespace: &str,
        name: &str,
        x: &str,
        phase: &str,
    ) -> Revision {
        let value = encode(&json!({"kind": "Pod", "apiVersion": "v1",
            "metadata": {"name": name, "namespace": namespace, "labels": {"x": x}},
            "status": {"phase": phase}}));
        self.write(namespace, name, Action::Put(value)).await
    }

    /// Deletes a pod that exists.
    pub(super) async fn delete(&mut self, namespace: &str, name: &str) -> Revision {
        let found = self.api.cache.get("/pods", namespace, name);
        let value = encode(&found.map_or(json!({}), |o| o.to_value()));
        self.write(namespace, name, Action::Delete(value)).await
    }

    async fn write(&mut self, namespace: &str, name: &str, action: Action) -> Revision {
        let id = (namespace.to_owned(), name.to_owned());
        let expect = self
            .pods
            .get(&id)
            .copied()
            .map_or(Expect::Absent, Expect::Revision);
        let gone = matches!(action, Action::Delete(_));
        let key = Key::new("/pods", namespace, name);
        let mutation = Mutation {
            key,
            expect,
            action,
        };
        let revision = self.api.store.commit(mutation).await.unwrap();
        if gone {
            self.pods.remove(&id);
        } else {
            self.pods.insert(id, revision);
        }
        self.api.cache.fresh().await.unwrap();
        revision
    }

    /// A request on pods: `query` is `a=b&c=d`, undecoded.
    pub(super) fn request(verb: Verb, namespace: &str, name: &str, query: &str) -> Request {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Request {
            path: ResourcePath {
                verb,
                group: String::new(),
                version: "v1".to_owned(),
                resource: "pods".to_owned(),
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                subresource: String::new(),
                rest: String::new(),
            },
            user: UserInfo::internal("test"),
            query: Query(pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()),
            accept: String::new(),
            content_type: String::new(),
            user_agent: String::new(),
            body: bytes::Bytes::new(),
            warnings: Warnings::default(),
        }
    }

    /// A list; its names, list revision, continue token and remaining count.
    pub(super) async fn list(&self, namespace: &str, query: &str) -> Result<Listed, ApiError> {
        let request = Self::request(Verb::List, namespace, "", query);
        match super::list(&self.api, &request, &self.kind, "v1").await? {
            Reply::List {
                revision,
                items,
                continue_token,
                remaining,
                ..
            } => Ok(Listed {
                names: items.iter().map(|o| o.name().to_string()).collect(),
                revision: revision.get(),
                token: continue_token.unwrap_or_default(),
                remaining,
            }),
            _ => panic!("a list replies with a list"),
        }
    }

    pub(super) async fn get(&self, name: &str, query: &str) -> Result<Revision, ApiError> {
        let request = Self::request(Verb::Get, "a", name, query);
        match super::get(&self.api, &request, &self.kind, "v1").await? {
            Reply::Object {
                body: super::Body::Stored(object),
                ..
            } => Ok(object.revision),
            _ => panic!("a get replies with an object"),
        }
    }

    pub(super) async fn watch(
        &self,
        namespace: &str,
        query: &str,
    ) -> Result<WatchStream, ApiError> {
        let request = Self::request(Verb::Watch, namespace, "", query);
        match super::watch(&self.api, &request, &self.kind, "v1").await? {
            Reply::Watch { events, .. } => Ok(events),
            _ => panic!("a watch replies with a stream"),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) names: Vec<String>,
    pub(super) revision: u64,
    pub(super) token: String,
    pub(super) remaining: Option<u64>,
}

/// An item in short: `+a@3`, `~a@4`, `-a@5`, `=6` (bookmark), `=6!` (end of the initial events), `!410`.
pub(super) fn short(item: &WatchItem) -> String {
    match item {
        WatchItem::Added(o) => format!("+{}@{}", o.name(), o.revision),
        WatchItem::Modified(o) => format!("~{}@{}", o.name(), o.revision),
        WatchItem::Deleted { object, revision } => {
            assert_eq!(object.revision, *revision);
            assert_eq!(
                object.to_value()["metadata"]["resourceVersion"],
                revision.to_string()
            );
            format!("-{}@{revision}", object.name())
        }
        WatchItem::Bookmark {
            revision,
            initial_events_end,
        } => format!("={revision}{}", if *initial_events_end { "!" } else { "" }),
        WatchItem::Error(error) => format!("!{}", error.code.as_u16()),
    }
}
