//! One HTTP/2 connection to a server, and as little as possible around it: bodies are sent as they were made, answers are counted and
//! thrown away unless someone wants to see them.

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::access::Access;

/// What Go's client lets a server send ahead on one stream, and on all of a connection together.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 1 << 30;
/// An error text that is longer is cut.
const COMPLAINT: usize = 500;

/// A connection. Clones share it; each request is a stream of its own.
#[derive(Clone)]
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
}

/// A request to be.
pub(crate) struct Call {
    pub(crate) method: Method,
    /// From the first slash.
    pub(crate) path: String,
    pub(crate) body: Bytes,
}

impl Call {
    /// A request without a body.
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            body: Bytes::new(),
        }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn with(self, body: Bytes) -> Self {
        Self { body, ..self }
    }
}

impl Client {
    pub(crate) async fn connect(access: &Access) -> Result<Self> {
        let tcp = TcpStream::connect(&access.authority).await?;
        tcp.set_nodelay(true)?;
        let host = access
            .authority
            .rsplit_once(':')
            .context("no port")?
            .0
            .to_owned();
        let tls = access.tls.connect(host.try_into()?, tcp).await?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(TokioIo::new(tls))
            .await?;
        // Its end shows in the requests that are under way.
        tokio::spawn(connection);
        Ok(Self {
            sender,
            authority: access.authority.clone(),
        })
    }

    /// As many connections as asked for.
    pub(crate) async fn several(access: &Access, count: usize) -> Result<Vec<Self>> {
        let mut clients = Vec::with_capacity(count);
        for _ in 0..count {
            clients.push(Self::connect(access).await?);
        }
        Ok(clients)
    }

    /// Sends a request and returns the answer as soon as its head is there.
    pub(crate) async fn open(
        &mut self,
        call: Call,
        more: &[(&str, &str)],
    ) -> Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(call.method)
            .uri(format!("https://{}{}", self.authority, call.path));
        if !more.iter().any(|(name, _)| *name == "accept") {
            request = request.header(header::ACCEPT, "application/json");
        }
        if !call.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        self.sender.ready().await?;
        let request = request.body(Full::new(call.body))?;
        Ok(self.sender.send_request(request).await?)
    }

    /// Carries a request out, and returns how long its answer is, in bytes.
    ///
    /// # Errors
    /// The server answers anything but success, or not at all.
    pub(crate) async fn call(&mut self, call: Call) -> Result<usize> {
        let (what, path) = (call.method.clone(), call.path.clone());
        let answer = self.open(call, &[]).await?;
        if answer.status().is_success() {
            return drain(answer.into_body()).await;
        }
        bail!("{what} {path}: {}", complaint(answer).await)
    }

    /// As [`Client::call`], but returns the answer.
    pub(crate) async fn fetch(&mut self, call: Call) -> Result<Bytes> {
        let (what, path) = (call.method.clone(), call.path.clone());
        let answer = self.open(call, &[]).await?;
        if answer.status().is_success() {
            return Ok(answer.into_body().collect().await?.to_bytes());
        }
        bail!("{what} {path}: {}", complaint(answer).await)
    }
}

/// Reads to the end, and returns how much there was.
pub(crate) async fn drain(mut body: Incoming) -> Result<usize> {
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        size += frame?.data_ref().map_or(0, Bytes::len);
    }
    Ok(size)
}

/// What an answer that is an error says.
pub(crate) async fn complaint(answer: Response<Incoming>) -> String {
    let status = answer.status();
    let body = answer.into_body().collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let text = String::from_utf8_lossy(&body[..body.len().min(COMPLAINT)]).into_owned();
    format!("{status}: {text}")
}

/// The `resourceVersion` of a list, which is the first in its text.
pub(crate) fn list_revision(list: &[u8]) -> Result<String> {
    const FIELD: &[u8] = b"\"resourceVersion\":\"";
    let start = memchr::memmem::find(list, FIELD).context("a list without a revision")?;
    let digits: Vec<u8> = list[start + FIELD.len()..]
        .iter()
        .copied()
        .take_while(u8::is_ascii_digit)
        .collect();
    ensure!(!digits.is_empty(), "a list with an odd revision");
    Ok(String::from_utf8(digits)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_found() {
        let list = br#"{"kind":"L","metadata":{"resourceVersion":"4711"},"items":[]}"#;
        assert_eq!(list_revision(list).unwrap(), "4711");
        assert!(list_revision(b"{}").is_err());
    }
}
