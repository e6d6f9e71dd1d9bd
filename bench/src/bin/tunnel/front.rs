//! Where users enter a tunnel.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use federation_tunnel::BoxIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// The longest answer to CONNECT that is read.
const ANSWER: usize = 4096;

/// A front end of a system's hub, behind which is the target.
#[derive(Clone, Debug)]
pub(crate) enum Front {
    /// A Unix socket; every connection goes to the target.
    Unix(PathBuf),
    /// HTTP CONNECT on a Unix socket, as kube-apiserver's egress selector asks upstream's proxy-server.
    Connect {
        /// The socket.
        socket: PathBuf,
        /// What to ask for.
        target: SocketAddr,
    },
}

impl Front {
    /// Opens a connection to the target, or, where the hub answers before it has, as good as.
    pub(crate) async fn connect(&self) -> io::Result<BoxIo> {
        match self {
            Self::Unix(socket) => Ok(Box::new(UnixStream::connect(socket).await?)),
            Self::Connect { socket, target } => {
                let mut socket = UnixStream::connect(socket).await?;
                let request = format!("CONNECT {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
                socket.write_all(request.as_bytes()).await?;
                accepted(&mut socket).await?;
                Ok(Box::new(socket))
            }
        }
    }
}

/// Reads the answer, which nothing may follow before the client has spoken.
async fn accepted(socket: &mut UnixStream) -> io::Result<()> {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() > ANSWER || socket.read_buf(&mut answer).await? == 0 {
            return Err(io::Error::other("no answer to CONNECT"));
        }
    }
    let text = String::from_utf8_lossy(&answer);
    let line = text.lines().next().unwrap_or_default();
    match line.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(io::Error::other(format!("CONNECT is answered {line:?}"))),
    }
}
