//! Upstream's proxy-server and proxy-agent (apiserver-network-proxy), as `cargo xtask upstream` builds them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use federation_tests::upstream::{free_port, upstream_program};
use federation_tunnel::identity::Authority;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::front::Front;
use crate::process::{Process, System};
use crate::role::{LIFE, authority, cluster, identity};

/// How long the two may take to find each other.
const START: Duration = Duration::from_secs(30);
const HOST: &str = "127.0.0.1";

/// The two programs.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    server: PathBuf,
    agent: PathBuf,
}

impl Programs {
    /// `None`: they were not built.
    pub(crate) fn find() -> Option<Self> {
        Some(Self {
            server: upstream_program("konnectivity-server")?,
            agent: upstream_program("konnectivity-agent")?,
        })
    }

    /// Starts both, with certificates of the authority in the directory, and waits until the target is reached through them.
    pub(crate) async fn start(&self, directory: &Path, target: SocketAddr) -> Result<System> {
        write_certificates(&authority(directory)?, directory)?;
        let file = |flag: &str, name: &str| format!("--{flag}={}", directory.join(name).display());
        let socket = directory.join("front.sock");
        let port = free_port();
        let hub = Process::spawn(
            Command::new(&self.server)
                .args([
                    file("cluster-cert", "server.crt"),
                    file("cluster-key", "server.key"),
                    file("cluster-ca-cert", "ca.crt"),
                    format!("--uds-name={}", socket.display()),
                    "--server-port=0".to_owned(),
                    "--mode=http-connect".to_owned(),
                ])
                .args(ports(&[
                    ("agent", port),
                    ("health", free_port()),
                    ("admin", free_port()),
                ])),
        )?;
        let agent = Process::spawn(
            Command::new(&self.agent)
                .args([
                    file("ca-cert", "ca.crt"),
                    file("agent-cert", "agent.crt"),
                    file("agent-key", "agent.key"),
                    format!("--proxy-server-host={HOST}"),
                    "--sync-interval=100ms".to_owned(),
                ])
                .args(ports(&[
                    ("proxy-server", port),
                    ("health-server", free_port()),
                    ("admin-server", free_port()),
                ])),
        )?;
        let front = Front::Connect { socket, target };
        let start = Instant::now();
        while let Err(error) = front.connect().await {
            ensure!(start.elapsed() < START, "upstream's are not ready: {error}");
            sleep(Duration::from_millis(100)).await;
        }
        Ok(System {
            hub,
            agent,
            interactive: front.clone(),
            bulk: front,
        })
    }
}

fn ports(named: &[(&str, u16)]) -> Vec<String> {
    let flag = |(name, port): &(&str, u16)| format!("--{name}-port={port}");
    named.iter().map(flag).collect()
}

fn write_certificates(authority: &Authority, directory: &Path) -> Result<()> {
    let server = authority.issue_server(&[HOST.to_owned()], LIFE)?;
    let chain: String = server
        .chain
        .iter()
        .map(|certificate| pem("CERTIFICATE", certificate))
        .collect();
    let agent = identity(authority, cluster(0)?)?;
    for (name, text) in [
        ("server.crt", chain),
        ("server.key", pem("PRIVATE KEY", server.key.secret_der())),
        ("agent.crt", agent.chain_pem),
        ("agent.key", agent.key_pem),
    ] {
        let file = directory.join(name);
        std::fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
    }
    Ok(())
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut lines = format!("-----BEGIN {label}-----\n");
    for (at, letter) in text.char_indices() {
        if at > 0 && at % 64 == 0 {
            lines.push('\n');
        }
        lines.push(letter);
    }
    format!("{lines}\n-----END {label}-----\n")
}
