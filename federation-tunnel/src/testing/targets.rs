//! Targets in memory, told apart by their port on `kubernetes.default.svc` (or any host).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::address::HostPort;
use crate::agent::Upstream;
use crate::seams::BoxIo;

/// What is behind an agent.
#[derive(Clone, Default)]
pub(crate) struct Targets {
    /// Connections made.
    pub(crate) dialled: Arc<AtomicU64>,
    /// Bytes that floods got rid of.
    pub(crate) flooded: Arc<AtomicU64>,
}

impl Targets {
    /// Sends back what it gets.
    pub(crate) const ECHO: u16 = 443;
    /// Sends without end.
    pub(crate) const FLOOD: u16 = 1001;
    /// Takes nothing.
    pub(crate) const STALL: u16 = 1002;
    /// Refuses.
    pub(crate) const REFUSE: u16 = 1003;
    /// Never answers.
    pub(crate) const SILENT: u16 = 1004;
    /// Breaks after 1000 bytes.
    pub(crate) const BREAK: u16 = 1005;

    pub(crate) fn at(port: u16) -> HostPort {
        format!("kubernetes.default.svc:{port}").parse().unwrap()
    }
}

#[async_trait]
impl Upstream for Targets {
    async fn connect(&self, target: &HostPort) -> io::Result<BoxIo> {
        self.dialled.fetch_add(1, Ordering::Relaxed);
        let (near, mut far) = duplex(64 * 1024);
        match target.port() {
            Self::FLOOD => {
                let flooded = self.flooded.clone();
                tokio::spawn(async move {
                    let block = vec![7; 16 * 1024];
                    while far.write_all(&block).await.is_ok() {
                        flooded.fetch_add(block.len() as u64, Ordering::Relaxed);
                    }
                });
            }
            Self::STALL => {
                tokio::spawn(async move {
                    let _far = far;
                    std::future::pending::<()>().await;
                });
            }
            Self::REFUSE => return Err(io::ErrorKind::ConnectionRefused.into()),
            Self::SILENT => std::future::pending().await,
            Self::BREAK => {
                tokio::spawn(async move {
                    let _ = far.write_all(&[1; 1000]).await;
                });
            }
            _ => {
                tokio::spawn(async move {
                    let mut buffer = vec![0; 16 * 1024];
                    loop {
                        match far.read(&mut buffer).await {
                            Ok(n) if n > 0 => {
                                if far.write_all(&buffer[..n]).await.is_err() {
                                    break;
                                }
                            }
                            _ => break,
                        }
                    }
                });
            }
        }
        Ok(Box::new(near))
    }
}
