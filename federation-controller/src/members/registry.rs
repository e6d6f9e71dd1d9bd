//! All members.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use federation_api::KubeFedCluster;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::runtime::watcher;
use tokio::sync::{broadcast, watch};

use super::access::{AccessError, MemberAccess};
use super::connect::Connector;
use super::health::Thresholds;
use super::member::{Member, MemberState};
use super::report::Reporter;
use super::supervisor::{Rules, Supervisor, Told};
use crate::clients::{Fence, chain};
use crate::hub::{Change, Followed, ObjectKey, Store, follow};
use crate::metrics::Metrics;
use crate::work::{Env, OwnedTask, RateLimit};

/// How members are probed and used.
#[derive(Clone, Copy, Debug)]
pub struct MembersConfig {
    /// Time between two probes of a member.
    pub period: Duration,
    /// How long a probe waits for an answer.
    pub timeout: Duration,
    /// How many probes change a verdict.
    pub thresholds: Thresholds,
    /// Requests to one member.
    pub rate: RateLimit,
    /// How long a request to a member may take.
    pub request_timeout: Duration,
    /// Operations under way in one member at once.
    pub concurrency: usize,
    /// Operations that may wait for one member.
    pub queue: usize,
}

/// What happened to members. Names are of physical clusters unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberEvent {
    /// The member answers; with `recovered`, after an outage.
    Ready {
        /// The physical cluster.
        cluster: String,
        /// True after an outage or a change of the access data.
        recovered: bool,
    },
    /// The member does not answer any more.
    NotReady {
        /// The physical cluster.
        cluster: String,
    },
    /// The agents of a member that is reached through its tunnel went away or came back.
    Tunnel {
        /// The physical cluster.
        cluster: String,
        /// They are there.
        is_up: bool,
    },
    /// A cluster (physical or derived) was registered, unregistered, or its labels changed: placements may have.
    Clusters,
}

struct Entry {
    member: Arc<Member>,
    access: watch::Sender<Result<MemberAccess, AccessError>>,
    _task: OwnedTask,
}

/// The registry. One per leading process.
pub struct Members {
    /// All registered clusters, derived ones included.
    pub clusters: Arc<Store<KubeFedCluster>>,
    secrets: Arc<Store<Secret>>,
    entries: Mutex<HashMap<String, Entry>>,
    events: broadcast::Sender<MemberEvent>,
    hub_client: kube::Client,
    namespace: String,
    connector: Arc<dyn Connector>,
    config: MembersConfig,
    fence: Fence,
    env: Env,
    metrics: Metrics,
}

/// Events that a slow listener may fall behind before it must look at everything again.
const EVENT_BACKLOG: usize = 1024;

impl Members {
    /// An empty registry that will read clusters and Secrets from `namespace` of the hub.
    #[must_use]
    pub fn new(
        hub_client: kube::Client,
        namespace: &str,
        connector: Arc<dyn Connector>,
        config: MembersConfig,
        fence: Fence,
        env: Env,
        metrics: Metrics,
    ) -> Arc<Self> {
        Arc::new(Self {
            clusters: Arc::default(),
            secrets: Arc::default(),
            entries: Mutex::default(),
            events: broadcast::channel(EVENT_BACKLOG).0,
            hub_client,
            namespace: namespace.to_owned(),
            connector,
            config,
            fence,
            env,
            metrics,
        })
    }

    /// Follows clusters and Secrets and keeps one loop per physical cluster. Runs until dropped; call it once.
    pub async fn run(self: Arc<Self>) {
        let clusters = {
            let this = Arc::clone(&self);
            follow(
                self.followed(Arc::clone(&self.clusters)),
                move |change| this.on_cluster(&change),
                |error| tracing::warn!(error = %chain(error), "watch of clusters interrupted"),
            )
        };
        let secrets = {
            let this = Arc::clone(&self);
            follow(
                self.followed(Arc::clone(&self.secrets)),
                move |_: Change<'_, Secret>| this.refresh(),
                |error| tracing::warn!(error = %chain(error), "watch of cluster secrets interrupted"),
            )
        };
        tokio::join!(clusters, secrets);
    }

