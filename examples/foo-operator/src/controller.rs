//! Watches Foos and Pods, and writes the status of Foos.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::runtime::Controller;
use kube::runtime::controller::{self, Action};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tracing::{debug, info, warn};

use crate::Foo;
use crate::mood::{is_friend, mood_change};

/// The field manager of the operator's writes.
const FIELD_MANAGER: &str = "foo-operator";

/// Every Foo is looked at again after this time. Events make it prompt; this makes it right even if the deletion of a Pod
/// fell into a break of the watch.
const FULL_PASS: Duration = Duration::from_secs(300);

/// After a failed reconcile.
const RETRY: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
enum ReconcileError {
    #[error("cannot look for the friend {friend:?}")]
    LookForFriend { friend: String, source: kube::Error },
    #[error("cannot write the status")]
    WriteStatus(#[source] kube::Error),
}

/// Runs the operator for all namespaces of one cluster until `shutdown` resolves; reconciles under way are finished first.
///
/// Failures never end it: a cluster that cannot be reached, or that lacks the definition ([`crate::crd`]), is tried again
/// with backoff. The client needs `get`, `list`, `watch` on `foos` and `pods`, and `patch` on `foos/status`.
pub async fn run(client: Client, shutdown: impl Future<Output = ()>) {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let foos = Controller::new(Api::<Foo>::all(client.clone()), watcher::Config::default());
    let known = foos.store();
    // Only names matter, so only metadata is asked for.
    let pods = Api::<PartialObjectMeta<Pod>>::all(client.clone());
    let reconciles = foos
        .watches(pods, watcher::Config::default(), move |pod| {
            looking_for(&known, &pod)
        })
        .graceful_shutdown_on(async move {
            // A dropped sender stops too: nobody is left who could want the operator.
            stopped.await.ok();
        })
        .run(reconcile, on_error, Arc::new(client))
        .for_each(async |outcome| match outcome {
            Ok((foo, _)) => debug!(%foo, "reconciled"),
            // Logged by `on_error` already.
            Err(controller::Error::ReconcilerFailed(..)) => {}
            Err(error) => warn!(error = &error as &dyn std::error::Error, "cannot watch"),
        });
    let mut reconciles = std::pin::pin!(reconciles);
    info!("foo-operator runs");
    tokio::select! {
        () = &mut reconciles => return,
        () = shutdown => {}
    }
    if stop.send(()).is_ok() {
        reconciles.await;
    }
    info!("foo-operator stopped");
}

/// The Foos whose friend a Pod is.
fn looking_for(known: &Store<Foo>, pod: &PartialObjectMeta<Pod>) -> Vec<ObjectRef<Foo>> {
    let (name, namespace) = (
        pod.metadata.name.as_deref(),
        pod.metadata.namespace.as_deref(),
    );
    let mut friends = known.state();
    friends.retain(|foo| is_friend(foo, name, namespace));
    friends
        .iter()
        .map(|foo| ObjectRef::from_obj(foo.as_ref()))
        .collect()
}

async fn reconcile(foo: Arc<Foo>, client: Arc<Client>) -> Result<Action, ReconcileError> {
    if foo.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let namespace = foo.namespace().unwrap_or_default();
    let pods = Api::<PartialObjectMeta<Pod>>::namespaced(client.as_ref().clone(), &namespace);
    let friend =
        pods.get_opt(&foo.spec.name)
            .await
            .map_err(|source| ReconcileError::LookForFriend {
                friend: foo.spec.name.clone(),
                source,
            })?;
    if let Some(mood) = mood_change(&foo, friend.is_some()) {
        let foos = Api::<Foo>::namespaced(client.as_ref().clone(), &namespace);
        let patch = Patch::Merge(json!({"status": mood}));
        let parameters = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        foos.patch_status(&foo.name_any(), &parameters, &patch)
            .await
            .map_err(ReconcileError::WriteStatus)?;
        info!(%namespace, foo = foo.name_any(), friend = foo.spec.name, happy = mood.happy, "mood changed");
    }
    Ok(Action::requeue(FULL_PASS))
}

fn on_error(foo: Arc<Foo>, error: &ReconcileError, _: Arc<Client>) -> Action {
    let error: &dyn std::error::Error = error;
    warn!(
        namespace = foo.namespace(),
        foo = foo.name_any(),
        error,
        "will try again"
    );
    Action::requeue(RETRY)
}
