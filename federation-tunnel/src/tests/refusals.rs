//! Streams and peers that are not served, and that each is counted.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use tokio::io::AsyncWriteExt;

use crate::testing::{Targets, World, hub_address, until};
use crate::transport::{client_builder, server_builder};
use crate::{AllowList, Class, Connector, DialError, DialRefusal, HostPort, Refusal};

#[tokio::test(start_paused = true)]
async fn targets_outside_the_list_are_refused_and_never_dialled() {
    let world = World::new(60);
    let mut config = world.agent_config();
    config.allow = AllowList::default();
    let pair = world.pair(config).await;
    pair.echo(10).await;
    let dialled = world.targets.dialled.load(Ordering::Relaxed);
    for target in [
        "kubernetes.default.svc:1001",
        "169.254.169.254:80",
        "10.0.0.1:443",
        "localhost:443",
    ] {
        let target: HostPort = target.parse().unwrap();
        match pair
            .tunnels
            .dial_local(&pair.cluster, &target, Class::Interactive)
            .await
        {
            Err(DialError::Refused {
                reason: DialRefusal::NotAllowed,
                detail,
            }) => {
                assert!(detail.contains(&target.to_string()), "{detail}");
            }
            other => panic!("{target}: {other:?}"),
        }
    }
    assert_eq!(world.targets.dialled.load(Ordering::Relaxed), dialled);
    assert_eq!(pair.agent.stats().refused(DialRefusal::NotAllowed), 4);
    let failures = pair.tunnels.stats().dial_failures;
    assert!(failures.contains(&("not-allowed", 4)), "{failures:?}");
}

#[tokio::test(start_paused = true)]
async fn targets_that_fail_say_how() {
    let world = World::new(61);
    let pair = world.pair(world.agent_config()).await;
    let refused = pair
        .tunnels
        .dial_local(
            &pair.cluster,
            &Targets::at(Targets::REFUSE),
            Class::Interactive,
        )
        .await;
    assert_eq!(refused.unwrap_err().code(), "unreachable");
    assert_eq!(
        pair.agent.stats().refused(DialRefusal::Unreachable),
        1,
        "one agent is asked once"
    );
    let silent = pair
        .tunnels
        .dial_local(
            &pair.cluster,
            &Targets::at(Targets::SILENT),
            Class::Interactive,
        )
        .await;
    assert_eq!(silent.unwrap_err().code(), "timeout");
}

/// What the hub could send if it were not ours: the agent's own checks, over a bare HTTP/2 connection.
#[tokio::test(start_paused = true)]
async fn the_agent_checks_requests_itself() {
    let world = World::new(62);
    let pair = world.pair(world.agent_config()).await;
    let link = pair.tunnels.links(&pair.cluster).remove(0);
    let ask = async |method: Method, uri: &str, headers: &[(&str, String)]| {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let mut sender = link.sender.clone().ready().await.unwrap();
        let (answer, _) = sender
            .send_request(request.body(()).unwrap(), true)
            .unwrap();
        answer.await
    };
    let own = || ("koinon-cluster", "hz-1".to_owned());
    for (method, uri, headers, refusal) in [
        (
            Method::CONNECT,
            "kubernetes.default.svc:443",
            vec![],
            DialRefusal::ForeignCluster,
        ),
        (
            Method::CONNECT,
            "kubernetes.default.svc:443",
            vec![("koinon-cluster", "sh-1".to_owned())],
            DialRefusal::ForeignCluster,
        ),
        (
            Method::GET,
            "https://kubernetes.default.svc:443/",
            vec![own()],
            DialRefusal::BadTarget,
        ),
        (
            Method::CONNECT,
            "kubernetes.default.svc:0",
            vec![own()],
            DialRefusal::BadTarget,
        ),
        (
            Method::CONNECT,
            "0x7f000001:443",
            vec![own()],
            DialRefusal::BadTarget,
        ),
        (
            Method::CONNECT,
            "kubernetes.default.svc:443",
            vec![own(), ("x", "y".repeat(10_000))],
            DialRefusal::Oversized,
        ),
    ] {
        let before = pair.agent.stats().refused(refusal);
        let answer = ask(method, uri, &headers).await.unwrap();
        assert_eq!(answer.status(), refusal.status(), "{uri}");
        assert_eq!(answer.headers()["koinon-reason"], refusal.code());
        assert_eq!(pair.agent.stats().refused(refusal), before + 1);
    }
    // Beyond every reason the library refuses before it stores them. The connection lives.
    let huge = ask(
        Method::CONNECT,
        "kubernetes.default.svc:443",
        &[
            own(),
            ("x", "y".repeat(15_000)),
            ("z", "y".repeat(15_000)),
            ("a", "y".repeat(15_000)),
            ("b", "y".repeat(15_000)),
            ("c", "y".repeat(15_000)),
        ],
    )
    .await;
    assert!(huge.is_err() || huge.unwrap().status() == 431);
    assert_eq!(world.targets.dialled.load(Ordering::Relaxed), 0);
    pair.echo(1000).await;
    assert_eq!(pair.tunnels.stats().accepted, 2);
}

