//! Namespaces from their creation to their end, with the real controller on a store in memory.

use serde_json::json;

use crate::control::testing::{CONFIGMAPS, NAMESPACES, Running};
use crate::local::Gvr;

const ACCOUNTS: Gvr<'static> = Gvr::new("", "v1", "serviceaccounts");

#[tokio::test]
async fn a_namespace_gets_its_defaults_and_gets_them_back() {
    let running = Running::start().await;
    running.namespace("ns").await;
    let there = || async {
        let bundle = running.get(CONFIGMAPS, "kube-root-ca.crt").await;
        running.get(ACCOUNTS, "default").await.is_some()
            && bundle.is_some_and(|b| b["data"]["ca.crt"] == "CA")
    };
    running.until("defaults are made", there).await;
    running
        .delete("kube-root-ca.crt", "Background")
        .await
        .unwrap();
    running.until("the deleted one is back", there).await;
    let mut bundle = running.get(CONFIGMAPS, "kube-root-ca.crt").await.unwrap();
    bundle["data"] = json!({"ca.crt": "forged"});
    running.client.update(CONFIGMAPS, &bundle).await.unwrap();
    running.until("the changed one is put right", there).await;
}

#[tokio::test]
async fn a_deleted_namespace_takes_everything_with_it() {
    let running = Running::start().await;
    running.namespace("ns").await;
    for n in 0..150 {
        running.configmap(&format!("c{n}"), json!({})).await;
    }
    let deleted = running
        .client
        .delete(NAMESPACES, "", "ns", &json!({}))
        .await;
    assert_eq!(deleted.unwrap()["status"]["phase"], "Terminating");
    running.until_gone(NAMESPACES, "ns").await;
    let left = running.client.api().cache.list("/configmaps");
    assert_eq!(left.objects.len(), 0);
}

#[tokio::test]
async fn what_finalizers_hold_is_named_and_waited_for() {
    let running = Running::start().await;
    running.namespace("ns").await;
    running
        .configmap("held", json!({"finalizers": ["example.com/hold"]}))
        .await;
    running
        .client
        .delete(NAMESPACES, "", "ns", &json!({}))
        .await
        .unwrap();
    running
        .until("conditions name the finalizer", || async {
            let namespace = running.get(NAMESPACES, "ns").await.unwrap();
            let conditions = namespace["status"]["conditions"].as_array().cloned();
            conditions.unwrap_or_default().iter().any(|condition| {
                condition["message"]
                    == "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
            })
        })
        .await;
    let late = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}});
    let error = running
        .client
        .create(CONFIGMAPS, "ns", &late)
        .await
        .unwrap_err();
    assert_eq!(error.reason, "Forbidden");
    assert_eq!(error.details.causes[0].reason, "NamespaceTerminating");
    let mut held = running.get(CONFIGMAPS, "held").await.unwrap();
    held["metadata"]["finalizers"] = json!([]);
    running.client.update(CONFIGMAPS, &held).await.unwrap();
    running.until_gone(NAMESPACES, "ns").await;
}
