//! First contact with a hub: socket, TLS, first messages.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::keeper::Material;
use crate::address::HostPort;
use crate::identity::{AgentIdentity, Trust};
use crate::seams::{BoxIo, Connector, Seams};
use crate::tls::{self, TlsError};
use crate::transport::{Meter, Metered};
use crate::wire::{
    ALPN_ENROLL, ALPN_TUNNEL, AgentHello, Class, EnrollAnswer, EnrollRequest, FrameError,
    HubAnswer, Issued, Refusal, Refused, VERSION, enroll_answer, hub_answer, read_message,
    write_message,
};

/// A hub cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub enum ContactError {
    /// No socket.
    #[error("the hub cannot be reached")]
    Connect(#[source] io::Error),
    /// It took too long.
    #[error("the hub did not answer within {0:?}")]
    Timeout(Duration),
    /// The TLS handshake failed: most likely the hub is not the one that is trusted.
    #[error("no TLS session with the hub")]
    Tls(#[source] io::Error),
    /// Our own settings are wrong.
    #[error("the agent's own settings cannot be used")]
    Settings(#[source] TlsError),
    /// The server name is not a DNS name or address.
    #[error("{0:?} is not the name of a server")]
    ServerName(String),
    /// The other side speaks TLS, but not our protocol.
    #[error("the other side is not the tunnel endpoint of a hub: see its --tunnel-listen")]
    Protocol,
    /// The connection broke, or the hub rejected our certificate, which TLS 1.3 tells late.
    #[error("the hub ended the connection: {0}")]
    Broken(String),
    /// The hub said no.
    #[error("the hub refuses ({refusal}): {detail}")]
    Refused {
        /// Why.
        refusal: Refusal,
        /// The hub's sentence, made printable.
        detail: String,
        /// Do not come back earlier.
        retry_after: Duration,
    },
}

impl ContactError {
    /// Whether trying again is pointless until someone changes something.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Refused { refusal, .. } if !refusal.is_temporary())
    }

    /// What the hub asked for.
    pub(crate) fn retry_after(&self) -> Duration {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => Duration::ZERO,
        }
    }

    fn refused(refused: Refused) -> Self {
        let detail: String = refused
            .detail
            .chars()
            .filter(|c| !c.is_control())
            .take(300)
            .collect();
        let refusal = refused.code.parse().unwrap_or(Refusal::Protocol);
        Self::Refused {
            refusal,
            detail: if detail.is_empty() {
                unsaid(refusal).to_owned()
            } else {
                detail
            },
            retry_after: Duration::from_millis(refused.retry_after_ms),
        }
    }
}

/// What there is to know about a refusal whose reason the hub does not tell to strangers.
fn unsaid(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::ExpiredToken => {
            "the bootstrap token's time is over; fedctl join CLUSTER --tunnel --new-token makes another"
        }
        Refusal::UnknownToken => {
            "the hub has no such bootstrap token: it is mistyped, or expired more than an hour ago; fedctl join CLUSTER --tunnel --new-token makes another"
        }
        Refusal::UsedToken => {
            "another key has used the bootstrap token: if it was not this agent's, revoke that certificate; fedctl join CLUSTER --tunnel --new-token makes another"
        }
        _ => "no more is said",
    }
}

impl From<FrameError> for ContactError {
    fn from(error: FrameError) -> Self {
        let text = match &error {
            FrameError::Io(source) => source.to_string(),
            other => other.to_string(),
        };
        // TLS tells by an alert after the handshake that it did not like our certificate.
        let refusal = match &error {
            FrameError::Io(source) => alert(source),
            FrameError::TooLong(_) | FrameError::Malformed(_) => None,
        };
        match refusal {
            Some(refusal) => Self::Refused {
                refusal,
                detail: text,
                retry_after: Duration::ZERO,
            },
            None => Self::Broken(text),
        }
    }
}

/// What ended a TLS handshake. An ordinary TLS server (the hub's API, most likely) knows none of our protocols.
fn no_session(error: io::Error) -> ContactError {
    match received(&error) {
        Some(rustls::AlertDescription::NoApplicationProtocol) => ContactError::Protocol,
        _ => ContactError::Tls(error),
    }
}

/// The alert that the other side sent, if that was the error.
fn received(error: &io::Error) -> Option<rustls::AlertDescription> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

