//! Listeners for the front ends.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::{serve_connect, serve_grpc};
use crate::konnectivity::dial::Dial;
use crate::seams::Io;

/// After an error of a listener: out of file descriptors, mostly, which others will give back.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a client may take over its TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How clients ask (`--mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// `http-connect`.
    Connect,
    /// `grpc`.
    Grpc,
}

impl Front {
    async fn serve(self, io: impl Io, dial: Arc<dyn Dial>) {
        match self {
            Self::Connect => {
                if let Err(error) = serve_connect(io, dial).await {
                    debug!(error = &error as &dyn std::error::Error, "a client left");
                }
            }
            Self::Grpc => {
                if let Err(error) = serve_grpc(io, dial).await {
                    debug!(error = &error as &dyn std::error::Error, "a client left");
                }
            }
        }
    }
}

/// Binds a Unix socket that only this user can open (`--uds-name`). Whoever can open it reaches every target behind it. A socket that is
/// there already is replaced where `replace` says so (`--delete-existing-uds-file`); a file of another kind never is.
///
/// # Errors
/// The path is taken, or cannot be made.
pub fn bind_unix(path: &Path, replace: bool) -> io::Result<UnixListener> {
    if replace
        && let Ok(found) = std::fs::symlink_metadata(path)
        && found.file_type().is_socket()
    {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600))?;
    Ok(listener)
}

/// Serves clients on a Unix socket for ever. Dropping the future ends all their connections.
pub async fn serve_unix(listener: UnixListener, front: Front, dial: Arc<dyn Dial>) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    clients.spawn(front.serve(socket, Arc::clone(&dial)));
                }
                Err(error) => pause(&error).await,
            },
            Some(_) = clients.join_next() => {}
        }
    }
}

/// Serves clients on TCP behind TLS for ever. The acceptor must ask for client certificates, and negotiate `h2` for [`Front::Grpc`].
/// Dropping the future ends all their connections.
pub async fn serve_tls(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    front: Front,
    dial: Arc<dyn Dial>,
) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, from)) => {
                    let (acceptor, dial) = (acceptor.clone(), Arc::clone(&dial));
                    clients.spawn(async move {
                        // Without it small answers wait for acknowledgements.
                        let _ = socket.set_nodelay(true);
                        match tokio::time::timeout(HANDSHAKE, acceptor.accept(socket)).await {
                            Ok(Ok(tls)) => front.serve(tls, dial).await,
                            Ok(Err(error)) => warn!(%from, %error, "refused a client"),
                            Err(_) => warn!(%from, "a client took too long over TLS"),
                        }
                    });
                }
                Err(error) => pause(&error).await,
            },
            Some(_) = clients.join_next() => {}
        }
    }
}

async fn pause(error: &io::Error) {
    warn!(%error, "cannot accept a connection");
    tokio::time::sleep(PAUSE).await;
}
