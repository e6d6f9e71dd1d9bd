//! One connection to one server.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::{Status, Streaming};

use super::{AgentConfig, Servers};
use crate::konnectivity::dial::Dial;
use crate::konnectivity::grpc::{self, CONNECT, Call};
use crate::konnectivity::machine::Acceptor;
use crate::konnectivity::session::{Outbound, Owned, Session, accept};
use crate::konnectivity::wire::Message;

/// Why a server was not reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("the server cannot be reached")]
    Socket(#[source] io::Error),
    #[error("the token cannot be read")]
    Token(#[source] io::Error),
    #[error("the server does not take this agent")]
    Refused(#[source] Box<Status>),
    #[error("the server says nothing usable of itself: {0}")]
    Header(&'static str),
    #[error("no answer in time")]
    Timeout,
}

/// A connection that a server has welcomed.
pub(super) struct Connection {
    pub(super) server: String,
    pub(super) count: usize,
    pub(super) session: Session<Acceptor>,
    owned: Owned<Acceptor>,
    packets: Streaming<Message>,
    driver: Pin<Box<dyn Future<Output = Result<(), hyper::Error>> + Send>>,
}

impl Connection {
    pub(super) async fn open(
        config: &AgentConfig,
        servers: &dyn Servers,
    ) -> Result<Self, ConnectError> {
        tokio::time::timeout(config.timing.answer, Self::attempt(config, servers))
            .await
            .unwrap_or(Err(ConnectError::Timeout))
    }

    async fn attempt(config: &AgentConfig, servers: &dyn Servers) -> Result<Self, ConnectError> {
        let metadata = metadata(config).await?;
        let io = servers.connect().await.map_err(ConnectError::Socket)?;
        let session = Session::new(Acceptor::new(config.limits));
        let owned = Owned::new(session.clone(), None);
        let outbound = Outbound::new(session.clone(), ());
        let Call {
            response,
            connection,
        } = grpc::call(io, &config.authority, CONNECT, metadata, outbound)
            .await
            .map_err(|status| ConnectError::Refused(Box::new(status)))?;
        let (headers, packets, _) = response.into_parts();
        let count = one(&headers, "servercount")
            .and_then(|text| text.parse().ok())
            .ok_or(ConnectError::Header("no server count"))?;
        let server = one(&headers, "serverid").ok_or(ConnectError::Header("no server ID"))?;
        Ok(Self {
            server: server.to_owned(),
            count,
            session,
            owned,
            packets,
            driver: connection,
        })
    }

    /// Serves what the server dials until the connection ends. Returns why it ended.
    pub(super) async fn serve(self, config: &AgentConfig, dial: Arc<dyn Dial>) -> String {
        let Self {
            session,
            owned: _owned,
            packets,
            driver,
            ..
        } = self;
        // Apart from each other: packets of a connection must go out while others come in.
        tokio::select! {
            why = accept(session, config.limits.hold, packets, dial) => why,
            ended = driver => match ended {
                Ok(()) => "the connection ended".to_owned(),
                Err(error) => error.to_string(),
            },
        }
    }
}

fn one<'a>(headers: &'a MetadataMap, key: &str) -> Option<&'a str> {
    let mut values = headers.get_all(key).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

async fn metadata(config: &AgentConfig) -> Result<MetadataMap, ConnectError> {
    let ascii = |text: &str| {
        text.parse::<AsciiMetadataValue>()
            .map_err(|_| ConnectError::Header("the agent's own values are not ASCII"))
    };
    let mut metadata = MetadataMap::new();
    metadata.insert("agentid", ascii(&config.agent_id)?);
    let identifiers = config.identifiers.to_string();
    metadata.insert("agentidentifiers", ascii(&identifiers)?);
    if let Some(path) = &config.token {
        let token = tokio::fs::read_to_string(path)
            .await
            .map_err(ConnectError::Token)?;
        let mut value = ascii(&format!("Bearer {}", token.trim()))?;
        value.set_sensitive(true);
        metadata.insert("authorization", value);
    }
    Ok(metadata)
}