fn alert(error: &io::Error) -> Option<Refusal> {
    use rustls::AlertDescription as Alert;
    match received(error)? {
        Alert::CertificateExpired => Some(Refusal::ExpiredCertificate),
        Alert::CertificateRevoked => Some(Refusal::Revoked),
        Alert::CertificateRequired => Some(Refusal::NoCertificate),
        Alert::UnknownCA
        | Alert::BadCertificate
        | Alert::CertificateUnknown
        | Alert::UnsupportedCertificate
        | Alert::DecryptError => Some(Refusal::UntrustedCertificate),
        _ => None,
    }
}

/// What a contact needs to know.
pub(crate) struct Contact<'a> {
    pub(crate) connector: &'a dyn Connector,
    pub(crate) hub: &'a HostPort,
    pub(crate) server_name: &'a str,
    pub(crate) seams: &'a Seams,
    pub(crate) timeout: Duration,
}

/// A TLS session with a hub.
pub(crate) type Socket = TlsStream<Metered<BoxIo>>;

impl Contact<'_> {
    async fn open(
        &self,
        trust: &Trust,
        identity: Option<&AgentIdentity>,
        protocol: &[u8],
        meter: &Arc<Meter>,
    ) -> Result<Socket, ContactError> {
        let config =
            tls::client(trust, identity, protocol, self.seams).map_err(ContactError::Settings)?;
        let name = ServerName::try_from(self.server_name.to_owned())
            .map_err(|_| ContactError::ServerName(self.server_name.to_owned()))?;
        let io = self
            .connector
            .connect(self.hub)
            .await
            .map_err(ContactError::Connect)?;
        let socket = TlsConnector::from(config)
            .connect(name, Metered::new(io, meter.clone()))
            .await
            .map_err(no_session)?;
        if socket.get_ref().1.alpn_protocol() == Some(protocol) {
            Ok(socket)
        } else {
            Err(ContactError::Protocol)
        }
    }

    /// Makes a tunnel connection. After it, the hub speaks HTTP/2 as a client.
    pub(crate) async fn tunnel(
        &self,
        material: &Material,
        hello: &AgentHello,
        meter: &Arc<Meter>,
    ) -> Result<Socket, ContactError> {
        let talk = async {
            let identity = Some(&*material.identity);
            let mut socket = self
                .open(&material.trust, identity, ALPN_TUNNEL, meter)
                .await?;
            write_message(&mut socket, hello)
                .await
                .map_err(FrameError::from)?;
            let answer: HubAnswer = read_message(&mut socket).await?;
            match answer.verdict {
                Some(hub_answer::Verdict::Welcome(welcome)) => {
                    tracing::debug!(hub = welcome.hub, "welcome");
                    Ok(socket)
                }
                Some(hub_answer::Verdict::Refused(refused)) => Err(ContactError::refused(refused)),
                None => Err(ContactError::Protocol),
            }
        };
        timeout(self.timeout, talk)
            .await
            .unwrap_or(Err(ContactError::Timeout(self.timeout)))
    }

    /// Asks for a certificate.
    pub(crate) async fn enroll(
        &self,
        trust: &Trust,
        identity: Option<&AgentIdentity>,
        request: &EnrollRequest,
    ) -> Result<Issued, ContactError> {
        let talk = async {
            let mut socket = self
                .open(trust, identity, ALPN_ENROLL, &Meter::new())
                .await?;
            write_message(&mut socket, request)
                .await
                .map_err(FrameError::from)?;
            let answer: EnrollAnswer = read_message(&mut socket).await?;
            match answer.verdict {
                Some(enroll_answer::Verdict::Issued(issued)) => Ok(issued),
                Some(enroll_answer::Verdict::Refused(refused)) => {
                    Err(ContactError::refused(refused))
                }
                None => Err(ContactError::Protocol),
            }
        };
        timeout(self.timeout, talk)
            .await
            .unwrap_or(Err(ContactError::Timeout(self.timeout)))
    }
}

/// The hello of one connection.
pub(crate) fn hello(agent: &str, software: &str, class: Class, clusters: &[String]) -> AgentHello {
    AgentHello {
        version: VERSION,
        agent: agent.to_owned(),
        software: software.to_owned(),
        class: class.number(),
        clusters: clusters.to_vec(),
    }
}
