//! The agents that are connected.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::Stream;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::{Code, Response, Status};
use tracing::{info, warn};

use super::counters::Counts;
use super::route::{for_cluster, for_host};
use super::{Admission, Counters, Identifiers, Link, Strategy};
use crate::konnectivity::dial::DialError;
use crate::konnectivity::grpc::{self, CONNECT, Request};
use crate::konnectivity::machine::{Connections, Dialer, Limits};
use crate::konnectivity::session::{self, Outbound, Owned, Session, deliver};
use crate::konnectivity::wire::Message;
use crate::seams::{BoxIo, Io};

/// The longest name of an agent that is kept.
const NAME: usize = 256;

/// What agents are told of this server, and what they may use of it.
#[derive(Clone, Debug)]
pub struct AgentsConfig {
    /// Which of the servers behind one address this is; agents connect to each once (`--server-id`).
    pub server_id: String,
    /// How many there are; agents look for others until they have as many (`--server-count`).
    pub server_count: usize,
    /// Bounds of each agent's stream.
    pub limits: Limits,
    /// How long a dial may take, from the request to the answer (`--backend-dial-timeout`).
    pub dial_timeout: Duration,
}

impl AgentsConfig {
    /// A server of its own, with dials of at most 10 seconds.
    #[must_use]
    pub fn new(server_id: &str) -> Self {
        Self {
            server_id: server_id.to_owned(),
            server_count: 1,
            limits: Limits::default(),
            dial_timeout: Duration::from_secs(10),
        }
    }
}

/// An agent's connection that ended badly.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It broke, or the peer speaks no HTTP/2.
    #[error("the connection of an agent broke")]
    Connection(#[from] hyper::Error),
}

#[derive(Debug)]
struct Inner {
    config: AgentsConfig,
    links: Mutex<Links>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Links {
    next: u64,
    all: HashMap<u64, Arc<Link>>,
}

/// The agents that are connected to this server. Cheap to clone; all clones are the same.
#[derive(Clone, Debug)]
pub struct Agents(Arc<Inner>);

/// Called for each agent that begins to serve, with what it says of itself; what it returns lives as long as that agent serves.
pub(crate) type Serving = Arc<dyn Fn(&Identifiers) -> Box<dyn Send + Sync> + Send + Sync>;

/// Takes an agent off the list.
struct Registered {
    inner: Arc<Inner>,
    number: u64,
    _session: Owned<Dialer>,
    _serving: Option<Box<dyn Send + Sync>>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let link = self.inner.links().all.remove(&self.number);
        if let Some(link) = link {
            info!(agent = link.agent, "an agent has gone");
        }
    }
}

/// Ends the sessions of a connection that is no longer served.
#[derive(Default)]
struct Served(Mutex<Vec<Session<Dialer>>>);

impl Served {
    /// Sessions of calls that have ended are forgotten, or a peer could make any number of them.
    fn add(&self, session: &Session<Dialer>) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|other| !other.with(|machine| machine.is_lost()));
        sessions.push(session.clone());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let sessions = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        for session in sessions {
            session.with(|machine| machine.lost("the connection of the agent was ended"));
        }
    }
}

