//! From access data to a client.

use kube::Client;
use kube::config::AuthInfo;

use super::access::{Credentials, MemberAccess};
use crate::clients::{self, GuardLayer};

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
