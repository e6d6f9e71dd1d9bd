//! Definitions from their creation to their end, on a store in memory.

use std::sync::Arc;
use std::time::Duration;

use apiserver_store::{Action, Expect, Key, Mutation};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::CrdController;
use crate::api::Api;
use crate::cache::CacheOptions;
use crate::kinds::custom::{CRD_FINALIZER, CRD_RESOURCE, condition_is_true};
use crate::object::encode;
use crate::request::Verb;
use crate::testing;

pub(super) async fn api() -> Api {
    testing::api_of(testing::plain_kinds(), CacheOptions::default()).await
}

fn builtin(api: &Api) -> Vec<Arc<crate::kinds::Kind>> {
    api.registry.kinds().iter().cloned().collect()
}

fn crd(plural: &str, kind: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.example.org"), "uid": format!("uid-{plural}"), "finalizers": [CRD_FINALIZER]},
        "spec": {
            "group": "example.org", "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List")},
            "conversion": {"strategy": "None"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                    "x-kubernetes-validations": [{"rule": "true"}]}}}],
        },
    })
}

fn instance(name: &str, finalizers: &[&str]) -> Value {
    json!({"apiVersion": "example.org/v1", "kind": "Foo", "metadata": {"name": name, "namespace": "d", "finalizers": finalizers}})
}

async fn create(api: &Api, resource: &str, namespace: &str, object: &Value) {
    let key = Key::new(resource, namespace, crate::object::name(object));
    api.store
        .commit(Mutation {
            key,
            expect: Expect::Absent,
            action: Action::Put(encode(object)),
        })
        .await
        .unwrap();
}

async fn change(
    api: &Api,
    resource: &str,
    namespace: &str,
    name: &str,
    f: impl FnOnce(&mut Value),
) {
    api.cache.fresh().await.unwrap();
    let object = api.cache.get(resource, namespace, name).unwrap();
    let mut value = object.to_value();
    f(&mut value);
    let done =
        crate::object::is_terminating(&value) && crate::object::finalizers(&value).is_empty();
    let action = if done {
        Action::Delete(encode(&value))
    } else {
        Action::Put(encode(&value))
    };
    let write = Mutation {
        key: object.key.clone(),
        expect: Expect::Revision(object.revision),
        action,
    };
    api.store.commit(write).await.unwrap();
}

fn status(api: &Api, name: &str) -> Value {
    api.cache
        .get(CRD_RESOURCE, "", name)
        .map(|object| object.to_value())
        .unwrap_or_default()
}

