//! A server's state on a store in memory, for unit tests.

use std::sync::Arc;

use apiserver_store::{MemoryBackend, Store, StoreOptions};
use serde_json::{Value, json};

use crate::api::Api;
use crate::cache::{Cache, CacheOptions};
use crate::kinds::{
    BuiltinHooks, Kinds, Plain, Registry, builtin_columns, builtin_rows, builtin_strategy,
};
use crate::request::{Query, Request, ResourcePath, UserInfo, Verb, Warnings};
use crate::seams::Seams;

/// All built-in kinds as a server has them, no objects.
pub(crate) async fn api() -> Api {
    let rows = builtin_rows(BuiltinHooks {
        strategy: builtin_strategy,
        columns: builtin_columns,
    });
    api_of(Kinds::new(rows), CacheOptions::default()).await
}

/// The given kinds, no objects.
pub(crate) async fn api_of(kinds: Kinds, options: CacheOptions) -> Api {
    let store = Store::open(MemoryBackend::new(), StoreOptions::default())
        .await
        .expect("memory opens");
    let cache = Cache::start(store.clone(), options)
        .await
        .expect("an empty store loads");
    Api {
        store,
        cache,
        registry: Arc::new(Registry::new(kinds)),
        admission: Arc::from([]),
        converters: Arc::from([]),
        seams: Seams::system(),
    }
}

/// All built-in kinds without rules and columns of their own.
pub(crate) fn plain_kinds() -> Kinds {
    Kinds::new(builtin_rows(BuiltinHooks {
        strategy: |_, _| Arc::new(Plain),
        columns: |_, _| Vec::new(),
    }))
}

/// A request of an administrator on a path `group/version/namespace/resource/name/subresource`, with a JSON body.
pub(crate) fn request(verb: Verb, path: &str, body: Value) -> Request {
    let parts: Vec<&str> = path.split('/').collect();
    let part = |n: usize| parts.get(n).copied().unwrap_or_default().to_owned();
    Request {
        path: ResourcePath {
            verb,
            group: part(0),
            version: part(1),
            namespace: part(2),
            resource: part(3),
            name: part(4),
            subresource: part(5),
            rest: String::new(),
        },
        user: UserInfo::internal("test"),
        query: Query::default(),
        accept: String::new(),
        content_type: "application/json".to_owned(),
        user_agent: "test/1".to_owned(),
        body: if body.is_null() {
            bytes::Bytes::new()
        } else {
            body.to_string().into()
        },
        warnings: Warnings::default(),
    }
}

/// A namespace, as a body.
pub(crate) fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}
