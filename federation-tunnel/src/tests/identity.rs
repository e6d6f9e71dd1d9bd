//! Who may come in, with what, and for how long.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use crate::agent::{
    Agent, AgentParts, CertificateError, ContactError, MemoryIdentity, StoredIdentity,
};
use crate::identity::{AgentKey, Authority, Trust};
use crate::testing::{Targets, World, until};
use crate::{Class, ClusterId, Refusal};

/// An identity that an authority signed, for what clusters it is told.
fn signed(authority: &Authority, clusters: &[ClusterId], life: Duration) -> StoredIdentity {
    let key = AgentKey::generate().unwrap();
    let leaf = authority
        .issue_agent(&key.request().unwrap(), clusters, life)
        .unwrap();
    let identity = crate::identity::AgentIdentity::new(vec![leaf], &key).unwrap();
    StoredIdentity {
        key_pem: key.to_pem(),
        chain_pem: identity.chain_pem().to_owned(),
        authorities_pem: authority.certificate_pem().to_owned(),
        ..StoredIdentity::default()
    }
}

const HOUR: Duration = Duration::from_secs(3600);

/// Runs an agent with an identity against a hub and waits until the hub has refused it for this reason.
async fn refused(world: &World, identity: StoredIdentity, refusal: Refusal) {
    let (tunnels, _hub) = world.hub();
    let mut config = world.agent_config();
    config.trust = Trust::from_pem(world.authority.certificate_pem().as_bytes()).unwrap();
    // Its authorities are for the hub's identity only: they must be the right ones for it to come far enough.
    let identity = StoredIdentity {
        authorities_pem: String::new(),
        ..identity
    };
    let (agent, _agent) = world.agent(config, MemoryIdentity::with_identity(identity));
    until(refusal.code(), || tunnels.stats().refused(refusal) >= 2).await;
    until("the agent knows", || {
        agent.stats().refused_by_hub(refusal) >= 2
    })
    .await;
    let stats = tunnels.stats();
    assert_eq!((stats.accepted, stats.connections), (0, 0));
    assert!(!agent.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_certificate_of_another_authority_is_refused() {
    let world = World::new(40);
    let id = world.cluster("hz-1", "uid-1");
    let other = Authority::generate(&world.seams).unwrap();
    refused(
        &world,
        signed(&other, &[id], HOUR),
        Refusal::UntrustedCertificate,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_without_a_certificate_is_refused() {
    use crate::tls;
    use crate::wire::{
        ALPN_TUNNEL, AgentHello, HubAnswer, hub_answer, read_message, write_message,
    };
    let world = World::new(41);
    world.cluster("hz-1", "uid-1");
    let (tunnels, _hub) = world.hub();
    let trust = Trust::Pins(vec![world.authority.pin()]);
    let config = tls::client(&trust, None, ALPN_TUNNEL, &world.seams).unwrap();
    let io = crate::Connector::connect(&world.net, &crate::testing::hub_address())
        .await
        .unwrap();
    let name = crate::HUB_SERVER_NAME.try_into().unwrap();
    let mut socket = tokio_rustls::TlsConnector::from(config)
        .connect(name, io)
        .await
        .unwrap();
    let hello = AgentHello {
        version: 1,
        agent: "a".to_owned(),
        clusters: vec!["hz-1".to_owned()],
        ..AgentHello::default()
    };
    write_message(&mut socket, &hello).await.unwrap();
    let answer: HubAnswer = read_message(&mut socket).await.unwrap();
    let Some(hub_answer::Verdict::Refused(refused)) = answer.verdict else {
        panic!("taken in")
    };
    assert_eq!(refused.code, "no-certificate");
    until("counted", || {
        tunnels.stats().refused(Refusal::NoCertificate) == 1
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_certificate_is_refused() {
    let world = World::new(42);
    let id = world.cluster("hz-1", "uid-1");
    let identity = signed(&world.authority, &[id], HOUR);
    // The agent's clock is slow: it takes its certificate for good.
    let skew = world.skew.clone();
    let (tunnels, _hub) = {
        let mut hub_world = World::new(42);
        hub_world.authority = world.authority.clone();
        hub_world.directory = world.directory.clone();
        hub_world.net = world.net.clone();
        hub_world.skew.store(7200, Ordering::Relaxed);
        hub_world.hub()
    };
    let (agent, _agent) = world.agent(
        world.agent_config(),
        MemoryIdentity::with_identity(identity),
    );
    until("refused", || {
        tunnels.stats().refused(Refusal::ExpiredCertificate) >= 1
    })
    .await;
    until("the agent knows", || {
        agent.stats().refused_by_hub(Refusal::ExpiredCertificate) >= 1
    })
    .await;
    assert_eq!(tunnels.stats().accepted, 0);
    assert_eq!(skew.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn unknown_recreated_and_revoked_clusters_are_refused() {
    let world = World::new(43);
    let gone = ClusterId::new("gone".parse().unwrap(), "uid-0").unwrap();
    refused(
        &world,
        signed(&world.authority, &[gone], HOUR),
        Refusal::UnknownCluster,
    )
    .await;
    let world = World::new(44);
    world.cluster("hz-1", "uid-2");
    let before = ClusterId::new("hz-1".parse().unwrap(), "uid-1").unwrap();
    refused(
        &world,
        signed(&world.authority, &[before], HOUR),
        Refusal::OtherUid,
    )
    .await;
    let world = World::new(45);
    let id = world.cluster("hz-1", "uid-1");
    let identity = signed(&world.authority, &[id], HOUR);
    let read =
        crate::identity::AgentIdentity::from_pem(&identity.chain_pem, &identity.key_pem).unwrap();
    world.directory.revoke(read.certificate().serial());
    refused(&world, identity, Refusal::Revoked).await;
}

#[tokio::test(start_paused = true)]
async fn another_clusters_name_is_refused() {
    let world = World::new(46);
    let own = world.cluster("hz-1", "uid-1");
    let other = world.cluster("sh-1", "uid-2");
    let (tunnels, _hub) = world.hub();
    let mut config = world.agent_config();
    config.clusters = vec!["sh-1".to_owned()];
    let (agent, _agent) = world.agent(config, world.token_for(&own));
    until("refused", || {
        tunnels.stats().refused(Refusal::ForeignCluster) >= 1
    })
    .await;
    assert_eq!(tunnels.status(other.name()).connections, 0);
    assert!(!agent.is_ready());
    let error = tunnels
        .dial_local(
            other.name(),
            &Targets::at(Targets::ECHO),
            Class::Interactive,
        )
        .await
        .unwrap_err();
    assert_eq!(error.code(), "no-agent");
    assert_eq!(world.targets.dialled.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn one_agent_serves_the_names_that_its_certificate_lists() {
    let world = World::new(47);
    let ids = [
        world.cluster("a", "uid-a"),
        world.cluster("b", "uid-b"),
        world.cluster("c", "uid-c"),
    ];
    let (tunnels, _hub) = world.hub();
    let identity = signed(&world.authority, &ids[..2], HOUR);
    let (_, _agent) = world.agent(
        world.agent_config(),
        MemoryIdentity::with_identity(identity),
    );
    until("both", || {
        ids[..2]
            .iter()
            .all(|id| tunnels.status(id.name()).connections == 2)
    })
    .await;
    assert_eq!(tunnels.status(ids[2].name()).connections, 0);
    // One of them is deleted: its traffic ends, the other comes back.
    world.directory.remove(ids[0].name());
    tunnels.recheck(ids[0].name());
    until("a is gone", || {
        tunnels.status(ids[0].name()).connections == 0
    })
    .await;
    until("b is served", || {
        tunnels.status(ids[1].name()).connections == 2
    })
    .await;
    assert_eq!(tunnels.status(ids[0].name()).connections, 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_good_for_one_key() {
    let world = World::new(48);
    let id = world.cluster("hz-1", "uid-1");
    let (tunnels, _hub) = world.hub();
    let token = world.tokens.issue(&id, HOUR, &world.seams).expose();
    let honest = MemoryIdentity::with_token(token.clone());
    let (_, agent) = world.agent(world.agent_config(), honest.clone());
    until("enrolled", || tunnels.status(id.name()).connections == 2).await;
    let thief = MemoryIdentity::with_token(token);
    let (stolen, _thief) = world.agent(world.agent_config(), thief.clone());
    until("refused", || {
        tunnels.stats().refused(Refusal::UsedToken) >= 1
    })
    .await;
    until("told", || {
        stolen.stats().refused_by_hub(Refusal::UsedToken) >= 1
    })
    .await;
    assert!(
        thief
            .stored()
            .is_none_or(|stored| stored.chain_pem.is_empty())
    );
    assert_eq!(tunnels.status(id.name()).agents, 1);
    assert_eq!(tunnels.stats().enrolled, 1);
    // The honest one lost its certificate, but not its key: the same token serves it again.
    agent.stop().await;
    let stored = honest.stored().unwrap();
    crate::IdentityStore::save(
        &honest,
        &StoredIdentity {
            chain_pem: String::new(),
            ..stored
        },
    )
    .await
    .unwrap();
    let (_, _agent) = world.agent(world.agent_config(), honest);
    until("enrolled again", || tunnels.stats().enrolled == 2).await;
}

#[tokio::test(start_paused = true)]
async fn wrong_and_late_tokens_are_refused() {
    let world = World::new(49);
    let id = world.cluster("hz-1", "uid-1");
    let (tunnels, _hub) = world.hub();
    let right = world.tokens.issue(&id, HOUR, &world.seams).expose();
    let mut wrong = right.clone();
    let last = if wrong.pop() == Some('0') { '1' } else { '0' };
    wrong.push(last);
    let (_, _a) = world.agent(world.agent_config(), MemoryIdentity::with_token(wrong));
    until("wrong secret", || {
        tunnels.stats().refused(Refusal::UnknownToken) >= 1
    })
    .await;
    sleep(HOUR).await;
    let (_, _b) = world.agent(world.agent_config(), MemoryIdentity::with_token(right));
    until("too late", || {
        tunnels.stats().refused(Refusal::ExpiredToken) >= 1
    })
    .await;
    let recreated = world.tokens.issue(&id, HOUR, &world.seams).expose();
    world.cluster("hz-1", "uid-9");
    let (_, _c) = world.agent(world.agent_config(), MemoryIdentity::with_token(recreated));
    until("for an earlier cluster", || {
        tunnels.stats().refused(Refusal::OtherUid) >= 1
    })
    .await;
    assert_eq!(tunnels.stats().enrolled, 0);
}

#[tokio::test(start_paused = true)]
async fn an_agent_does_not_show_its_token_to_another_hub() {
    let world = World::new(50);
    let id = world.cluster("hz-1", "uid-1");
    let mut imposter = World::new(51);
    imposter.net = world.net.clone();
    let (tunnels, _hub) = imposter.hub();
    let (agent, _agent) = world.agent(world.agent_config(), world.token_for(&id));
    until("it tries", || agent.stats().certificate_failures >= 2).await;
    let stats = tunnels.stats();
    assert_eq!(
        stats.refused(Refusal::UnknownToken),
        0,
        "the token was shown"
    );
    assert!(stats.refused(Refusal::Protocol) >= 2);
}

#[tokio::test(start_paused = true)]
async fn certificates_are_renewed_without_a_gap() {
    let mut world = World::new(52);
    world.hub_config.certificate_life = HOUR;
    let pair = world.pair(world.agent_config()).await;
    let first = pair.store.stored().unwrap();
    let mut stream = pair.open(Targets::ECHO).await;
    // Some seconds at a time, there is always a way in.
    let mut least = usize::MAX;
    for _ in 0..3000 {
        sleep(Duration::from_secs(1)).await;
        least = least.min(pair.tunnels.status(&pair.cluster).connections);
        if pair.tunnels.stats().renewed > 0 {
            break;
        }
    }
    sleep(Duration::from_secs(30)).await;
    least = least.min(pair.tunnels.status(&pair.cluster).connections);
    assert!(least >= 2, "{least} connections at the worst moment");
    assert_eq!(pair.tunnels.stats().renewed, 1);
    let second = pair.store.stored().unwrap();
    assert_ne!(first.chain_pem, second.chain_pem);
    assert_ne!(first.key_pem, second.key_pem, "a new key each time");
    // The stream of before goes on over the old connection.
    stream.write_all(b"still here").await.unwrap();
    let mut buffer = [0; 10];
    stream.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"still here");
    pair.echo(1000).await;
    // It ends with the certificate that it came with.
    sleep(HOUR / 2).await;
    assert!(stream.read(&mut buffer).await.is_err());
    assert_eq!(pair.tunnels.status(&pair.cluster).connections, 2);
}

#[tokio::test(start_paused = true)]
async fn sessions_end_with_certificate_cluster_and_trust() {
    // The certificate ends, and is not renewed.
    let world = World::new(53);
    let id = world.cluster("hz-1", "uid-1");
    let (tunnels, _hub) = world.hub();
    struct Fixed(MemoryIdentity);
    #[async_trait::async_trait]
    impl crate::IdentityStore for Fixed {
        async fn load(&self) -> std::io::Result<Option<StoredIdentity>> {
            self.0.load().await
        }
        async fn save(&self, _: &StoredIdentity) -> std::io::Result<()> {
            panic!("not ours to change")
        }
        async fn token(&self) -> std::io::Result<Option<String>> {
            Ok(None)
        }
        fn is_managed(&self) -> bool {
            false
        }
    }
    let identity = signed(&world.authority, std::slice::from_ref(&id), HOUR);
    let (_, _agent) = world.agent(
        world.agent_config(),
        Fixed(MemoryIdentity::with_identity(identity)),
    );
    until("up", || tunnels.status(id.name()).connections == 2).await;
    sleep(HOUR - Duration::from_secs(30)).await;
    assert_eq!(tunnels.status(id.name()).connections, 2);
    sleep(Duration::from_secs(32)).await;
    assert_eq!(
        tunnels.status(id.name()).connections,
        0,
        "a session outlived its certificate"
    );

    // The cluster is deleted: at once when told, within seconds when not.
    let world = World::new(54);
    let pair = world.pair(world.agent_config()).await;
    let mut stream = pair.open(Targets::ECHO).await;
    world.directory.remove(&pair.cluster);
    pair.tunnels.recheck(&pair.cluster);
    assert!(stream.read(&mut [0; 1]).await.is_err());
    until("gone", || {
        pair.tunnels.status(&pair.cluster).connections == 0
    })
    .await;
    assert_eq!(pair.tunnels.stats().ends[3], ("no-longer", 2));

    let world = World::new(55);
    let pair = world.pair(world.agent_config()).await;
    let serial = crate::identity::AgentIdentity::from_pem(
        &pair.store.stored().unwrap().chain_pem,
        &pair.store.stored().unwrap().key_pem,
    )
    .unwrap();
    world.directory.revoke(serial.certificate().serial());
    let took = until("revoked", || {
        pair.tunnels.status(&pair.cluster).connections == 0
    })
    .await;
    assert!(took <= Duration::from_secs(6), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_authority_can_be_replaced_without_new_tokens() {
    let mut world = World::new(56);
    world.hub_config.certificate_life = HOUR;
    let next = Authority::generate(&world.seams).unwrap();
    world.hub_config.more_authorities = vec![next.certificate().clone()];
    let id = world.cluster("hz-1", "uid-1");
    let (tunnels, hub) = world.hub();
    let (agent, _agent) = world.agent(world.agent_config(), world.token_for(&id));
    until("up", || tunnels.status(id.name()).connections == 2).await;
    // The next authority takes over: its hub still takes certificates of the first.
    hub.stop().await;
    world.hub_config.more_authorities = vec![world.authority.certificate().clone()];
    world.authority = std::sync::Arc::new(next);
    let (tunnels, hub) = world.hub();
    until("back", || tunnels.status(id.name()).connections == 2).await;
    while tunnels.stats().renewed == 0 {
        sleep(Duration::from_secs(10)).await;
    }
    sleep(Duration::from_secs(60)).await;
    // Renewed: the first one is needed no longer.
    hub.stop().await;
    world.hub_config.more_authorities.clear();
    let (tunnels, _hub) = world.hub();
    until("back", || tunnels.status(id.name()).connections == 2).await;
    assert_eq!(tunnels.stats().refused(Refusal::UntrustedCertificate), 0);
    assert!(agent.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_certificate_for_another_program_is_renewed_when_it_is_due_and_opens_no_tunnel() {
    let world = World::new(59);
    let id = world.cluster("hz-1", "uid-1");
    let (tunnels, _hub) = world.hub();
    let store = world.token_for(&id);
    let keep = || {
        let parts = AgentParts {
            connector: Arc::new(world.net.clone()),
            upstream: Arc::new(world.targets.clone()),
            store: Arc::new(store.clone()),
            seams: world.seams.clone(),
        };
        let agent = Agent::new(world.agent_config(), parts);
        async move { agent.keep_certificate().await }
    };
    keep().await.unwrap();
    let first = store.stored().unwrap();
    keep().await.unwrap();
    assert_eq!(store.stored().as_ref(), Some(&first));
    let later = || world.skew.fetch_add(25 * 24 * 3600, Ordering::Relaxed);
    later();
    keep().await.unwrap();
    let second = store.stored().unwrap();
    assert_ne!(second.chain_pem, first.chain_pem);
    let stats = tunnels.stats();
    assert_eq!([stats.enrolled, stats.renewed, stats.accepted], [1, 1, 0]);
    // What is still valid stays.
    world.directory.remove(id.name());
    later();
    let refused = keep().await.unwrap_err();
    assert!(
        matches!(&refused, CertificateError::Contact { source: ContactError::Refused { refusal, .. }, .. } if *refusal == Refusal::UnknownCluster),
        "{refused:?}"
    );
    assert_eq!(store.stored(), Some(second));
}

/// A store whose token someone replaces.
#[derive(Clone)]
struct Handed(MemoryIdentity, Arc<std::sync::Mutex<String>>);

#[async_trait::async_trait]
impl crate::IdentityStore for Handed {
    async fn load(&self) -> std::io::Result<Option<StoredIdentity>> {
        self.0.load().await
    }
    async fn save(&self, identity: &StoredIdentity) -> std::io::Result<()> {
        self.0.save(identity).await
    }
    async fn token(&self) -> std::io::Result<Option<String>> {
        Ok(Some(self.1.lock().unwrap().clone()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_token_replaces_a_certificate_that_the_hub_takes_no_more() {
    let world = World::new(60);
    let id = world.cluster("hz-1", "uid-1");
    let (tunnels, _hub) = world.hub();
    let token = |id: &ClusterId| world.tokens.issue(id, HOUR, &world.seams).expose();
    let current = Arc::new(std::sync::Mutex::new(token(&id)));
    let store = Handed(MemoryIdentity::default(), current.clone());
    let (agent, _agent) = world.agent(world.agent_config(), store.clone());
    let up = || tunnels.status(id.name()).connections == 2;
    until("up", up).await;
    let first = store.0.stored().unwrap();
    // Registered anew under the old name. The token of before is not shown again, and nothing of what there is gets lost.
    world.directory.remove(id.name());
    let again = world.cluster("hz-1", "uid-2");
    tunnels.recheck(id.name());
    until("refused", || {
        agent.stats().refused_by_hub(Refusal::OtherUid) >= 3
    })
    .await;
    assert_eq!(store.0.stored().unwrap(), first);
    assert_eq!(agent.stats().certificate_failures, 0);
    *current.lock().unwrap() = token(&again);
    // The next try is a minute away at most.
    sleep(Duration::from_secs(30)).await;
    until("up with the new token", up).await;
    let second = store.0.stored().unwrap();
    assert_ne!(first.key_pem, second.key_pem);
    assert_eq!(second.next_key_pem, "");
    // Revoked.
    let identity =
        crate::identity::AgentIdentity::from_pem(&second.chain_pem, &second.key_pem).unwrap();
    world.directory.revoke(identity.certificate().serial());
    tunnels.recheck(id.name());
    until("revoked", || tunnels.status(id.name()).connections == 0).await;
    *current.lock().unwrap() = token(&again);
    sleep(Duration::from_secs(30)).await;
    until("up with another token", up).await;
    assert_ne!(store.0.stored().unwrap().key_pem, second.key_pem);
}

#[tokio::test(start_paused = true)]
async fn an_empty_token_is_none() {
    let world = World::new(63);
    let (tunnels, _hub) = world.hub();
    let agent = Agent::new(
        world.agent_config(),
        AgentParts {
            connector: Arc::new(world.net.clone()),
            upstream: Arc::new(world.targets.clone()),
            store: Arc::new(MemoryIdentity::with_token("\n".to_owned())),
            seams: world.seams.clone(),
        },
    );
    let error = agent.keep_certificate().await.unwrap_err();
    assert!(matches!(error, CertificateError::NoToken), "{error}");
    assert_eq!(tunnels.stats().refused(Refusal::NoCertificate), 0);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_costs_no_identity() {
    let world = World::new(61);
    let pair = world.pair(world.agent_config()).await;
    let before = pair.store.stored().unwrap();
    world.skew.store(40 * 24 * 3600, Ordering::Relaxed);
    until("the certificate is over", || {
        pair.tunnels.status(&pair.cluster).connections == 0
            && pair.agent.stats().certificate_failures >= 1
    })
    .await;
    world.skew.store(0, Ordering::Relaxed);
    let after = pair.store.stored().unwrap();
    assert_eq!(
        (&after.key_pem, &after.chain_pem),
        (&before.key_pem, &before.chain_pem)
    );
    pair.agent_task.stop().await;
    let (agent, _agent) = world.agent(world.agent_config(), pair.store);
    until("back", || agent.is_ready()).await;
    assert_eq!(pair.tunnels.stats().enrolled, 1);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_weeks_ahead_does_not_renew_without_end() {
    let world = World::new(62);
    let id = world.cluster("hz-1", "uid-1");
    let (tunnels, _hub) = world.hub();
    let (now, chance) = (world.seams.clone(), world.seams.clone());
    let ahead = Duration::from_secs(29 * 24 * 3600);
    let fast = crate::Seams::new(
        move || {
            let now = Duration::from_secs(now.now().as_secs());
            rustls_pki_types::UnixTime::since_unix_epoch(now + ahead)
        },
        move || chance.random(),
    );
    let agent = Agent::new(
        world.agent_config(),
        AgentParts {
            connector: Arc::new(world.net.clone()),
            upstream: Arc::new(world.targets.clone()),
            store: Arc::new(world.token_for(&id)),
            seams: fast,
        },
    );
    let handle = agent.handle();
    let _agent = crate::testing::Running::start(|stop| agent.run(stop));
    let mut most = 0;
    for _ in 0..600 {
        sleep(Duration::from_secs(1)).await;
        let now = tunnels.stats().renewed;
        assert!(now <= most + 1, "{} in a second", now - most);
        most = now;
    }
    assert!((5..=21).contains(&most), "{most} in ten minutes");
    assert!(handle.is_ready());
    assert!(handle.stats().certificate_failures >= 5);
}