#[tokio::test(start_paused = true)]
async fn noise_on_the_port_is_refused_and_counted() {
    let world = World::new(63);
    let (tunnels, _hub) = world.hub();
    let mut noise = world.net.connect(&hub_address()).await.unwrap();
    noise
        .write_all(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n")
        .await
        .unwrap();
    until("noise", || tunnels.stats().refused(Refusal::Protocol) == 1).await;
    // A load balancer that looks whether the port is open is nobody who was refused.
    drop(world.net.connect(&hub_address()).await.unwrap());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(tunnels.stats().refused(Refusal::Protocol), 1);
    // Someone who says nothing holds a place for the time of a handshake only.
    let _silent = world.net.connect(&hub_address()).await.unwrap();
    let took = until("silence", || tunnels.stats().refused(Refusal::Timeout) == 1).await;
    assert!(took <= Duration::from_secs(11), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn oversized_and_broken_first_messages_are_refused_and_counted() {
    use crate::identity::Trust;
    use crate::wire::ALPN_ENROLL;
    let world = World::new(64);
    let (tunnels, _hub) = world.hub();
    let trust = Trust::Pins(vec![world.authority.pin()]);
    for (bytes, refusal) in [
        (vec![0x7f, 0xff, 0xff, 0xff], Refusal::Oversized),
        (vec![0, 0, 0, 2, 0xff, 0xff], Refusal::Malformed),
        // A request for a certificate with neither token nor certificate.
        (vec![0, 0, 0, 0], Refusal::NoCertificate),
    ] {
        let config = crate::tls::client(&trust, None, ALPN_ENROLL, &world.seams).unwrap();
        let io = world.net.connect(&hub_address()).await.unwrap();
        let name = crate::HUB_SERVER_NAME.try_into().unwrap();
        let mut socket = tokio_rustls::TlsConnector::from(config)
            .connect(name, io)
            .await
            .unwrap();
        socket.write_all(&bytes).await.unwrap();
        until(refusal.code(), || tunnels.stats().refused(refusal) == 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_connections_and_streams_are_refused() {
    let mut world = World::new(65);
    world.hub_config.limits.connections_per_cluster = 2;
    world.hub_config.limits.streams_per_cluster = 3;
    let pair = world.pair(world.agent_config()).await;
    let id = world.cluster("hz-1", "uid-1");
    let (_, _second) = world.agent(world.agent_config(), world.token_for(&id));
    until("too many", || {
        pair.tunnels.stats().refused(Refusal::TooMany) >= 1
    })
    .await;
    let _streams = [
        pair.open(443).await,
        pair.open(443).await,
        pair.open(443).await,
    ];
    let error = pair
        .tunnels
        .dial_local(&pair.cluster, &Targets::at(443), Class::Interactive)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "too-many-streams");
}

/// An agent gone bad answers with huge headers: the dial fails, is counted, and nothing else breaks.
#[tokio::test(start_paused = true)]
async fn oversized_answers_are_refused() {
    let (near, far) = tokio::io::duplex(1 << 20);
    tokio::spawn(async move {
        let mut connection = server_builder().handshake::<_, Bytes>(far).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            let answer = http::Response::builder()
                .header("x", "y".repeat(10_000))
                .body(())
                .unwrap();
            let _ = respond.send_response(answer, false);
        }
    });
    let (sender, connection) = client_builder().handshake::<_, Bytes>(near).await.unwrap();
    tokio::spawn(connection);
    let world = World::new(66);
    let pair = world.pair(world.agent_config()).await;
    let error = pair
        .tunnels
        .dial_over(sender, &pair.cluster, &Targets::at(443))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "oversized-answer");
    assert!(
        pair.tunnels
            .stats()
            .dial_failures
            .contains(&("oversized-answer", 1))
    );
}
