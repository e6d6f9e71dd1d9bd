//! From a dialled stream to one that HTTP can be spoken on, for hyper's client.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use federation_member::MemberAccess;
use federation_tunnel::BoxIo;
use futures::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;

use super::dial::{DialError, Dialer, server_name};

/// Dialling and TLS together.
const CONNECT: Duration = Duration::from_secs(10);

/// No connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("no stream")]
    Dial(#[source] DialError),
    #[error("no TLS session")]
    Tls(#[source] io::Error),
}

/// Connects to one member.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) cluster: Arc<str>,
    pub(super) access: Arc<MemberAccess>,
    pub(super) dialer: Arc<dyn Dialer>,
    pub(super) tls: Arc<rustls::ClientConfig>,
}

impl Connector {
    async fn connect(self) -> Result<TokioIo<MemberStream>, ConnectError> {
        let late = || ConnectError::Dial(DialError::Timeout(CONNECT));
        let stream = tokio::time::timeout(CONNECT, self.stream()).await;
        let stream = stream.unwrap_or_else(|_| Err(late()))?;
        Ok(TokioIo::new(MemberStream(stream)))
    }

    async fn stream(self) -> Result<BoxIo, ConnectError> {
        let stream = self
            .dialer
            .dial(&self.cluster, &self.access)
            .await
            .map_err(ConnectError::Dial)?;
        if self.access.endpoint.scheme_str() == Some("http") {
            return Ok(stream);
        }
        let name = server_name(&self.access.endpoint).map_err(ConnectError::Tls)?;
        let stream = TlsConnector::from(self.tls)
            .connect(name, stream)
            .await
            .map_err(ConnectError::Tls)?;
        Ok(Box::new(stream))
    }
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<MemberStream>;
    type Error = ConnectError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

/// A stream to a member, whatever carries it.
pub(super) struct MemberStream(BoxIo);

impl Connection for MemberStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for MemberStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for MemberStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