async fn until(what: &str, f: impl Fn() -> bool) {
    for _ in 0..400 {
        if f() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}

pub(super) fn start(api: &Api) -> CancellationToken {
    let stop = CancellationToken::new();
    tokio::spawn(CrdController::new(api.clone(), builtin(api)).run(stop.clone()));
    stop
}

#[tokio::test]
async fn a_definition_is_served_and_then_established() {
    let api = api().await;
    let _stop = start(&api).drop_guard();
    create(&api, CRD_RESOURCE, "", &crd("foos", "Foo")).await;
    until("established", || {
        condition_is_true(&status(&api, "foos.example.org"), "Established")
    })
    .await;
    let row = api
        .registry
        .kinds()
        .resource("example.org", "foos")
        .cloned()
        .unwrap();
    assert_eq!(&*row.kind, "Foo");
    assert!(
        api.registry
            .kinds()
            .resource("apps", "deployments")
            .is_some()
    );
    let crd = status(&api, "foos.example.org");
    assert!(condition_is_true(&crd, "NamesAccepted"));
    assert_eq!(crd["status"]["storedVersions"], json!(["v1"]));
    assert_eq!(crd["status"]["acceptedNames"]["plural"], "foos");
    let told = crate::kinds::custom::condition(&crd, "ValidationRulesEvaluated").unwrap();
    assert_eq!(told["status"], "False");
}

#[tokio::test]
async fn what_was_there_is_served_before_the_server_is_ready() {
    let api = api().await;
    create(&api, CRD_RESOURCE, "", &crd("foos", "Foo")).await;
    api.cache.fresh().await.unwrap();
    CrdController::new(api.clone(), builtin(&api))
        .settle()
        .await;
    assert!(
        api.registry
            .kinds()
            .resource("example.org", "foos")
            .is_some()
    );
}

#[tokio::test]
async fn a_name_that_comes_free_goes_to_who_waits() {
    let api = api().await;
    let _stop = start(&api).drop_guard();
    create(&api, CRD_RESOURCE, "", &crd("foos", "Foo")).await;
    until("first", || {
        condition_is_true(&status(&api, "foos.example.org"), "Established")
    })
    .await;
    create(&api, CRD_RESOURCE, "", &crd("others", "Foo")).await;
    until("refused", || {
        status(&api, "others.example.org")
            .pointer("/status/conditions/0")
            .is_some()
    })
    .await;
    let waiting = status(&api, "others.example.org");
    assert_eq!(
        crate::kinds::custom::condition(&waiting, "NamesAccepted").unwrap()["reason"],
        "ListKindConflict"
    );
    assert!(
        api.registry
            .kinds()
            .resource("example.org", "others")
            .is_none()
    );
    change(&api, CRD_RESOURCE, "", "foos.example.org", |crd| {
        crd["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    })
    .await;
    until("accepted", || {
        condition_is_true(&status(&api, "others.example.org"), "Established")
    })
    .await;
    assert!(
        api.registry
            .kinds()
            .resource("example.org", "foos")
            .is_none()
    );
    assert!(
        api.registry
            .kinds()
            .resource("example.org", "others")
            .is_some()
    );
}

#[tokio::test]
async fn a_definition_goes_when_its_objects_are_gone() {
    let api = api().await;
    let _stop = start(&api).drop_guard();
    create(&api, CRD_RESOURCE, "", &crd("foos", "Foo")).await;
    until("established", || {
        condition_is_true(&status(&api, "foos.example.org"), "Established")
    })
    .await;
    create(&api, "example.org/foos", "d", &instance("a", &[])).await;
    create(
        &api,
        "example.org/foos",
        "d",
        &instance("held", &["me/first"]),
    )
    .await;
    change(&api, CRD_RESOURCE, "", "foos.example.org", |crd| {
        crd["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    })
    .await;
    let marked = |api: &Api| {
        api.cache
            .get("example.org/foos", "d", "held")
            .is_some_and(|o| o.meta.deletion_timestamp.is_some())
    };
    until("marked", || marked(&api)).await;
    assert!(api.cache.get("example.org/foos", "d", "a").is_none());
    assert!(condition_is_true(
        &status(&api, "foos.example.org"),
        "Terminating"
    ));
    let row = api
        .registry
        .kinds()
        .resource("example.org", "foos")
        .cloned()
        .unwrap();
    assert!(!row.verbs.contains(&Verb::Create));
    change(&api, "example.org/foos", "d", "held", |object| {
        object["metadata"]["finalizers"] = json!([])
    })
    .await;
    until("gone", || {
        api.cache
            .get(CRD_RESOURCE, "", "foos.example.org")
            .is_none()
    })
    .await;
    until("not served", || {
        api.registry
            .kinds()
            .resource("example.org", "foos")
            .is_none()
    })
    .await;
}

#[tokio::test]
async fn a_new_definition_starts_without_old_objects() {
    let api = api().await;
    create(&api, "example.org/foos", "d", &instance("ghost", &["x/y"])).await;
    let _stop = start(&api).drop_guard();
    create(&api, CRD_RESOURCE, "", &crd("foos", "Foo")).await;
    until("established", || {
        condition_is_true(&status(&api, "foos.example.org"), "Established")
    })
    .await;
    until("purged", || {
        api.cache.get("example.org/foos", "d", "ghost").is_none()
    })
    .await;
}

#[tokio::test]
async fn a_status_write_does_not_replace_the_table() {
    let api = api().await;
    let _stop = start(&api).drop_guard();
    create(&api, CRD_RESOURCE, "", &crd("foos", "Foo")).await;
    until("established", || {
        condition_is_true(&status(&api, "foos.example.org"), "Established")
    })
    .await;
    let before = api
        .registry
        .kinds()
        .resource("example.org", "foos")
        .unwrap()
        .epoch;
    change(&api, CRD_RESOURCE, "", "foos.example.org", |crd| {
        crd["metadata"]["labels"] = json!({"a": "b"})
    })
    .await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(
        api.registry
            .kinds()
            .resource("example.org", "foos")
            .unwrap()
            .epoch,
        before
    );
    change(&api, CRD_RESOURCE, "", "foos.example.org", |crd| {
        crd["spec"]["names"]["shortNames"] = json!(["f"])
    })
    .await;
    until("new row", || {
        api.registry
            .kinds()
            .resource("example.org", "foos")
            .unwrap()
            .short_names
            == ["f"]
    })
    .await;
}
