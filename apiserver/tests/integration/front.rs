//! What every request meets before a verb: credentials, health, limits, extensions, shutdown.

use std::sync::Arc;
use std::time::Duration;

use apiserver::http::{Body, Extension, Limits, json};
use apiserver::request::UserInfo;
use async_trait::async_trait;
use http::{Request, Response, StatusCode};
use serde_json::json;

use crate::harness::TestServer;

#[tokio::test]
async fn health_and_version_need_no_credential_and_nothing_else_goes_without() {
    let server = TestServer::start().await;
    let nobody = server.anonymous();
    for path in ["/healthz", "/livez", "/readyz", "/readyz/ping"] {
        let answer = nobody.get(path).await;
        assert_eq!((answer.code, answer.text().as_str()), (200, "ok"), "{path}");
    }
    assert_eq!(nobody.get("/version").await.json()["minor"], "35");
    for path in ["/api", "/api/v1/namespaces", "/nonsense", "/metrics"] {
        let answer = nobody.get(path).await;
        assert_eq!(answer.code, 403, "{path}");
        assert_eq!(answer.json()["reason"], "Forbidden");
    }
    let stranger = server.anonymous().with_token("wrong");
    assert_eq!(stranger.get("/version").await.code, 401);
    server.stop().await;
}

#[tokio::test]
async fn users_come_by_token_and_by_certificate() {
    let server = TestServer::start_with(|b| b.extension(Arc::new(WhoAmI))).await;
    let who = server.client().get("/whoami/x").await.json();
    assert_eq!(
        who,
        json!({"name": "tester", "groups": ["testers", "system:authenticated"]})
    );
    let identity = server
        .handle
        .certificates()
        .issue_client("alice", "dev")
        .unwrap();
    let alice = server.anonymous().with_certificate(identity);
    let who = alice.get("/whoami").await.json();
    assert_eq!(
        who,
        json!({"name": "alice", "groups": ["dev", "system:authenticated"]})
    );
    let other = TestServer::start().await;
    let foreign = other
        .handle
        .certificates()
        .issue_client("alice", "dev")
        .unwrap();
    let answer = server
        .anonymous()
        .with_certificate(foreign)
        .get("/whoami")
        .await;
    assert_eq!(answer.code, 401);
    let headers = [("impersonate-user", "bob"), ("impersonate-group", "ops")];
    let who = server.client().get_with("/whoami", &headers).await.json();
    assert_eq!(
        who,
        json!({"name": "bob", "groups": ["ops", "system:authenticated"]})
    );
    other.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn unknown_things_are_a_404_status_and_wrong_methods_a_405() {
    let server = TestServer::start().await;
    let client = server.client();
    for path in [
        "/api/v1/nonsense",
        "/apis/none.example/v1/things",
        "/nonsense",
        "/api/v1/namespaces/default/configmaps/a/log",
    ] {
        let answer = client.get(path).await;
        assert_eq!(answer.code, 404, "{path}");
        let status = answer.json();
        assert_eq!(status["kind"], "Status");
        assert_eq!(
            status["message"],
            "the server could not find the requested resource"
        );
    }
    let answer = client
        .send_json("PUT", "/api/v1/namespaces", &json!({}))
        .await;
    assert_eq!(
        (answer.code, &answer.json()["reason"]),
        (405, &"MethodNotAllowed".into())
    );
    let answer = client
        .send_json("OPTIONS", "/api/v1/pods", &json!({}))
        .await;
    assert_eq!(answer.code, 405);
    assert!(!answer.header("audit-id").is_empty());
    let answer = client.get_with("/nonsense", &[("audit-id", "mine")]).await;
    assert_eq!(answer.header("audit-id"), "mine");
    server.stop().await;
}

#[tokio::test]
async fn long_bodies_slow_handlers_and_panics_are_answered() {
    let limits = Limits {
        request_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let server =
        TestServer::start_with(|b| b.limits(limits).extension(Arc::new(Troublesome))).await;
    let client = server.client();
    let big = json!({"data": "x".repeat(4 * 1024 * 1024)});
    let answer = client
        .send_json("POST", "/api/v1/namespaces/default/configmaps", &big)
        .await;
    assert_eq!(
        (answer.code, &answer.json()["reason"]),
        (413, &"RequestEntityTooLarge".into())
    );
    let answer = client.get("/trouble/slow").await;
    assert_eq!(
        (answer.code, &answer.json()["reason"]),
        (504, &"Timeout".into())
    );
    let answer = client.get("/trouble/panic").await;
    assert_eq!(
        (answer.code, &answer.json()["reason"]),
        (500, &"InternalError".into())
    );
    let metrics = client.get("/metrics").await.text();
    for name in ["apiserver_request_total", "apiserver_storage_revision"] {
        assert!(metrics.contains(name), "{name}");
    }
    server.stop().await;
}

#[tokio::test]
async fn too_many_at_once_are_told_to_come_back() {
    let limits = Limits {
        reads: 1,
        ..Limits::default()
    };
    let server =
        TestServer::start_with(|b| b.limits(limits).extension(Arc::new(Troublesome))).await;
    let client = server.client();
    let slow = client.get("/trouble/slow");
    let next = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        client.get("/trouble/none").await
    };
    let (_, refused) = tokio::join!(slow, next);
    assert_eq!(refused.code, 429);
    assert_eq!(refused.header("retry-after"), "1");
    server.stop().await;
}

#[tokio::test]
async fn many_servers_live_in_one_process_and_end_on_their_own() {
    let (a, b, c) = tokio::join!(
        TestServer::start(),
        TestServer::start(),
        TestServer::start()
    );
    let client = a.client();
    a.stop().await;
    assert_eq!(b.anonymous().get("/readyz").await.code, 200);
    assert!(
        tokio::net::TcpStream::connect(client_address(&client.url("")))
            .await
            .is_err()
    );
    b.stop().await;
    c.stop().await;
}

/// Upgraded connections have no pings of their own: the kernel asks, or those of vanished clients stay for ever.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn clients_that_vanish_are_noticed() {
    let server = TestServer::start().await;
    let address = client_address(&server.client().url(""));
    let client = tokio::net::TcpStream::connect(address).await.unwrap();
    let ends = [client.peer_addr(), client.local_addr()]
        .map(|end| format!("0100007F:{:04X}", end.unwrap().port()));
    // The sixth column tells which timer runs: 02 is the one of keep-alive.
    let asks = || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        table.lines().any(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            columns.get(1..3) == Some(&[&*ends[0], &*ends[1]][..]) && columns[5].starts_with("02:")
        })
    };
    for _ in 0..100 {
        if asks() {
            return server.stop().await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server's kernel asks nothing");
}

fn client_address(url: &str) -> String {
    url.replace("https://localhost", "127.0.0.1")
}

/// Tells who asks.
pub(crate) struct WhoAmI;

#[async_trait]
impl Extension for WhoAmI {
    fn prefixes(&self) -> Vec<String> {
        vec!["/whoami".to_owned()]
    }

    async fn handle(&self, _: Request<Body>, user: UserInfo) -> Response<Body> {
        json(
            StatusCode::OK,
            &json!({"name": user.name, "groups": user.groups}),
        )
    }
}

struct Troublesome;

#[async_trait]
impl Extension for Troublesome {
    fn prefixes(&self) -> Vec<String> {
        vec!["/trouble".to_owned()]
    }

    async fn handle(&self, request: Request<Body>, _: UserInfo) -> Response<Body> {
        match request.uri().path() {
            "/trouble/slow" => tokio::time::sleep(Duration::from_millis(800)).await,
            "/trouble/panic" => panic!("as asked"),
            _ => {}
        }
        json(StatusCode::OK, &json!({}))
    }
}
