//! Watches over raw HTTPS, and what the end of the server does to them.

use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::harness::TestServer;

/// The next event of a watch; `None` at its end.
async fn next(body: &mut hyper::body::Incoming, rest: &mut Vec<u8>) -> Option<Value> {
    loop {
        if let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            return Some(serde_json::from_slice(&line).unwrap());
        }
        match body.frame().await {
            Some(frame) => rest.extend_from_slice(&frame.unwrap().into_data().unwrap()),
            None => return None,
        }
    }
}

#[tokio::test]
async fn a_watch_sees_every_change_in_order_and_ends_cleanly_with_the_server() {
    let server = TestServer::start().await;
    let client = server.client();
    let path = "/api/v1/namespaces/default/configmaps";
    let list = client.get(path).await.json();
    let revision = list["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned();
    let watch = client
        .watch(&format!("{path}?watch=true&resourceVersion={revision}"))
        .await;
    assert_eq!(watch.status(), 200);
    let mut body = watch.into_body();
    let mut rest = Vec::new();
    let object = json!({"metadata": {"name": "a"}, "data": {"k": "1"}});
    let created = client.send_json("POST", path, &object).await;
    assert_eq!(created.code, 201, "{}", created.text());
    let mut changed = created.json();
    changed["data"]["k"] = "2".into();
    let updated = client
        .send_json("PUT", &format!("{path}/a"), &changed)
        .await;
    assert_eq!(updated.code, 200, "{}", updated.text());
    let deleted = client
        .send_json("DELETE", &format!("{path}/a"), &json!({}))
        .await;
    assert_eq!(deleted.code, 200, "{}", deleted.text());
    let mut last = revision.parse::<u64>().unwrap();
    for kind in ["ADDED", "MODIFIED", "DELETED"] {
        let event = next(&mut body, &mut rest).await.unwrap();
        assert_eq!(event["type"], kind);
        assert_eq!(event["object"]["kind"], "ConfigMap");
        let at = event["object"]["metadata"]["resourceVersion"]
            .as_str()
            .unwrap();
        let at: u64 = at.parse().unwrap();
        assert!(at > last);
        last = at;
    }
    let stop = tokio::spawn(server.stop());
    assert_eq!(next(&mut body, &mut rest).await, None);
    stop.await.unwrap();
}
