//! From access data to a client.

use std::sync::Arc;
use std::time::Duration;

use federation_api::KubeFedCluster;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::config::AuthInfo;
use tokio::sync::watch;

use super::access::{AccessError, Credentials, MemberAccess};
use super::remote_tunnels::RemoteTunnels;
use super::tunnel::{TunnelConnector, TunnelState, Tunnels};
use crate::clients::{self, Fence, GuardLayer};
use crate::work::{Env, Limiter, RateLimit};

/// Why no client for a member could be made.
#[derive(Debug, thiserror::Error)]
pub enum MemberConnectError {
    /// The access data was accepted but cannot be used.
    #[error("no client can be built from the access data")]
    Client(#[from] clients::ConnectError),
}

/// Makes clients for members. Called by the cluster's own loop, once per change of its access data.
pub trait Connector: Send + Sync + 'static {
    /// A client for the physical cluster `name`. Must not wait for the network.
    ///
    /// # Errors
    /// If the access data cannot be used; the cluster is then `ConfigMalformed`.
    fn connect(
        &self,
        name: &str,
        access: &MemberAccess,
        guard: &GuardLayer,
    ) -> Result<Client, MemberConnectError>;

    /// Whether the agents of a cluster that asks for its tunnel are connected, now and from now on; `None` if nobody can tell.
    fn tunnel(&self, name: &str) -> Option<watch::Receiver<TunnelState>> {
        let _ = name;
        None
    }
}

/// Picks the way that a cluster asks for.
#[derive(Clone)]
pub struct Ways {
    tunnels: Arc<dyn Tunnels>,
}

impl Ways {
    /// Directly, or through these tunnels.
    #[must_use]
    pub fn new(tunnels: Arc<dyn Tunnels>) -> Self {
        Self { tunnels }
    }
}

impl Connector for Ways {
    fn connect(
        &self,
        name: &str,
        access: &MemberAccess,
        guard: &GuardLayer,
    ) -> Result<Client, MemberConnectError> {
        let mut config = config(access);
        if !access.tunnel {
            config.proxy_url.clone_from(&access.proxy);
            return Ok(clients::connect(&config, access.checks, guard)?);
        }
        let connector = TunnelConnector {
            cluster: name.into(),
            endpoint: access.endpoint.clone(),
            tunnels: self.tunnels.clone(),
        };
        Ok(clients::connect_over(
            &config,
            access.checks,
            guard,
            connector,
        )?)
    }

    fn tunnel(&self, name: &str) -> Option<watch::Receiver<TunnelState>> {
        Some(self.tunnels.state(name))
    }
}

fn config(access: &MemberAccess) -> kube::Config {
    let mut config = kube::Config::new(access.endpoint.clone());
    config.root_cert.clone_from(&access.roots);
    config.auth_info = auth_info(&access.credentials);
    config
}

fn auth_info(credentials: &Credentials) -> AuthInfo {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    match credentials {
        Credentials::Token(token) => AuthInfo {
            token: Some(token.reveal().to_owned().into()),
            ..AuthInfo::default()
        },
        Credentials::Certificate { chain, key } => AuthInfo {
            client_certificate_data: Some(STANDARD.encode(chain)),
            client_key_data: Some(STANDARD.encode(key.reveal()).into()),
            ..AuthInfo::default()
        },
    }
}

/// Why [`member_client`] made no client.
#[derive(Debug, thiserror::Error)]
pub enum MemberClientError {
    /// The cluster or its Secret says something unusable.
    #[error("the cluster's access data cannot be used")]
    Access(#[from] AccessError),
    /// No client can be made of it.
    #[error("no client can be made for the cluster")]
    Connect(#[from] MemberConnectError),
}

/// A client of a member as the controller would make it, for programs that only look something up (`fedctl enable`). `secret` is
/// the one that the cluster's `spec.secretRef` names, if it exists. A member behind a tunnel is reached through the hub that `hub_config`
/// leads to. Nothing is sent yet.
///
/// # Errors
/// If the access data or the hub's configuration is unusable.
pub fn member_client(
    hub_config: &kube::Config,
    cluster: &KubeFedCluster,
    secret: Option<&Secret>,
) -> Result<Client, MemberClientError> {
    let access = MemberAccess::parse(cluster, secret)?;
    let guard = GuardLayer {
        limiter: Arc::new(Limiter::new(RateLimit::MEMBER)),
        fence: Fence::open(),
        timeout: Duration::from_secs(15),
    };
    let name = cluster.metadata.name.as_deref().unwrap_or_default();
    let tunnels =
        RemoteTunnels::new(hub_config, Env::default()).map_err(MemberConnectError::Client)?;
    Ok(Ways::new(Arc::new(tunnels)).connect(name, &access, &guard)?)
}
