//! The hub's processes find each other: each keeps a Lease in the database that they share, which says where its tunnel listens.

use std::collections::HashMap;
use std::time::Duration;

use apiserver::cache::Cache;
use apiserver::local::{Gvr, LocalClient};
use apiserver::status::ApiError;
use federation_api::names::SYSTEM_NAMESPACE;
use federation_api::tunnel::{PEER_ADDRESS, PEER_LEASE_PREFIX};
use federation_tunnel::{HostPort, PeerLinks};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

const LEASES: Gvr<'static> = Gvr::new("coordination.k8s.io", "v1", "leases");
const STORED_LEASES: &str = "coordination.k8s.io/leases";

/// How often a process renews its Lease.
const RENEW: Duration = Duration::from_secs(5);
/// A process whose Lease did not change for so long is gone, by this process's clock: wall clocks may differ.
const DURATION: Duration = Duration::from_secs(15);
/// Leases of processes that are gone, and have been for so long, are deleted by whoever sees them.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// One process of several.
pub(super) struct PeerKeeper {
    hub: LocalClient,
    links: PeerLinks,
    name: String,
    address: HostPort,
    seen: HashMap<String, Seen>,
}

/// A Lease as it was last seen.
struct Seen {
    renewed: String,
    at: Instant,
}

/// What a Lease says.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    name: String,
    address: Option<HostPort>,
    renewed: String,
}

impl PeerKeeper {
    pub(super) fn new(hub: LocalClient, links: PeerLinks, name: &str, address: HostPort) -> Self {
        Self {
            hub,
            links,
            name: name.to_owned(),
            address,
            seen: HashMap::new(),
        }
    }

    /// Renews and looks, until `stop`; then takes itself off the list.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut events = self.cache().subscribe();
        let mut due = Instant::now();
        loop {
            if Instant::now() >= due {
                if let Err(error) = self.renew().await {
                    tracing::warn!(
                        message = error.message,
                        "cannot tell the hub's other processes of this one"
                    );
                }
                due = Instant::now() + RENEW;
            }
            self.look().await;
            tokio::select! {
                () = sleep_until(due) => {}
                () = lease_changes(&mut events) => {}
                () = stop.cancelled() => break,
            }
        }
        self.links.close();
        let name = lease(&self.name);
        // A store that is closed already lets it expire.
        let _ = self
            .hub
            .delete(LEASES, SYSTEM_NAMESPACE, &name, &json!({}))
            .await;
    }

    fn cache(&self) -> &Cache {
        &self.hub.api().cache
    }

    async fn renew(&self) -> Result<(), ApiError> {
        let name = lease(&self.name);
        let now = self.hub.api().seams.now();
        let spec = json!({
            "holderIdentity": self.name,
            "leaseDurationSeconds": DURATION.as_secs(),
            "renewTime": format!("{now:.6}"),
        });
        let mut object = match self.hub.get(LEASES, SYSTEM_NAMESPACE, &name).await {
            Ok(held) => held,
            Err(error) if error.code == StatusCode::NOT_FOUND => json!({
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": name, "namespace": SYSTEM_NAMESPACE},
            }),
            Err(error) => return Err(error),
        };
        object["spec"] = spec;
        object["metadata"]["annotations"][PEER_ADDRESS] = self.address.to_string().into();
        if object["metadata"]["uid"].is_null() {
            self.hub.create(LEASES, SYSTEM_NAMESPACE, &object).await?;
        } else {
            self.hub.update(LEASES, &object).await?;
        }
        Ok(())
    }

    /// Tells the links who lives.
    async fn look(&mut self) {
        let now = self.hub.api().seams.now();
        let snapshot = self.cache().list(STORED_LEASES);
        let leases = snapshot.range(Some(SYSTEM_NAMESPACE), None);
        let processes: Vec<Process> = leases
            .filter_map(|stored| process(&serde_json::from_slice(&stored.bytes).ok()?))
            .filter(|process| process.name != self.name)
            .collect();
        self.seen
            .retain(|name, _| processes.iter().any(|process| process.name == *name));
        let mut alive = Vec::new();
        for process in processes {
            if lives(&mut self.seen, &process, Instant::now()) {
                alive.extend(process.address.map(|address| (process.name, address)));
            } else if process.age(now) > FORGOTTEN {
                // Another process may be faster.
                let name = lease(&process.name);
                let _ = self
                    .hub
                    .delete(LEASES, SYSTEM_NAMESPACE, &name, &json!({}))
                    .await;
            }
        }
        self.links.set(&alive);
    }
}

