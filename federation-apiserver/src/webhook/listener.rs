//! The accept loop: TCP, TLS, HTTP/1.1 and HTTP/2.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;

use super::certificates::Current;
use super::routes::Doors;

/// A client that does not finish its handshake in this time is dropped.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Time to send the head of a request on HTTP/1.1, idle time before it included. Longer than Go's 90 s of idle time, so that it
/// is the client that closes and no request meets a closed connection.
const IDLE: Duration = Duration::from_secs(120);
/// HTTP/2 peers are asked for a sign of life this often.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Connections served at once; more wait to be accepted. An API server holds one per place that names the webhook.
const CONNECTIONS: usize = 1024;
/// After a failed accept (out of file descriptors), before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How to accept.
///
/// # Errors
/// The TLS library refuses its own defaults.
pub(super) fn tls(current: &Current) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(current.clone()));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Serves connections until `stop`, then waits up to `drain` for requests in flight to end. Connections that are idle then are
/// closed in the protocol's way, so that clients use another one for what comes next.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    doors: Arc<Doors>,
    stop: CancellationToken,
    drain: Duration,
) {
    let (graceful, builder) = (GracefulShutdown::new(), builder());
    let acceptor = TlsAcceptor::from(tls);
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if connections.len() >= CONNECTIONS => continue,
            accepted = listener.accept(), if connections.len() < CONNECTIONS => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // A client that breaks its connection is no concern of ours.
        let _ = stream.set_nodelay(true);
        let (acceptor, doors, builder) = (acceptor.clone(), doors.clone(), builder.clone());
        let watcher = graceful.watcher();
        connections.spawn(async move {
            let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await
            else {
                return;
            };
            let service = service_fn(move |request| {
                let doors = doors.clone();
                async move { Ok::<_, Infallible>(doors.serve(request).await) }
            });
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            let _ = watcher.watch(connection.into_owned()).await;
        });
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

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    builder
}
