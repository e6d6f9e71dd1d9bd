//! The lease: taking it, holding it, losing it, and that nobody writes without it.

use super::*;
use crate::testing::{FakeCluster, Mood};

const LEASES: &str = "coordination.k8s.io/leases";

fn times() -> Elect {
    Elect {
        lease_duration: Duration::from_secs(15),
        renew_deadline: Duration::from_secs(10),
        retry_period: Duration::from_secs(5),
    }
}

fn candidate(hub: &FakeCluster, identity: &str) -> (Election, Fence) {
    let fence = Fence::closed();
    let election = Election::new(
        hub.client(),
        "fed",
        "lock",
        identity,
        times(),
        fence.clone(),
        Env::default(),
    );
    (election, fence)
}

#[tokio::test(start_paused = true)]
async fn the_second_candidate_waits_until_the_first_has_surely_stopped() {
    let hub = FakeCluster::default();
    let (mut first, first_fence) = candidate(&hub, "first");
    let (mut second, second_fence) = candidate(&hub, "second");
    first.acquire().await;
    assert_eq!(first_fence.check(), Ok(()));
    let started = Instant::now();
    let taken = tokio::spawn(async move {
        second.acquire().await;
        (second, started.elapsed())
    });
    // The first one never renews again, as if its process hung.
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(first_fence.check(), Err(crate::clients::LeaseLost));
    assert_eq!(second_fence.check(), Err(crate::clients::LeaseLost));
    let (_second, waited) = taken.await.unwrap();
    assert!(waited >= Duration::from_secs(15), "{waited:?}");
    assert_eq!(second_fence.check(), Ok(()));
    let lease = hub.get(LEASES, "fed", "lock");
    assert_eq!(lease["spec"]["holderIdentity"], "second");
    assert_eq!(lease["spec"]["leaseTransitions"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_stops_before_its_lease_runs_out() {
    let hub = FakeCluster::default();
    let (mut leader, fence) = candidate(&hub, "leader");
    leader.acquire().await;
    let started = Instant::now();
    hub.set_mood(Mood::Hanging);
    assert_eq!(leader.hold().await, ElectionError::NotRenewed);
    assert!(
        started.elapsed() <= Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(fence.check(), Err(crate::clients::LeaseLost));
}

#[tokio::test(start_paused = true)]
async fn renewals_keep_the_fence_open_and_release_lets_the_next_one_in() {
    let hub = FakeCluster::default();
    let (mut first, fence) = candidate(&hub, "first");
    first.acquire().await;
    let held = tokio::time::timeout(Duration::from_secs(60), first.hold()).await;
    assert!(held.is_err(), "still leading after a minute");
    assert_eq!(fence.check(), Ok(()));
    first.release().await;
    assert_eq!(fence.check(), Err(crate::clients::LeaseLost));
    let (mut second, _) = candidate(&hub, "second");
    let started = Instant::now();
    second.acquire().await;
    assert!(started.elapsed() < Duration::from_secs(1));
}
