//! From a socket to a verdict: TLS, the first messages, and who it is.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::end::End;
use super::peers::{self, PeerSession};
use super::session::{self, Newcomer};
use super::tunnels::Inner;
use super::upstream_agents::{self, UpstreamAgent};
use crate::cluster::{ClusterId, ClusterName};
use crate::identity::{AgentCertificate, CertificateProblem, Proof, judge, peer_name};
use crate::seams::{ACCEPT_PAUSE, BoxIo, Listener};
use crate::tls;
use crate::transport::{Meter, Metered};
use crate::wire::{
    ALPN_ENROLL, ALPN_PEER, ALPN_TUNNEL, AgentHello, Class, EnrollAnswer, EnrollRequest,
    FrameError, HubAnswer, Refusal, Refused, VERSION, Welcome, enroll_answer, hub_answer,
    read_message, write_message,
};

/// A TLS session with an agent.
pub(crate) type Socket = TlsStream<Metered<BoxIo>>;

/// A refused peer, and what to log about it beyond the code.
struct Rejected {
    refusal: Refusal,
    detail: String,
}

impl Rejected {
    fn new(refusal: Refusal, detail: impl std::fmt::Display) -> Self {
        Self {
            refusal,
            detail: detail.to_string(),
        }
    }
}

impl From<FrameError> for Rejected {
    fn from(error: FrameError) -> Self {
        let refusal = match error {
            FrameError::TooLong(_) => Refusal::Oversized,
            FrameError::Malformed(_) => Refusal::Malformed,
            FrameError::Io(_) => Refusal::Protocol,
        };
        Self::new(refusal, error)
    }
}

/// What came of a handshake.
enum Outcome {
    /// An agent that may serve.
    Agent(Box<Newcomer>),
    /// An agent of konnectivity's that may serve.
    Upstream(Box<UpstreamAgent>),
    /// Another process of this hub.
    Peer(Box<PeerSession>),
    /// It asked for a certificate and is done.
    Enrolled,
}

