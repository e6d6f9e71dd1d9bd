//! The caller's side.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use http::uri::PathAndQuery;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::metadata::MetadataMap;
use tonic::{Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::{CONNECTION_WINDOW, HEADERS, MESSAGE, PING_ANSWER, PING_SERVER, STREAM_WINDOW};
use crate::konnectivity::wire::Message;
use crate::seams::Io;

/// A call that was answered.
pub(crate) struct Call {
    /// Metadata and packets of the answer.
    pub(crate) response: Response<Streaming<Message>>,
    /// What drives the connection; it ends with it.
    pub(crate) connection: Pin<Box<dyn Future<Output = Result<(), hyper::Error>> + Send>>,
}

#[derive(Clone)]
struct Channel(SendRequest<Body>);

impl tower::Service<http::Request<Body>> for Channel {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future =
        Pin<Box<dyn Future<Output = Result<http::Response<Incoming>, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

/// Calls a method on a connection and waits for the metadata of the answer. The caller limits how long that takes.
pub(crate) async fn call(
    io: impl Io,
    authority: &str,
    path: &'static str,
    metadata: MetadataMap,
    packets: impl Stream<Item = Message> + Send + 'static,
) -> Result<Call, Status> {
    let origin = http::Uri::builder()
        .scheme("https")
        .authority(authority)
        .path_and_query("/")
        .build()
        .map_err(|error| Status::invalid_argument(format!("the server's name: {error}")))?;
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADERS)
        .keep_alive_interval(PING_SERVER)
        .keep_alive_timeout(PING_ANSWER)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(io))
        .await
        .map_err(|error| Status::from_error(Box::new(error)))?;
    let channel = Channel(sender);
    // The library ends a connection that nobody can make requests on.
    let kept = channel.clone();
    let mut connection: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(async move {
        let ended = connection.await;
        drop(kept);
        ended
    });
    let exchange = async {
        let mut grpc = Grpc::with_origin(channel, origin).max_decoding_message_size(MESSAGE);
        grpc.ready()
            .await
            .map_err(|error| Status::from_error(Box::new(error)))?;
        let mut request = tonic::Request::new(packets);
        *request.metadata_mut() = metadata;
        let codec = ProstCodec::<Message, Message>::default();
        grpc.streaming(request, PathAndQuery::from_static(path), codec)
            .await
    };
    let response = tokio::select! {
        response = exchange => response?,
        ended = &mut connection => {
            return Err(Status::unavailable(match ended {
                Ok(()) => "the connection ended".to_owned(),
                Err(error) => format!("the connection ended: {error}"),
            }));
        }
    };
    Ok(Call {
        response,
        connection,
    })
}
