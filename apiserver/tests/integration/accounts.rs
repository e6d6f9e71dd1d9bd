//! ServiceAccounts and their tokens.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::front::WhoAmI;
use crate::harness::{Client, TestServer};

/// The Secret once its token is filled in.
async fn filled(client: &Client, path: &str) -> Value {
    for _ in 0..100 {
        let secret = client.get(path).await.json();
        if secret["data"]["token"].is_string() {
            return secret;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{path} was not filled");
}

#[tokio::test]
async fn a_token_secret_is_filled_and_works_until_its_account_is_gone() {
    let server = TestServer::start_with(|b| b.extension(Arc::new(WhoAmI))).await;
    let admin = server.client();
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    let secrets = "/api/v1/namespaces/default/secrets";
    let account = json!({"metadata": {"name": "robot"}});
    let created = admin.send_json("POST", accounts, &account).await;
    assert_eq!(created.code, 201, "{}", created.text());
    let secret = json!({
        "metadata": {
            "name": "robot-token",
            "annotations": {"kubernetes.io/service-account.name": "robot"},
        },
        "type": "kubernetes.io/service-account-token",
    });
    let created = admin.send_json("POST", secrets, &secret).await;
    assert_eq!(created.code, 201, "{}", created.text());
    let secret = filled(&admin, &format!("{secrets}/robot-token")).await;
    let token = STANDARD
        .decode(secret["data"]["token"].as_str().unwrap())
        .unwrap();
    assert_eq!(
        secret["data"]["ca.crt"],
        STANDARD.encode(server.handle.ca_pem())
    );
    let robot = server
        .anonymous()
        .with_token(std::str::from_utf8(&token).unwrap());
    let who = robot.get("/whoami").await.json();
    assert_eq!(who["name"], "system:serviceaccount:default:robot");
    assert_eq!(robot.get(secrets).await.code, 200);
    let gone = admin
        .send_json("DELETE", &format!("{accounts}/robot"), &json!({}))
        .await;
    assert_eq!(gone.code, 200);
    assert_eq!(robot.get(secrets).await.code, 401);
    for _ in 0..100 {
        if admin.get(&format!("{secrets}/robot-token")).await.code == 404 {
            server.stop().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the Secret of a deleted account stays");
}
