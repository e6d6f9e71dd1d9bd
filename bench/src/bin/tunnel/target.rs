//! What is behind the agent. The first byte of a connection says what it does.

use std::net::SocketAddr;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Sends back what it gets.
pub(crate) const ECHO: u8 = b'E';
/// Sends without end.
pub(crate) const FLOOD: u8 = b'F';
/// Takes as many bytes as the next eight say, then sends one.
pub(crate) const TAKE: u8 = b'T';

/// Starts the target on a free port and a thread of its own, which ends with the process: it is to take as little as possible from what is
/// measured.
pub(crate) fn start() -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::spawn(move || runtime.block_on(accept(listener)));
    Ok(address)
}

async fn accept(listener: std::net::TcpListener) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    while let Ok((socket, _)) = listener.accept().await {
        // A client that goes is how each of them ends.
        tokio::spawn(async move { drop(serve(socket).await) });
    }
    Ok(())
}

async fn serve(mut socket: TcpStream) -> Result<()> {
    socket.set_nodelay(true)?;
    let mut buffer = vec![0; 4096];
    match socket.read_u8().await? {
        ECHO => loop {
            let n = socket.read(&mut buffer).await?;
            if n == 0 {
                return Ok(());
            }
            socket.write_all(&buffer[..n]).await?;
        },
        FLOOD => {
            buffer.resize(256 * 1024, 7);
            loop {
                socket.write_all(&buffer).await?;
            }
        }
        _ => {
            buffer.resize(256 * 1024, 0);
            let mut left = socket.read_u64().await?;
            while left > 0 {
                let n = socket.read(&mut buffer).await?;
                anyhow::ensure!(n > 0, "an upload ended early");
                left -= n as u64;
            }
            socket.write_all(&[1]).await?;
            Ok(())
        }
    }
}