    /// The namespace of the hub that holds the clusters.
    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    fn followed<K>(&self, store: Arc<Store<K>>) -> Followed<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Followed {
            api: Api::namespaced(self.hub_client.clone(), &self.namespace),
            config: watcher::Config::default(),
            store,
            trim: |object| object.meta_mut().managed_fields = None,
            env: self.env.clone(),
        }
    }

    fn on_cluster(self: &Arc<Self>, change: &Change<'_, KubeFedCluster>) {
        let placements_change = match change {
            Change::Applied { old, new, .. } => old.is_none_or(|old| {
                old.metadata.labels != new.metadata.labels
                    || old.metadata.annotations != new.metadata.annotations
            }),
            Change::Removed { .. } | Change::Synced => true,
        };
        self.refresh();
        if let Change::Applied { old: None, new, .. } = change
            && new.derived_from().is_some()
            && let Some(member) = self.get(new.physical_name())
        {
            // A new stand-in has no conditions yet: have them written now rather than a period later.
            member.doubt();
        }
        if placements_change {
            let _ = self.events.send(MemberEvent::Clusters);
        }
    }

    /// Brings the loops in step with clusters and Secrets. Cheap when nothing changed.
    fn refresh(self: &Arc<Self>) {
        if !self.clusters.is_synced() || !self.secrets.is_synced() {
            return;
        }
        let wanted = self.wanted();
        let mut entries = self.entries.lock().expect("no holder of this lock panics");
        entries.retain(|name, entry| {
            let keep = wanted.contains_key(name);
            if !keep {
                entry.member.retire();
                self.metrics.cluster_gone(name);
            }
            keep
        });
        for (name, access) in wanted {
            match entries.get(&name) {
                Some(entry) => {
                    entry.access.send_if_modified(|held| {
                        let changed = *held != access;
                        *held = access;
                        changed
                    });
                }
                None => {
                    entries.insert(name.clone(), self.start(&name, access));
                }
            }
        }
    }

    fn wanted(&self) -> BTreeMap<String, Result<MemberAccess, AccessError>> {
        self.clusters
            .all()
            .into_iter()
            .filter(|(_, cluster)| cluster.derived_from().is_none())
            .map(|(key, cluster)| {
                let secret =
                    ObjectKey::new(self.namespace.clone(), cluster.spec.secret_ref.name.clone());
                let access = MemberAccess::parse(&cluster, self.secrets.get(&secret).as_deref());
                (key.name, access)
            })
            .collect()
    }

    fn start(self: &Arc<Self>, name: &str, access: Result<MemberAccess, AccessError>) -> Entry {
        let member = Member::new(name, self.config.concurrency, self.config.queue);
        let (access_tx, access_rx) = watch::channel(access);
        let supervisor = Supervisor {
            member: Arc::clone(&member),
            access: access_rx,
            connector: Arc::clone(&self.connector),
            reporter: Reporter {
                hub_client: self.hub_client.clone(),
                clusters: Arc::clone(&self.clusters),
                namespace: self.namespace.clone(),
                env: self.env.clone(),
            },
            rules: Rules {
                period: self.config.period,
                timeout: self.config.timeout,
                thresholds: self.config.thresholds,
                rate: self.config.rate,
                request_timeout: self.config.request_timeout,
            },
            fence: self.fence.clone(),
            metrics: self.metrics.clone(),
        };
        let (events, cluster) = (self.events.clone(), name.to_owned());
        let task = OwnedTask::spawn(supervisor.run(move |told| {
            let cluster = cluster.clone();
            let event = match told {
                Told::State(MemberState::Ready { recovered, .. }) => MemberEvent::Ready {
                    cluster,
                    recovered: *recovered,
                },
                Told::State(MemberState::NotReady { .. } | MemberState::Unknown) => {
                    MemberEvent::NotReady { cluster }
                }
                Told::Tunnel { is_up } => MemberEvent::Tunnel { cluster, is_up },
            };
            let _ = events.send(event);
        }));
        Entry {
            member,
            access: access_tx,
            _task: task,
        }
    }

    /// The handle of a physical cluster, if it is registered.
    #[must_use]
    pub fn get(&self, physical: &str) -> Option<Arc<Member>> {
        self.entries
            .lock()
            .expect("no holder of this lock panics")
            .get(physical)
            .map(|entry| Arc::clone(&entry.member))
    }

    /// All physical clusters that are registered, by name.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Arc<Member>> {
        self.entries
            .lock()
            .expect("no holder of this lock panics")
            .iter()
            .map(|(name, entry)| (name.clone(), Arc::clone(&entry.member)))
            .collect()
    }

    /// Hears what happens from now on. A listener that fell behind must look at everything again.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<MemberEvent> {
        self.events.subscribe()
    }

    /// Waits until clusters and Secrets were read and every member was judged once, but not longer than a probe takes:
    /// before that, a member that is not ready may just not have been asked.
    pub async fn settled(&self) {
        self.clusters.synced().await;
        self.secrets.synced().await;
        let judged = async {
            for member in self.all().into_values() {
                let mut state = member.watch_state();
                let _ = state.wait_for(|state| *state != MemberState::Unknown).await;
            }
        };
        let _ = tokio::time::timeout(self.config.timeout, judged).await;
    }
}