/// Accepts until `stop`.
pub(crate) async fn serve(inner: Arc<Inner>, mut listener: impl Listener, stop: CancellationToken) {
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = tasks.join_next() => continue,
            accepted = async {
                // The semaphore is never closed.
                let permit = inner.handshakes.clone().acquire_owned().await.ok();
                (permit, listener.accept().await)
            } => accepted,
        };
        match accepted {
            (permit, Ok((io, from))) => {
                let inner = inner.clone();
                tasks.spawn(async move { take(inner, io, &from, permit).await });
            }
            (_, Err(error)) => {
                tracing::warn!(error = %error, "the tunnel's listener failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    for link in inner.registry.all_links() {
        link.close(End::Stopped);
    }
    // Connections end by themselves now; handshakes are not waited for.
    tasks.shutdown().await;
}

/// One socket's whole life.
async fn take<P>(inner: Arc<Inner>, io: BoxIo, from: &str, permit: P) {
    let meter = Meter::new();
    let handshake = handshake(&inner, io, &meter, from);
    let outcome = timeout(inner.config.handshake_timeout, handshake)
        .await
        .unwrap_or_else(|_| {
            Err(Rejected::new(
                Refusal::Timeout,
                "the handshake took too long",
            ))
        });
    drop(permit);
    match outcome {
        Ok(Outcome::Agent(newcomer)) => session::run(&inner, *newcomer, from).await,
        Ok(Outcome::Upstream(agent)) => upstream_agents::run(&inner, *agent, from).await,
        Ok(Outcome::Peer(session)) => peers::run(&inner, *session, from).await,
        Ok(Outcome::Enrolled) => {}
        // Whoever only looks whether the port is open, as load balancers do.
        Err(rejected) if rejected.refusal == Refusal::Protocol && meter.read() == 0 => {
            tracing::debug!(from, "a connection to the tunnel ended without a word");
        }
        Err(rejected) => {
            inner.counters.refused(rejected.refusal);
            tracing::warn!(from, code = %rejected.refusal, detail = rejected.detail, "refused a connection to the tunnel");
        }
    }
}

async fn handshake(
    inner: &Inner,
    io: BoxIo,
    meter: &Arc<Meter>,
    from: &str,
) -> Result<Outcome, Rejected> {
    let config = inner
        .tls()
        .map_err(|error| Rejected::new(Refusal::Internal, error))?;
    let mut socket = TlsAcceptor::from(config)
        .accept(Metered::new(io, meter.clone()))
        .await
        .map_err(|error| Rejected::new(tls::classify(&error), error))?;
    let (_, session) = socket.get_ref();
    let protocol = session.alpn_protocol().map(<[u8]>::to_vec);
    let shown = session.peer_certificates().and_then(<[_]>::first);
    let peer = shown.and_then(peer_name);
    let certificate = shown.map(AgentCertificate::read);
    match protocol.as_deref() {
        Some(ALPN_ENROLL) => enroll(inner, &mut socket, certificate, from)
            .await
            .map(|()| Outcome::Enrolled),
        Some(ALPN_TUNNEL) => match admit(inner, &mut socket, certificate).await {
            Ok(admitted) => {
                let answer = hub_answer::Verdict::Welcome(Welcome {
                    hub: inner.config.name.clone(),
                    version: VERSION,
                });
                answer_hello(&mut socket, answer).await?;
                Ok(Outcome::Agent(Box::new(Newcomer {
                    socket,
                    meter: meter.clone(),
                    admitted,
                })))
            }
            Err(rejected) => {
                let answer = hub_answer::Verdict::Refused(refused(&rejected));
                // It is told why, if it still listens.
                let _ = answer_hello(&mut socket, answer).await;
                let _ = socket.shutdown().await;
                Err(rejected)
            }
        },
        Some(ALPN_PEER) => {
            let Some(peer) = peer else {
                return Err(Rejected::new(
                    Refusal::UntrustedCertificate,
                    "the certificate is not of a process of the hub",
                ));
            };
            let session = peers::admit(socket, peer).await?;
            Ok(Outcome::Peer(Box::new(session)))
        }
        Some(upstream_agents::ALPN) => admit_upstream(inner, socket, meter, certificate),
        _ => Err(Rejected::new(
            Refusal::Protocol,
            "none of the tunnel's protocols",
        )),
    }
}

fn refused(rejected: &Rejected) -> Refused {
    Refused {
        code: rejected.refusal.code().to_owned(),
        detail: rejected.detail.clone(),
        retry_after_ms: if rejected.refusal == Refusal::Draining {
            1000
        } else {
            0
        },
    }
}

async fn answer_hello(socket: &mut Socket, verdict: hub_answer::Verdict) -> Result<(), Rejected> {
    let answer = HubAnswer {
        verdict: Some(verdict),
    };
    write_message(socket, &answer)
        .await
        .map_err(|error| Rejected::new(Refusal::Protocol, error))
}

/// Who a newcomer is, and what it may serve.
pub(crate) struct Admitted {
    pub(crate) agent: String,
    pub(crate) software: String,
    pub(crate) class: Class,
    pub(crate) clusters: Vec<ClusterName>,
    pub(crate) certificate: AgentCertificate,
}

/// Who shows this certificate, and which of its clusters may be served.
fn known(
    inner: &Inner,
    certificate: Presented,
) -> Result<(AgentCertificate, Vec<ClusterId>), Rejected> {
    let certificate = match certificate {
        None => {
            return Err(Rejected::new(
                Refusal::NoCertificate,
                "an agent must show a client certificate",
            ));
        }
        Some(Err(problem)) => return Err(Rejected::new(Refusal::UntrustedCertificate, problem)),
        Some(Ok(certificate)) => certificate,
    };
    let good = judge(&*inner.directory, &certificate, inner.seams.now()).map_err(|refusal| {
        let names: Vec<_> = certificate
            .clusters()
            .iter()
            .map(ToString::to_string)
            .collect();
        Rejected::new(
            refusal,
            format!(
                "certificate {} for {}",
                certificate.serial(),
                names.join(", ")
            ),
        )
    })?;
    Ok((certificate, good))
}

/// An upstream agent has no hello of ours: TLS is all that is known of it.
fn admit_upstream(
    inner: &Inner,
    socket: Socket,
    meter: &Arc<Meter>,
    certificate: Presented,
) -> Result<Outcome, Rejected> {
    let agents = inner
        .upstream_agents()
        .cloned()
        .ok_or_else(|| Rejected::new(Refusal::Protocol, "upstream agents are not served here"))?;
    if inner.draining.load(Ordering::Relaxed) {
        return Err(Rejected::new(Refusal::Draining, "the hub is about to stop"));
    }
    let (certificate, good) = known(inner, certificate)?;
    Ok(Outcome::Upstream(Box::new(UpstreamAgent {
        socket,
        meter: meter.clone(),
        clusters: good.iter().map(|id| id.name().clone()).collect(),
        certificate,
        agents,
    })))
}

type Presented = Option<Result<AgentCertificate, CertificateProblem>>;

async fn admit(
    inner: &Inner,
    socket: &mut Socket,
    certificate: Presented,
) -> Result<Admitted, Rejected> {
    let hello: AgentHello = read_message(socket).await?;
    if inner.draining.load(Ordering::Relaxed) {
        return Err(Rejected::new(Refusal::Draining, "the hub is about to stop"));
    }
    let (certificate, good) = known(inner, certificate)?;
    let mut clusters: Vec<ClusterName> = good.iter().map(|id| id.name().clone()).collect();
    if let Some(foreign) = hello.clusters.iter().find(|name| {
        !certificate
            .clusters()
            .iter()
            .any(|id| id.name().as_str() == **name)
    }) {
        let foreign: String = foreign.chars().take(253).collect();
        return Err(Rejected::new(
            Refusal::ForeignCluster,
            format!(
                "certificate {} does not list cluster {foreign:?}",
                certificate.serial()
            ),
        ));
    }
    if !hello.clusters.is_empty() {
        clusters.retain(|name| hello.clusters.iter().any(|wanted| wanted == name.as_str()));
    }
    if clusters.is_empty() {
        return Err(Rejected::new(
            Refusal::UnknownCluster,
            "none of the clusters exists",
        ));
    }
    let valid = |text: &str, most: usize| {
        text.len() <= most && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
    };
    if hello.agent.is_empty() || !valid(&hello.agent, 64) || !valid(&hello.software, 128) {
        return Err(Rejected::new(
            Refusal::Malformed,
            "the agent's id or software is not text",
        ));
    }
    inner
        .registry
        .admits(&hello.agent, &clusters)
        .map_err(|refusal| Rejected::new(refusal, "too many connections"))?;
    Ok(Admitted {
        agent: hello.agent,
        software: hello.software,
        class: Class::from_number(hello.class),
        clusters,
        certificate,
    })
}

async fn enroll(
    inner: &Inner,
    socket: &mut Socket,
    certificate: Presented,
    from: &str,
) -> Result<(), Rejected> {
    let request: EnrollRequest = read_message(socket).await?;
    let proof = match certificate {
        Some(Ok(certificate)) => Proof::Certificate(certificate),
        _ => Proof::None,
    };
    let outcome = inner.enrollment.answer(&request, &proof).await;
    let (verdict, result) = match outcome {
        Ok((issued, clusters)) => {
            let renewal = request.token.is_empty();
            let counter = if renewal {
                &inner.counters.renewed
            } else {
                &inner.counters.enrolled
            };
            counter.fetch_add(1, Ordering::Relaxed);
            let names: Vec<_> = clusters.iter().map(ToString::to_string).collect();
            tracing::info!(
                from,
                clusters = names.join(", "),
                renewal,
                "issued an agent's certificate"
            );
            (enroll_answer::Verdict::Issued(issued), Ok(()))
        }
        Err(denied) => {
            // Whoever has no valid token learns nothing but the code.
            let answer = Refused {
                code: denied.refusal.code().to_owned(),
                ..Refused::default()
            };
            let rejected = Rejected::new(denied.refusal, denied.detail);
            (enroll_answer::Verdict::Refused(answer), Err(rejected))
        }
    };
    let answer = EnrollAnswer {
        verdict: Some(verdict),
    };
    write_message(socket, &answer)
        .await
        .map_err(|error| Rejected::new(Refusal::Protocol, error))?;
    let _ = socket.shutdown().await;
    result
}
