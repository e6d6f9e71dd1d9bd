//! The accept loop: TCP, TLS, HTTP/1.1 and HTTP/2.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::gather::Gather;
use super::tls::{HTTP2, Tls};
use crate::auth::{ClientCertificate, x509};
use crate::http::{Body, BoxError, Front};
use crate::seams::Seams;

/// A client that does not finish its handshake in this time is dropped.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Idle HTTP/1.1 connections are closed after this, as upstream's idle timeout.
const IDLE: Duration = Duration::from_secs(90);
/// HTTP/2 peers are asked for a sign of life this often, so that watches of vanished clients end.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Informers of one client share one HTTP/2 connection, one stream a watch.
const STREAMS: u32 = 1000;
/// Upstream takes request headers of a megabyte; long selectors are in the URL.
const HEADER_BYTES: u32 = 256 * 1024;
/// After a failed accept (out of file descriptors), before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves connections until `stop`, then waits up to `drain` for requests in flight to end.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Arc<Tls>,
    front: Arc<Front>,
    seams: Seams,
    stop: CancellationToken,
    drain: Duration,
) {
    let graceful = GracefulShutdown::new();
    let acceptor = TlsAcceptor::from(tls.config.clone());
    let builder = Arc::new(builder());
    let abort = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = Connection {
                    acceptor: acceptor.clone(),
                    tls: tls.clone(),
                    front: front.clone(),
                    seams: seams.clone(),
                    builder: builder.clone(),
                };
                let served = connection.run(stream, graceful.watcher());
                tokio::spawn(abort.clone().run_until_cancelled_owned(served));
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(
            ?drain,
            "connections are still open at the end of the drain time"
        );
    }
}

/// As Go's servers: a client that vanished without a word ends within two and a half minutes. HTTP/1.1 has no ping of its own, and an
/// upgraded connection (exec, port-forward) may be silent for as long as it likes.
fn probes() -> TcpKeepalive {
    let every = Duration::from_secs(15);
    TcpKeepalive::new()
        .with_time(every)
        .with_interval(every)
        .with_retries(9)
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_BYTES)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    builder
}

/// Boxed so that the compiler need not prove anything about the inside for every lifetime.
fn answer(
    front: Arc<Front>,
    request: http::Request<Body>,
    certificate: Arc<ClientCertificate>,
) -> BoxFuture<'static, Result<http::Response<Body>, Infallible>> {
    async move { Ok(front.serve(request, &certificate).await) }.boxed()
}

struct Connection {
    acceptor: TlsAcceptor,
    tls: Arc<Tls>,
    front: Arc<Front>,
    seams: Seams,
    builder: Arc<Builder<TokioExecutor>>,
}

impl Connection {
    async fn run(self, stream: TcpStream, watcher: hyper_util::server::graceful::Watcher) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY cannot be set");
        }
        if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&probes()) {
            tracing::debug!(%error, "SO_KEEPALIVE cannot be set");
        }
        let stream = match tokio::time::timeout(HANDSHAKE, self.acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                return;
            }
            Err(_) => return,
        };
        let now = u64::try_from(self.seams.now().as_second()).unwrap_or(0);
        let session = stream.get_ref().1;
        let chain = session.peer_certificates().unwrap_or_default();
        let certificate = Arc::new(x509::judge(chain, &self.tls.clients, now));
        if session.alpn_protocol() == Some(HTTP2) {
            self.talk(Gather::new(stream), certificate, watcher).await;
        } else {
            self.talk(stream, certificate, watcher).await;
        }
    }

    /// Answers requests until one of both sides has enough.
    async fn talk(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        certificate: Arc<ClientCertificate>,
        watcher: hyper_util::server::graceful::Watcher,
    ) {
        let front = self.front;
        let service = service_fn(move |request: http::Request<Incoming>| {
            let request = request.map(|body: Incoming| {
                body.map_err(|error| -> BoxError { Box::new(error) })
                    .boxed_unsync()
            });
            answer(front.clone(), request, certificate.clone())
        });
        let connection = self
            .builder
            .serve_connection_with_upgrades(TokioIo::new(stream), service)
            .into_owned();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(error, "a connection ended with an error");
        }
    }
}
