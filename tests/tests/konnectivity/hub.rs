//! Our hub as a server for agents on loopback, and an HTTP target.

use std::sync::Arc;
use std::time::Duration;

use federation_tunnel::konnectivity::{Admission, Agents, AgentsConfig};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::programs::Keys;

/// Long enough for a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The cluster that agents of these tests serve.
pub(crate) const CLUSTER: &str = "member";

/// Our hub, with a listener for agents of one cluster.
pub(crate) struct Hub {
    pub(crate) agents: Agents,
    pub(crate) port: u16,
    task: JoinHandle<()>,
}

impl Hub {
    pub(crate) async fn start(keys: &Keys, admission: Admission) -> Self {
        let mut config = AgentsConfig::new("hub-1");
        config.limits.hold = Some(Duration::from_millis(500));
        let agents = Agents::new(config);
        let acceptor = acceptor(keys);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let hub = agents.clone();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, hub) = (acceptor.clone(), hub.clone());
                let admission = admission.clone();
                tokio::spawn(async move {
                    if let Ok(tls) = acceptor.accept(socket).await {
                        let _ = hub.serve(tls, admission).await;
                    }
                });
            }
        });
        Self { agents, port, task }
    }

    pub(crate) async fn of_cluster(keys: &Keys) -> Self {
        Self::start(keys, Admission::Clusters(vec![CLUSTER.to_owned()])).await
    }

    /// Waits until so many agents are connected.
    pub(crate) async fn has_agents(&self, count: u64) {
        until("agents are connected", || {
            self.agents.counters().agents == count
        })
        .await;
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_| panic!("not in time: {what}"));
}

fn pem(keys: &Keys, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_file_iter(keys.path(&format!("{name}.crt")))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let key = PrivateKeyDer::from_pem_file(keys.path(&format!("{name}.key"))).unwrap();
    (chain, key)
}

fn roots(keys: &Keys) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(keys.path("ca.crt")).unwrap();
    roots.add(ca).unwrap();
    roots
}

/// TLS with client certificates and `h2`, as the hub's.
pub(crate) fn acceptor(keys: &Keys) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots(keys)), provider.clone())
            .build()
            .unwrap();
    let (chain, key) = pem(keys, "server");
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"koinon-tunnel/1".to_vec(), b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// TLS as an agent.
pub(crate) fn agent_tls(keys: &Keys) -> ClientConfig {
    let (chain, key) = pem(keys, "agent");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(keys))
        .with_client_auth_cert(chain, key)
        .unwrap()
}

/// TLS as a server that asks for no certificate: what a kubelet shows.
pub(crate) fn plain_acceptor(keys: &Keys) -> TlsAcceptor {
    let (chain, key) = pem(keys, "server");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// An HTTP server that greets. Upstream's test client wants a port below the range of outgoing connections.
pub(crate) async fn http_target(port: u16) -> JoinHandle<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _ = socket.read(&mut head).await;
                let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 21\r\n\r\nhello from the target";
                let _ = socket.write_all(answer).await;
                let _ = socket.shutdown().await;
            });
        }
    })
}
