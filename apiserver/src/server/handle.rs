//! A running server, held by the program that embeds it.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::certificates::{Certificates, CertificatesError, Identity};
use super::controllers::Controllers;
use super::kubeconfig::{Credential, Kubeconfig};
use crate::api::Api;
use crate::http::Phase;

/// A running server. Dropping the handle does not stop it; [`ServerHandle::shutdown`] does.
pub struct ServerHandle {
    pub(super) address: SocketAddr,
    pub(super) api: Api,
    pub(super) certificates: Certificates,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) shutdown_delay: Duration,
    /// Ends the accept loop.
    pub(super) accepting: CancellationToken,
    pub(super) controllers: Controllers,
    pub(super) listener: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl std::fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServerHandle({})", self.address)
    }
}

impl ServerHandle {
    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for clients on this machine: `https://127.0.0.1:<port>` if it listens on all addresses.
    pub fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("https://{address}")
    }

    /// The CA that clients must trust, PEM.
    pub fn ca_pem(&self) -> &str {
        self.certificates.ca_pem()
    }

    /// The certificates, to issue more client certificates from.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// What the verbs work on, for programs that read or write in process.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// A kubeconfig of the administrator, whose cluster and context are called `name`.
    ///
    /// # Errors
    /// If the administrator's certificate cannot be made.
    pub fn kubeconfig(&self, name: &str) -> Result<Kubeconfig, CertificatesError> {
        let identity = self.certificates.admin()?;
        Ok(self.kubeconfig_for(name, "kubernetes-admin", identity))
    }

    /// A kubeconfig of another user, who has a client certificate.
    pub fn kubeconfig_for(&self, name: &str, user: &str, identity: Identity) -> Kubeconfig {
        Kubeconfig {
            cluster: name.to_owned(),
            user: user.to_owned(),
            server: self.url(),
            ca_pem: self.ca_pem().to_owned(),
            credential: Credential::Certificate(identity),
        }
    }

    /// Is everything served now?
    pub fn is_ready(&self) -> bool {
        *self.phase.borrow() == Phase::Ready
    }

    /// Waits until everything is served (or the server goes down again).
    pub async fn ready(&self) {
        let mut phase = self.phase.subscribe();
        // The sender lives as long as `self`.
        let _ = phase.wait_for(|phase| *phase != Phase::Starting).await;
    }

    /// Ends the server: `/readyz` fails, new connections are refused, requests in flight and watches end, controllers
    /// stop, the store is closed. Calls after the first return when the listener has ended.
    pub async fn shutdown(&self) {
        self.phase.send_replace(Phase::Draining);
        tokio::time::sleep(self.shutdown_delay).await;
        self.stop_tasks().await;
        self.api.store.clone().close().await;
    }

    /// Ends everything that runs, but leaves the store open.
    pub(super) async fn stop_tasks(&self) {
        self.accepting.cancel();
        self.api.cache.end_watches();
        let listener = self
            .listener
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        if let Some(listener) = listener {
            // A listener that panicked has said so already.
            let _ = listener.await;
        }
        self.controllers.end().await;
    }
}
