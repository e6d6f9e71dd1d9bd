//! Owners and dependents to their end, with the real collector on a store in memory.

use serde_json::json;

use crate::control::testing::{CONFIGMAPS, Running, owned_by, reference};

async fn ready() -> Running {
    let running = Running::start().await;
    running.namespace("ns").await;
    running
}

#[tokio::test]
async fn dependents_follow_their_owner_in_the_background() {
    let running = ready().await;
    let owner = running.configmap("owner", json!({})).await;
    let child = running.configmap("child", owned_by(&owner, false)).await;
    running
        .configmap("grandchild", owned_by(&child, false))
        .await;
    running.configmap("stranger", json!({})).await;
    running.delete("owner", "Background").await.unwrap();
    assert!(running.get(CONFIGMAPS, "owner").await.is_none());
    running.until_gone(CONFIGMAPS, "grandchild").await;
    assert!(running.get(CONFIGMAPS, "child").await.is_none());
    assert!(running.get(CONFIGMAPS, "stranger").await.is_some());
}

#[tokio::test]
async fn an_object_with_another_owner_stays_and_forgets_the_one_that_went() {
    let running = ready().await;
    let first = running.configmap("first", json!({})).await;
    let second = running.configmap("second", json!({})).await;
    let both = json!({"ownerReferences": [reference(&first, false), reference(&second, false)]});
    running.configmap("child", both).await;
    running.delete("first", "Background").await.unwrap();
    running
        .until("the reference is gone", || async {
            let child = running.get(CONFIGMAPS, "child").await.expect("it stays");
            child["metadata"]["ownerReferences"] == json!([reference(&second, false)])
        })
        .await;
}

#[tokio::test]
async fn an_owner_in_the_foreground_waits_for_what_blocks_it() {
    let running = ready().await;
    let owner = running.configmap("owner", json!({})).await;
    let mut held = owned_by(&owner, true);
    held["finalizers"] = json!(["example.com/hold"]);
    running.configmap("held", held).await;
    running.configmap("child", owned_by(&owner, true)).await;
    let answer = running.delete("owner", "Foreground").await.unwrap();
    assert_eq!(
        answer["metadata"]["finalizers"],
        json!(["foregroundDeletion"])
    );
    running.until_gone(CONFIGMAPS, "child").await;
    running
        .until("the held dependent is marked", || async {
            let held = running.get(CONFIGMAPS, "held").await.unwrap();
            held["metadata"]["deletionTimestamp"].is_string()
        })
        .await;
    assert!(running.get(CONFIGMAPS, "owner").await.is_some());
    let mut held = running.get(CONFIGMAPS, "held").await.unwrap();
    held["metadata"]["finalizers"] = json!([]);
    running.client.update(CONFIGMAPS, &held).await.unwrap();
    running.until_gone(CONFIGMAPS, "owner").await;
}

#[tokio::test]
async fn owners_in_a_circle_do_not_wait_for_each_other() {
    let running = ready().await;
    let a = running.configmap("a", json!({})).await;
    let b = running.configmap("b", owned_by(&a, true)).await;
    let mut a = running.get(CONFIGMAPS, "a").await.unwrap();
    a["metadata"]["ownerReferences"] = json!([reference(&b, true)]);
    running.client.update(CONFIGMAPS, &a).await.unwrap();
    running.delete("a", "Foreground").await.unwrap();
    running.until_gone(CONFIGMAPS, "a").await;
    running.until_gone(CONFIGMAPS, "b").await;
}

#[tokio::test]
async fn orphans_stay_without_their_owner() {
    let running = ready().await;
    let owner = running.configmap("owner", json!({})).await;
    running.configmap("child", owned_by(&owner, true)).await;
    running.delete("owner", "Orphan").await.unwrap();
    running.until_gone(CONFIGMAPS, "owner").await;
    let child = running.get(CONFIGMAPS, "child").await.unwrap();
    assert!(child["metadata"]["ownerReferences"].is_null());
    assert!(child["metadata"]["deletionTimestamp"].is_null());
}

#[tokio::test]
async fn an_owner_of_another_uid_is_no_owner_and_an_unknown_kind_is_left_alone() {
    let running = ready().await;
    let mut ghost = running.configmap("owner", json!({})).await;
    let mut foreign = ghost.clone();
    ghost["metadata"]["uid"] = "another".into();
    foreign["apiVersion"] = "example.com/v1".into();
    foreign["kind"] = "Nothing".into();
    running
        .configmap("foreign", owned_by(&foreign, false))
        .await;
    running.configmap("ghost", owned_by(&ghost, false)).await;
    running.until_gone(CONFIGMAPS, "ghost").await;
    assert!(running.get(CONFIGMAPS, "foreign").await.is_some());
}
