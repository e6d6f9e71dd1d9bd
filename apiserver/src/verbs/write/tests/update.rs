//! PUT, as upstream answers it.

use super::*;

const A: &str = "/v1/ns/configmaps/a";

#[tokio::test]
async fn a_stale_revision_or_another_uid_is_a_conflict() {
    let api = world().await;
    let first = post(&api, CONFIGMAPS, configmap("a")).await.unwrap();
    let mut newer = first.clone();
    newer["data"]["n"] = "1".into();
    let second = put(&api, A, newer).await.unwrap();
    assert_ne!(
        second["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
    let error = put(&api, A, first).await.unwrap_err();
    assert_eq!(
        (error.code.as_u16(), error.message.as_str()),
        (
            409,
            "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again"
        )
    );
    let mut another = second.clone();
    another["metadata"]["uid"] = "u".into();
    let error = put(&api, A, another).await.unwrap_err();
    assert!(
        error
            .message
            .contains("Precondition failed: UID in precondition: u, UID in object meta: ")
    );
    assert_eq!(
        put(&api, "/v1/ns/configmaps/b", configmap("b"))
            .await
            .unwrap_err()
            .code,
        404
    );
    let error = put(&api, A, configmap("b")).await.unwrap_err();
    assert_eq!(
        error.message,
        "the name of the object (b) does not match the name on the URL (a)"
    );
}

#[tokio::test]
async fn a_write_that_changes_nothing_moves_nothing() {
    let api = world().await;
    let made = post(&api, DEPLOYMENTS, deployment()).await.unwrap();
    let path = "apps/v1/ns/deployments/web";
    assert_eq!(put(&api, path, made.clone()).await.unwrap(), made);
    assert_eq!(put(&api, path, deployment()).await.unwrap(), made);
}

#[tokio::test]
async fn generation_counts_spec_and_status_is_apart() {
    let api = world().await;
    let made = post(&api, DEPLOYMENTS, deployment()).await.unwrap();
    let path = "apps/v1/ns/deployments/web";
    let mut both = made.clone();
    both["metadata"]["resourceVersion"] = Value::Null;
    both["spec"]["replicas"] = 5.into();
    both["status"] = json!({"replicas": 9});
    let main = put(&api, path, both.clone()).await.unwrap();
    assert_eq!(main["metadata"]["generation"], 2);
    assert!(main["status"]["replicas"].is_null());
    both["spec"]["replicas"] = 7.into();
    let status = put(&api, &format!("{path}/status"), both).await.unwrap();
    assert_eq!(status["metadata"]["generation"], 2);
    assert_eq!(
        (&status["spec"]["replicas"], &status["status"]["replicas"]),
        (&json!(5), &json!(9))
    );
}

#[tokio::test]
async fn what_never_changes_is_kept_or_refused() {
    let api = world().await;
    let made = post(&api, DEPLOYMENTS, deployment()).await.unwrap();
    let path = "apps/v1/ns/deployments/web";
    let mut other = deployment();
    other["spec"]["selector"]["matchLabels"]["app"] = "other".into();
    other["spec"]["template"]["metadata"]["labels"]["app"] = "other".into();
    let error = put(&api, path, other).await.unwrap_err();
    assert_eq!((error.code.as_u16(), error.reason), (422, "Invalid"));
    assert!(
        error.message.contains("spec.selector: Invalid value: "),
        "{}",
        error.message
    );
    assert!(
        error.message.contains("field is immutable"),
        "{}",
        error.message
    );
    let mut late = deployment();
    late["metadata"]["creationTimestamp"] = "2001-01-01T00:00:00Z".into();
    late["metadata"]["generation"] = 77.into();
    assert_eq!(put(&api, path, late).await.unwrap(), made);
}

#[tokio::test]
async fn of_concurrent_writers_each_either_wins_or_is_told() {
    let api = world().await;
    post(&api, CONFIGMAPS, configmap("a")).await.unwrap();
    let increment = |api: Api| async move {
        let mut conflicts = 0;
        loop {
            let mut value = get(&api, A).await.unwrap();
            let n: u64 = value["data"]["n"].as_str().unwrap().parse().unwrap();
            value["data"]["n"] = (n + 1).to_string().into();
            match put(&api, A, value).await {
                Ok(_) => return conflicts,
                Err(error) => {
                    assert_eq!(error.reason, "Conflict");
                    conflicts += 1;
                }
            }
        }
    };
    let writers = (0..32).map(|_| tokio::spawn(increment(api.clone())));
    let conflicts: u32 = futures::future::join_all(writers)
        .await
        .into_iter()
        .map(Result::unwrap)
        .sum();
    assert_eq!(get(&api, A).await.unwrap()["data"]["n"], "32");
    assert!(conflicts > 0, "the test must have made them race");
}
