//! From access data to a client.

use std::sync::Arc;
use std::time::Duration;

use federation_api::KubeFedCluster;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::config::AuthInfo;

use super::access::{AccessError, Credentials, MemberAccess};
use crate::clients::{self, Fence, GuardLayer};
use crate::work::{Limiter, RateLimit};

/// Why no client for a member could be made.
#[derive(Debug, thiserror::Error)]
pub enum MemberConnectError {
    /// The access data was accepted but cannot be used.
    #[error("no client can be built from the access data")]
    Client(#[from] clients::ConnectError),
    /// The cluster asks for its agent's tunnel, and this connector has none.
    #[error(
        "the cluster is to be reached through its agent's tunnel, which this controller does not serve"
    )]
    NoTunnel,
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
}

/// Dials the member's API server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

impl Connector for Direct {
    fn connect(
        &self,
        _name: &str,
        access: &MemberAccess,
        guard: &GuardLayer,
    ) -> Result<Client, MemberConnectError> {
        if access.tunnel {
            return Err(MemberConnectError::NoTunnel);
        }
        let mut config = kube::Config::new(access.endpoint.clone());
        config.root_cert.clone_from(&access.roots);
        config.proxy_url.clone_from(&access.proxy);
        config.auth_info = auth_info(&access.credentials);
        Ok(clients::connect(&config, access.checks, guard)?)
    }
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
/// the one that the cluster's `spec.secretRef` names, if it exists. Nothing is sent yet.
///
/// # Errors
/// If the access data is unusable, or the member is to be reached through its agent's tunnel only.
pub fn member_client(
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
    Ok(Direct.connect(name, &access, &guard)?)
}