impl Process {
    /// How long ago it renewed its Lease, by the two machines' wall clocks.
    fn age(&self, now: jiff::Timestamp) -> Duration {
        let renewed = self.renewed.parse::<jiff::Timestamp>().ok();
        renewed
            .and_then(|at| u64::try_from(now.as_second() - at.as_second()).ok())
            .map_or(Duration::ZERO, Duration::from_secs)
    }
}

/// Has its Lease changed lately? One that is seen for the first time gets the benefit of the doubt, whatever its time says.
fn lives(seen: &mut HashMap<String, Seen>, process: &Process, now: Instant) -> bool {
    let seen = seen.entry(process.name.clone()).or_insert_with(|| Seen {
        renewed: process.renewed.clone(),
        at: now,
    });
    if seen.renewed != process.renewed {
        seen.renewed.clone_from(&process.renewed);
        seen.at = now;
    }
    now.duration_since(seen.at) < DURATION
}

fn lease(name: &str) -> String {
    format!("{PEER_LEASE_PREFIX}{name}")
}

fn process(lease: &Value) -> Option<Process> {
    let metadata = &lease["metadata"];
    let name = metadata["name"].as_str()?.strip_prefix(PEER_LEASE_PREFIX)?;
    let address = metadata["annotations"][PEER_ADDRESS].as_str();
    Some(Process {
        name: name.to_owned(),
        address: address.and_then(|address| address.parse().ok()),
        renewed: lease["spec"]["renewTime"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    })
}

/// Waits until a process comes, goes or renews.
async fn lease_changes(
    events: &mut Receiver<std::sync::Arc<[std::sync::Arc<apiserver::cache::Event>]>>,
) {
    loop {
        let Ok(batch) = events.recv().await else {
            // Some were missed, or the cache has ended: looking at the usual times is enough.
            tokio::time::sleep(RENEW).await;
            return;
        };
        let is_peer = |event: &std::sync::Arc<apiserver::cache::Event>| {
            let key = &event.object.key;
            &*key.resource == STORED_LEASES && key.name.starts_with(PEER_LEASE_PREFIX)
        };
        if batch.iter().any(is_peer) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use apiserver::seams::Seams;
    use federation_tunnel::TcpConnector;

    use super::super::testing;
    use super::*;

    #[test]
    fn a_lease_says_who_listens_where() {
        let of = |name: &str, address: &str| {
            process(&json!({
                "metadata": {"name": name, "annotations": {PEER_ADDRESS: address}},
                "spec": {"renewTime": "2026-01-01T00:00:00.000000Z"},
            }))
        };
        let found = of("koinon-hub-a", "10.0.0.1:8091").unwrap();
        assert_eq!(found.name, "a");
        assert_eq!(found.address, "10.0.0.1:8091".parse().ok());
        assert_eq!(of("koinon-hub-a", "nowhere").unwrap().address, None);
        assert_eq!(of("kubefed-controller-manager", "10.0.0.1:8091"), None);
    }

    #[tokio::test]
    async fn a_clock_that_differs_makes_nobody_dead() {
        let (server, hub, _keys) = testing::hub(Seams::system()).await;
        let tunnels = testing::tunnels();
        let links = PeerLinks::new(&tunnels, Arc::new(TcpConnector::default()));
        let own = "127.0.0.1:1".parse().unwrap();
        let mut keeper = PeerKeeper::new(hub.clone(), links.clone(), "a", own);
        // It renews all the time, by a clock that is hours behind.
        let other = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": lease("b"),
                "namespace": SYSTEM_NAMESPACE,
                "annotations": {PEER_ADDRESS: "127.0.0.1:1"},
            },
            "spec": {"holderIdentity": "b", "renewTime": "2026-01-01T00:00:00.000000Z"},
        });
        hub.create(LEASES, SYSTEM_NAMESPACE, &other).await.unwrap();
        let held = async || hub.get(LEASES, SYSTEM_NAMESPACE, &lease("b")).await.is_ok();
        keeper.look().await;
        assert!(held().await);
        // It renews no more, and is gone by now.
        keeper.seen.get_mut("b").unwrap().at -= DURATION;
        keeper.look().await;
        assert!(!held().await);
        links.close();
        server.shutdown().await;
    }
}