impl Inner {
    fn links(&self) -> std::sync::MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Agents {
    /// No agents yet.
    #[must_use]
    pub fn new(config: AgentsConfig) -> Self {
        Self(Arc::new(Inner {
            config,
            links: Mutex::default(),
            counts: Counts::default(),
        }))
    }

    /// Serves a connection that negotiated `h2` (upstream's agents insist) until it ends. `admission` is what the certificate says.
    /// Dropping the future ends the connection and everything on it at once: do that when the certificate ends or is revoked.
    ///
    /// # Errors
    /// The connection broke. That an agent leaves is no error.
    pub async fn serve(&self, io: impl Io, admission: Admission) -> Result<(), ServeError> {
        self.serve_and_tell(io, admission, None).await
    }

    /// As [`Agents::serve`], and tells of agents that may serve as they come and go.
    pub(crate) async fn serve_and_tell(
        &self,
        io: impl Io,
        admission: Admission,
        serving: Option<Serving>,
    ) -> Result<(), ServeError> {
        let served = Arc::new(Served::default());
        let ends = Arc::clone(&served);
        let agents = self.clone();
        let method = move |request: Request| {
            let answer = agents.connect(request, admission.clone(), serving.as_ref(), &ends);
            std::future::ready(answer)
        };
        let outcome = grpc::serve(io, CONNECT, None, method).await;
        drop(served);
        Ok(outcome?)
    }

    fn connect(
        &self,
        request: Request,
        admission: Admission,
        serving: Option<&Serving>,
        served: &Served,
    ) -> Result<Response<impl Stream<Item = Message> + Send + use<>>, Status> {
        let (agent, identifiers) =
            self.admit(request.metadata(), &admission)
                .inspect_err(|why| {
                    Counts::add(&self.0.counts.refused);
                    if why.code() == Code::PermissionDenied {
                        Counts::add(&self.0.counts.foreign);
                    }
                    warn!(why = why.message(), ?admission, "refused an agent");
                })?;
        let config = &self.0.config;
        let session = Session::new(Dialer::new(config.limits));
        served.add(&session);
        info!(agent, ?admission, %identifiers, "an agent connects");
        let serving = serving.map(|serving| serving(&identifiers));
        let link = Link {
            agent,
            admission,
            identifiers,
            session: session.clone(),
        };
        let pump = deliver(session.clone(), config.limits.hold, request.into_inner());
        let owned = Owned::new(session.clone(), Some(tokio::spawn(pump)));
        let mut links = self.0.links();
        links.next += 1;
        let number = links.next;
        links.all.insert(number, Arc::new(link));
        drop(links);
        let registered = Registered {
            inner: Arc::clone(&self.0),
            number,
            _session: owned,
            _serving: serving,
        };
        let mut response = Response::new(Outbound::new(session, registered));
        let metadata = response.metadata_mut();
        metadata.insert("serverid", ascii(&config.server_id)?);
        metadata.insert("servercount", ascii(&config.server_count.to_string())?);
        Ok(response)
    }

    fn admit(
        &self,
        metadata: &MetadataMap,
        admission: &Admission,
    ) -> Result<(String, Identifiers), Status> {
        let agent = one(metadata, "agentid")?
            .filter(|name| !name.is_empty() && name.len() <= NAME)
            .ok_or_else(|| Status::invalid_argument("expected one agentID"))?;
        let identifiers: Identifiers = one(metadata, "agentidentifiers")?
            .unwrap_or_default()
            .parse()
            .map_err(|error| Status::invalid_argument(format!("agentIdentifiers: {error}")))?;
        if let Admission::Clusters(clusters) = admission {
            let foreign = identifiers
                .hosts
                .iter()
                .find(|host| !clusters.contains(host));
            if let Some(host) = foreign {
                return Err(Status::permission_denied(format!(
                    "the certificate does not list the cluster {host:?}"
                )));
            }
        }
        Ok((agent, identifiers))
    }

    /// Whether an agent that serves this cluster is connected.
    #[must_use]
    pub fn serves(&self, cluster: &str) -> bool {
        !self
            .found(|candidates| for_cluster(candidates, cluster))
            .is_empty()
    }

    /// Connects to a target through an agent whose certificate lists the cluster. If its tunnel ends meanwhile, a second agent is tried.
    ///
    /// # Errors
    /// No agent serves the cluster, or the dial failed.
    pub async fn dial_cluster(&self, cluster: &str, target: &str) -> Result<BoxIo, DialError> {
        let links = self.found(|candidates| for_cluster(candidates, cluster));
        let missing = || DialError::NoAgent(format!("no agent serves the cluster {cluster:?}"));
        self.dial_first(&links, target, missing).await
    }

    /// Connects to a target through an agent that says it can reach it.
    ///
    /// # Errors
    /// No strategy gives an agent, or the dial failed.
    pub async fn dial_host(
        &self,
        strategies: &[Strategy],
        target: &str,
    ) -> Result<BoxIo, DialError> {
        let host = host_of(target).ok_or_else(|| DialError::Target(target.to_owned()))?;
        let links = self.found(|candidates| for_host(candidates, strategies, host));
        let missing = || DialError::NoAgent(format!("no agent can reach {host:?}"));
        self.dial_first(&links, target, missing).await
    }

    fn found(
        &self,
        choose: impl Fn(&[super::route::Candidate<'_>]) -> Vec<usize>,
    ) -> Vec<Arc<Link>> {
        let links: Vec<_> = self.0.links().all.values().cloned().collect();
        let links: Vec<_> = links
            .into_iter()
            .filter(|link| !link.session.with(|machine| machine.is_lost()))
            .collect();
        let candidates: Vec<_> = links.iter().map(|link| link.candidate()).collect();
        let places = choose(&candidates);
        places
            .into_iter()
            .map(|place| Arc::clone(&links[place]))
            .collect()
    }

    async fn dial_first(
        &self,
        links: &[Arc<Link>],
        target: &str,
        missing: impl Fn() -> DialError,
    ) -> Result<BoxIo, DialError> {
        let counts = &self.0.counts;
        let mut outcome = Err(missing());
        for link in links.iter().take(2) {
            let timeout = self.0.config.dial_timeout;
            outcome = session::dial(&link.session, target, timeout)
                .await
                .map(|stream| -> BoxIo { Box::new(stream) });
            if !matches!(outcome, Err(DialError::Lost(_))) {
                break;
            }
        }
        Counts::add(match &outcome {
            Ok(_) => &counts.dialed,
            Err(DialError::NoAgent(_)) => &counts.no_agent,
            Err(_) => &counts.failed,
        });
        outcome
    }

    /// Counts for metrics.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let links: Vec<_> = self.0.links().all.values().cloned().collect();
        let load = links
            .iter()
            .map(|link| link.session.with(|machine| machine.load()));
        self.0.counts.read(links.len(), load.sum())
    }
}

/// The host of `host:port`, without the brackets of an IPv6 address.
fn host_of(target: &str) -> Option<&str> {
    let (host, _) = target.rsplit_once(':')?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    Some(bare.unwrap_or(host)).filter(|host| !host.is_empty())
}

fn one(metadata: &MetadataMap, key: &str) -> Result<Option<String>, Status> {
    let mut values = metadata.get_all(key).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Status::invalid_argument(format!("more than one {key}")));
    }
    let text = first.map(|value| value.to_str().map(str::to_owned));
    text.transpose()
        .map_err(|_| Status::invalid_argument(format!("{key} is not text")))
}

fn ascii(text: &str) -> Result<AsciiMetadataValue, Status> {
    text.parse()
        .map_err(|_| Status::internal("this server's id is not ASCII"))
}
