//! How an agent gets out: TCP, straight or through an HTTP proxy.

use std::fmt;
use std::io;
use std::str::FromStr;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::address::HostPort;
use crate::seams::{BoxIo, Connector};

/// Not a proxy that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an HTTP proxy: http://[<user>:<password>@]<host>:<port>")]
pub struct ProxyError;

/// An HTTP proxy that takes CONNECT (RFC 9110, 9.3.6). `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpProxy {
    address: HostPort,
    /// The value of `Proxy-Authorization`.
    authorization: Option<String>,
}

impl FromStr for HttpProxy {
    type Err = ProxyError;

    /// Takes the form of `HTTPS_PROXY`. User and password are taken as they are, without percent-decoding.
    fn from_str(text: &str) -> Result<Self, ProxyError> {
        let rest = text.strip_prefix("http://").unwrap_or(text);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, address) = match rest.rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, rest),
        };
        Ok(Self {
            address: address.parse().map_err(|_| ProxyError)?,
            authorization: user.map(|user| format!("Basic {}", STANDARD.encode(user))),
        })
    }
}

impl fmt::Debug for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpProxy({})", self.address)
    }
}

/// TCP, straight or through an HTTP proxy. The proxy sees TLS only.
#[derive(Clone, Debug, Default)]
pub struct TcpConnector {
    proxy: Option<HttpProxy>,
}

impl TcpConnector {
    /// Goes through a proxy.
    #[must_use]
    pub fn through(proxy: HttpProxy) -> Self {
        Self { proxy: Some(proxy) }
    }
}

#[async_trait]
impl Connector for TcpConnector {
    async fn connect(&self, hub: &HostPort) -> io::Result<BoxIo> {
        let first = self.proxy.as_ref().map_or(hub, |proxy| &proxy.address);
        let mut socket = TcpStream::connect((first.host().to_string(), first.port())).await?;
        socket.set_nodelay(true)?;
        if let Some(proxy) = &self.proxy {
            ask(&mut socket, proxy, hub).await?;
        }
        Ok(Box::new(socket))
    }
}

/// The longest answer of a proxy that is read.
const ANSWER: usize = 8 * 1024;

async fn ask(socket: &mut TcpStream, proxy: &HttpProxy, hub: &HostPort) -> io::Result<()> {
    let authorization = match &proxy.authorization {
        Some(value) => format!("Proxy-Authorization: {value}\r\n"),
        None => String::new(),
    };
    let request = format!("CONNECT {hub} HTTP/1.1\r\nHost: {hub}\r\n{authorization}\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // Byte by byte: what follows the empty line is not ours to read. The hub says nothing before we do.
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= ANSWER {
            return Err(io::Error::other("the proxy's answer is too long"));
        }
        answer.push(socket.read_u8().await?);
    }
    let line = answer.split(|&b| b == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let status = line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1));
    if status.is_some_and(|status| status.len() == 3 && status.starts_with('2')) {
        return Ok(());
    }
    let printable: String = line.chars().filter(|c| !c.is_control()).take(200).collect();
    Err(io::Error::other(format!("the proxy answers {printable:?}")))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A proxy for one connection: returns the request, and echoes after an answer that begins well.
    async fn proxy(answer: &'static str) -> (HostPort, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let task = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(socket.read_u8().await.unwrap());
            }
            socket.write_all(answer.as_bytes()).await.unwrap();
            let (mut read, mut write) = socket.split();
            let _ = tokio::io::copy(&mut read, &mut write).await;
            String::from_utf8(request).unwrap()
        });
        (address, task)
    }

    #[tokio::test]
    async fn a_proxy_is_asked_and_then_out_of_the_way() {
        let (address, task) = proxy("HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n").await;
        let proxy: HttpProxy = format!("http://user:secret@{address}/").parse().unwrap();
        assert!(!format!("{proxy:?}").contains("secret"));
        let hub = "hub.example:8091".parse().unwrap();
        let mut io = TcpConnector::through(proxy).connect(&hub).await.unwrap();
        io.write_all(b"hello").await.unwrap();
        let mut back = [0; 5];
        io.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"hello");
        drop(io);
        let request = task.await.unwrap();
        assert!(
            request.starts_with("CONNECT hub.example:8091 HTTP/1.1\r\n"),
            "{request}"
        );
        assert!(request.contains("\r\nProxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n"));
    }

    #[tokio::test]
    async fn a_proxy_that_says_no_is_quoted() {
        let (address, _task) = proxy("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
        let proxy: HttpProxy = address.to_string().parse().unwrap();
        let hub = "hub.example:8091".parse().unwrap();
        let error = TcpConnector::through(proxy)
            .connect(&hub)
            .await
            .err()
            .unwrap();
        assert!(error.to_string().contains("407 Proxy"), "{error}");
        assert!("https://proxy:1".parse::<HttpProxy>().is_err());
        assert!("proxy".parse::<HttpProxy>().is_err());
    }
}
