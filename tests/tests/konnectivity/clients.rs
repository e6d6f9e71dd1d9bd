//! Clients of a server's front ends, and a target for upstream's own.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::hub::Hub;

/// A client's connection through HTTP CONNECT on a Unix socket, or what it is told instead.
pub(crate) async fn connect(socket: &Path, target: &str) -> Result<UnixStream, String> {
    let client = UnixStream::connect(socket).await.unwrap();
    ask(client, target).await.unwrap()
}

/// The same on the hub's TCP port, under a certificate that it takes, or under none.
pub(crate) async fn connect_tls(
    hub: &Hub,
    named: bool,
    target: &str,
) -> io::Result<Result<TlsStream<TcpStream>, String>> {
    let client = TcpStream::connect(("127.0.0.1", hub.port)).await?;
    let tls = TlsConnector::from(Arc::new(hub.keys.client_tls(named)));
    let name = "127.0.0.1".try_into().unwrap();
    ask(tls.connect(name, client).await?, target).await
}

/// Says hello to the hub's tunnel as an agent does, under a certificate that is not its authority's. (Programs in Go keep such a one to themselves.)
pub(crate) async fn intrude(hub: &Hub, authority: &Path) -> io::Result<u8> {
    let mut config = hub.keys.client_tls_to(authority, true);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let client = TcpStream::connect(("127.0.0.1", hub.tunnel)).await?;
    let name = "127.0.0.1".try_into().unwrap();
    let connected = TlsConnector::from(Arc::new(config)).connect(name, client);
    connected.await?.read_u8().await
}

async fn ask<T: AsyncRead + AsyncWrite + Unpin>(
    mut client: T,
    target: &str,
) -> io::Result<Result<T, String>> {
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    client.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let mut head = String::from_utf8(head).unwrap();
    if head.starts_with("HTTP/1.1 200") {
        return Ok(Ok(client));
    }
    client.read_to_string(&mut head).await?;
    Ok(Err(head))
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
