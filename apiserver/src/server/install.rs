//! What must exist before a server is ready: the system namespaces and the embedding program's CRDs.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::start::StartError;
use crate::local::{Gvr, LocalClient};
use crate::object;
use crate::status::ApiError;

const CRDS: Gvr<'static> = Gvr::new("apiextensions.k8s.io", "v1", "customresourcedefinitions");
/// A CRD of ours that is not served after this long never will be.
const PATIENCE: Duration = Duration::from_secs(30);
/// So long the store may be away before a start fails: the supervisor would only start the server again.
const STORE_PATIENCE: Duration = Duration::from_secs(30);
/// Until a store that is away is asked again.
const PAUSE: Duration = Duration::from_millis(200);
/// A write that lost against another one is tried so often.
const TRIES: usize = 10;

/// The namespaces that every cluster has.
pub(super) fn system_namespaces() -> Vec<Value> {
    ["default", "kube-node-lease", "kube-public", "kube-system"]
        .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        .to_vec()
}

/// Creates or updates CRDs, and waits until each is served.
pub(super) async fn crds(client: &LocalClient, crds: &[Value]) -> Result<(), StartError> {
    for crd in crds {
        let failed = |source| StartError::Install {
            what: format!("CustomResourceDefinition {}", object::name(crd)),
            source,
        };
        patiently(async || ensure(client, crd).await)
            .await
            .map_err(failed)?;
    }
    for crd in crds {
        let name = object::name(crd);
        let failed = |source| StartError::Install {
            what: format!("CustomResourceDefinition {name}"),
            source,
        };
        patiently(async || served(client, name).await)
            .await
            .map_err(failed)?;
    }
    Ok(())
}

/// Creates objects that do not exist yet.
pub(super) async fn objects(client: &LocalClient, objects: &[Value]) -> Result<(), StartError> {
    for object in objects {
        match patiently(async || create(client, object).await).await {
            Ok(()) => {}
            Err(error) if error.reason == "AlreadyExists" => {}
            Err(source) => {
                return Err(StartError::Install {
                    what: format!("{} {}", object["kind"], object::name(object)),
                    source,
                });
            }
        }
    }
    Ok(())
}

/// Asks again while the store is away.
async fn patiently<T>(mut ask: impl AsyncFnMut() -> Result<T, ApiError>) -> Result<T, ApiError> {
    let deadline = Instant::now() + STORE_PATIENCE;
    loop {
        match ask().await {
            Err(error) if is_away(&error) && Instant::now() < deadline => {
                tracing::warn!(%error, "the store is away during the start; trying again");
                tokio::time::sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Whether the store could not answer, or could not in time.
fn is_away(error: &ApiError) -> bool {
    matches!(
        error.code,
        http::StatusCode::SERVICE_UNAVAILABLE | http::StatusCode::GATEWAY_TIMEOUT
    )
}

async fn create(client: &LocalClient, object: &Value) -> Result<(), ApiError> {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let kinds = client.api().registry.kinds();
    let kind = kinds
        .by_kind(group, object["kind"].as_str().unwrap_or_default())
        .ok_or_else(ApiError::no_such_path)?;
    let gvr = Gvr::new(group, version, &kind.plural);
    client
        .create(gvr, object::namespace(object), object)
        .await
        .map(|_| ())
}

async fn ensure(client: &LocalClient, crd: &Value) -> Result<(), ApiError> {
    let name = object::name(crd);
    let mut last = None;
    for _ in 0..TRIES {
        let written = match client.get(CRDS, "", name).await {
            Ok(current) => client.update(CRDS, &merged(current, crd)).await,
            Err(error) if error.code == http::StatusCode::NOT_FOUND => {
                client.create(CRDS, "", crd).await
            }
            Err(error) => Err(error),
        };
        match written {
            Ok(_) => return Ok(()),
            Err(error) if error.code == http::StatusCode::CONFLICT => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| ApiError::internal("no try was made")))
}

/// The current CRD with the wanted spec, and the wanted labels and annotations added.
fn merged(mut current: Value, wanted: &Value) -> Value {
    current["spec"] = wanted["spec"].clone();
    for field in ["labels", "annotations"] {
        let Some(entries) = wanted["metadata"][field].as_object() else {
            continue;
        };
        let metadata = object::metadata_mut(&mut current);
        for (key, value) in entries {
            metadata.entry(field).or_insert_with(|| json!({}))[key] = value.clone();
        }
    }
    current
}

/// Waits until the CRD is Established and the table has its row.
async fn served(client: &LocalClient, name: &str) -> Result<(), ApiError> {
    let mut changes = client.api().registry.changes();
    let wait = async {
        loop {
            let crd = client.get(CRDS, "", name).await?;
            if is_served(client, &crd) {
                return Ok(());
            }
            let pause = tokio::time::sleep(Duration::from_millis(20));
            tokio::select! {
                _ = changes.changed() => {}
                () = pause => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_| Err(ApiError::timeout("the CRD was not established in time", 0)))
}

fn is_served(client: &LocalClient, crd: &Value) -> bool {
    let text = |pointer: &str| {
        crd.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let established = crd
        .pointer("/status/conditions")
        .and_then(Value::as_array)
        .is_some_and(|conditions| {
            conditions
                .iter()
                .any(|c| c["type"] == "Established" && c["status"] == "True")
        });
    let kinds = client.api().registry.kinds();
    established
        && kinds
            .resource(text("/spec/group"), text("/spec/names/plural"))
            .is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_keeps_what_others_set() {
        let current = json!({"metadata": {"name": "x", "resourceVersion": "3",
            "labels": {"a": "1", "b": "1"}}, "spec": {"old": true}, "status": {"s": 1}});
        let wanted = json!({"metadata": {"name": "x", "labels": {"b": "2"},
            "annotations": {"c": "3"}}, "spec": {"new": true}});
        assert_eq!(
            merged(current, &wanted),
            json!({"metadata": {"name": "x", "resourceVersion": "3",
                "labels": {"a": "1", "b": "2"}, "annotations": {"c": "3"}},
                "spec": {"new": true}, "status": {"s": 1}})
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_waits_for_a_store_that_is_away_and_for_nothing_else() {
        let mut asked = 0;
        let came = patiently(async || {
            asked += 1;
            match asked {
                1 => Err(ApiError::unavailable("away")),
                2 => Err(ApiError::timeout("unknown", 1)),
                _ => Ok(asked),
            }
        });
        assert_eq!(came.await.unwrap(), 3);
        let begun = Instant::now();
        let away = patiently(async || Err::<(), _>(ApiError::unavailable("away"))).await;
        assert!(is_away(&away.unwrap_err()));
        assert!(begun.elapsed() >= STORE_PATIENCE);
        let begun = Instant::now();
        let wrong = patiently(async || Err::<(), _>(ApiError::bad_request("wrong"))).await;
        assert!(!is_away(&wrong.unwrap_err()));
        assert!(begun.elapsed() < PAUSE);
    }
}
