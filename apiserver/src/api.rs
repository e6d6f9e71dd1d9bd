//! The state that every verb works on, and the way from a request to its verb.

use std::sync::Arc;

use apiserver_store::Store;

use crate::admit::Admission;
use crate::cache::Cache;
use crate::convert::Converter;
use crate::kinds::{Kind, KindVersion, Registry};
use crate::request::{Request, ResourcePath, Verb};
use crate::seams::Seams;
use crate::status::ApiError;
use crate::verbs::{self, Reply};

/// Everything behind the verbs. Shared by all requests and controllers of one server.
#[derive(Clone)]
pub struct Api {
    /// Where objects are durable.
    pub store: Store,
    /// The state of the store in memory: every read is answered from it.
    pub cache: Cache,
    /// The table of kinds.
    pub registry: Arc<Registry>,
    /// Admission plugins in calling order.
    pub admission: Arc<[Arc<dyn Admission>]>,
    /// In-process converters.
    pub converters: Arc<[Arc<dyn Converter>]>,
    /// Clock and randomness.
    pub seams: Seams,
}

impl Api {
    /// The row and version that serve a path, as the table is now.
    ///
    /// # Errors
    /// 404 if nothing serves it; 405 if something does, but not with this verb.
    pub fn route(&self, path: &ResourcePath) -> Result<(Arc<Kind>, Arc<str>), ApiError> {
        let kinds = self.registry.kinds();
        let kind = kinds
            .resource(&path.group, &path.resource)
            .ok_or_else(ApiError::no_such_path)?;
        let version = kind
            .version(&path.version)
            .ok_or_else(ApiError::no_such_path)?;
        check(kind, version, path)?;
        Ok((kind.clone(), version.name.clone()))
    }

    /// Carries out a request that [`Api::route`] has found a row for.
    ///
    /// # Errors
    /// The verb's own.
    pub async fn call(
        &self,
        request: &Request,
        kind: &Arc<Kind>,
        version: &str,
    ) -> Result<Reply, ApiError> {
        match request.path.verb {
            Verb::Get if request.path.subresource == "scale" => {
                verbs::get_scale(self, request, kind, version).await
            }
            Verb::Get => verbs::get(self, request, kind, version).await,
            Verb::List => verbs::list(self, request, kind, version).await,
            Verb::Watch => verbs::watch(self, request, kind, version).await,
            Verb::Create => verbs::create(self, request, kind, version).await,
            Verb::Update => verbs::update(self, request, kind, version).await,
            Verb::Patch => verbs::patch(self, request, kind, version).await,
            Verb::Delete => verbs::delete(self, request, kind, version).await,
            Verb::DeleteCollection => verbs::delete_collection(self, request, kind, version).await,
        }
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Api({:?})", self.cache)
    }
}

/// Does the row serve what the path asks for?
///
/// # Errors
/// 404 for a path that does not exist for the kind; 405 for one that does, with another method.
fn check(kind: &Kind, version: &KindVersion, path: &ResourcePath) -> Result<(), ApiError> {
    let not_allowed = || {
        if kind.is_custom() {
            ApiError::method_not_allowed(&path.group, &path.resource, path.verb.as_str())
        } else {
            ApiError::no_such_method()
        }
    };
    let in_namespace = !path.namespace.is_empty();
    if in_namespace && !kind.namespaced() {
        return Err(ApiError::no_such_path());
    }
    let all_namespaces = kind.namespaced() && !in_namespace;
    if all_namespaces && !path.name.is_empty() {
        return Err(ApiError::no_such_path());
    }
    if !path.rest.is_empty() {
        return Err(ApiError::no_such_path());
    }
    if path.subresource.is_empty() {
        let named = !path.name.is_empty();
        if named && kind.verbs == [Verb::Create] {
            return Err(ApiError::no_such_path());
        }
        let fits = match path.verb {
            Verb::Get | Verb::Update | Verb::Patch | Verb::Delete => named,
            Verb::List | Verb::Watch => !named,
            Verb::Create | Verb::DeleteCollection => !named && !all_namespaces,
        };
        return if fits && kind.verbs.contains(&path.verb) {
            Ok(())
        } else {
            Err(not_allowed())
        };
    }
    let served = match path.subresource.as_str() {
        "status" => version.status,
        "scale" => version.scale.is_some(),
        "finalize" => kind.group.is_empty() && &*kind.plural == "namespaces",
        _ => false,
    };
    match path.verb {
        _ if !served => Err(ApiError::no_such_path()),
        Verb::Get | Verb::Update | Verb::Patch => Ok(()),
        Verb::List | Verb::Watch | Verb::Create | Verb::Delete | Verb::DeleteCollection => {
            Err(not_allowed())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{BuiltinHooks, builtin_rows};

    fn asked(verb: Verb, uri: &str) -> ResourcePath {
        let parts: Vec<&str> = uri.split('/').collect();
        let part = |n: usize| parts.get(n).copied().unwrap_or_default().to_owned();
        ResourcePath {
            verb,
            group: part(0),
            version: part(1),
            namespace: part(2),
            resource: part(3),
            name: part(4),
            subresource: part(5),
            rest: part(6),
        }
    }

    #[test]
    fn rows_serve_their_paths_and_no_others() {
        let table: &[(Verb, &str, u16)] = &[
            (Verb::List, "/v1/ns/configmaps", 200),
            (Verb::List, "/v1//configmaps", 200),
            (Verb::Watch, "/v1//configmaps", 200),
            (Verb::Get, "/v1/ns/configmaps/a", 200),
            (Verb::Get, "/v1//configmaps/a", 404),
            (Verb::Create, "/v1/ns/configmaps", 200),
            (Verb::Create, "/v1//configmaps", 405),
            (Verb::Create, "/v1/ns/configmaps/a", 405),
            (Verb::DeleteCollection, "/v1//configmaps", 405),
            (Verb::Update, "/v1/ns/configmaps", 405),
            (Verb::Get, "/v1/ns/configmaps/a/status", 404),
            (Verb::Get, "/v1/ns/configmaps/a/log", 404),
            (Verb::Get, "/v2/ns/configmaps/a", 404),
            (Verb::Get, "/v1//namespaces/a", 200),
            (Verb::Update, "/v1//namespaces/a/finalize", 200),
            (Verb::Patch, "/v1//namespaces/a/status", 200),
            (Verb::Delete, "/v1//namespaces/a/status", 405),
            (Verb::Get, "/v1/ns/namespaces/a", 404),
            (Verb::Patch, "apps/v1/ns/deployments/d/scale", 200),
            (Verb::Get, "apps/v1/ns/deployments/d/status/x", 404),
            (Verb::List, "apps/v1/ns/nonsense", 404),
        ];
        let rows = builtin_rows(BuiltinHooks {
            strategy: |_, _| Arc::new(crate::kinds::Plain),
            columns: |_, _| Vec::new(),
        });
        let kinds = crate::kinds::Kinds::new(rows);
        for (verb, uri, want) in table {
            let path = asked(*verb, uri);
            let found = kinds
                .resource(&path.group, &path.resource)
                .and_then(|kind| Some((kind, kind.version(&path.version)?)));
            let got = match found {
                Some((kind, version)) => {
                    check(kind, version, &path).map_or_else(|e| e.code.as_u16(), |()| 200)
                }
                None => 404,
            };
            assert_eq!(got, *want, "{} {uri}", verb.as_str());
        }
    }
}
