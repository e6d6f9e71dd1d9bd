//! The server's side.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tonic::server::{Grpc, StreamingService};
use tonic::{Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::{CONNECTION_WINDOW, HEADERS, MESSAGE, PING, PING_ANSWER, STREAM_WINDOW};
use crate::konnectivity::wire::Message;
use crate::seams::Io;

type Packets = Pin<Box<dyn Stream<Item = Result<Message, Status>> + Send>>;
/// One call: its metadata and what its caller sends.
pub(crate) type Request = tonic::Request<Streaming<Message>>;
/// What a call is answered with: metadata that goes out at once, and packets.
type Answer<S> = Result<Response<S>, Status>;

struct Method<F>(Arc<F>);

impl<F, Fut, S> StreamingService<Message> for Method<F>
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Answer<S>> + Send + 'static,
    S: Stream<Item = Message> + Send + 'static,
{
    type Response = Message;
    type ResponseStream = Packets;
    type Future = Pin<Box<dyn Future<Output = Answer<Packets>> + Send>>;

    fn call(&mut self, request: Request) -> Self::Future {
        let answer = (self.0)(request);
        Box::pin(async move { Ok(answer.await?.map(|packets| packets.map(Ok).boxed())) })
    }
}

/// Serves one method on a connection until it ends. Dropping the future ends the connection.
pub(crate) async fn serve<F, Fut, S>(
    io: impl Io,
    path: &'static str,
    window: Option<u32>,
    method: F,
) -> Result<(), hyper::Error>
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Answer<S>> + Send + 'static,
    S: Stream<Item = Message> + Send + 'static,
{
    let method = Arc::new(method);
    let service = service_fn(move |request: http::Request<Incoming>| {
        let method = Method(Arc::clone(&method));
        async move {
            let response = match request.uri().path() == path {
                true => {
                    Grpc::new(ProstCodec::<Message, Message>::default())
                        .max_decoding_message_size(MESSAGE)
                        .streaming(method, request)
                        .await
                }
                false => Status::unimplemented("no such method").into_http(),
            };
            Ok::<_, Infallible>(response)
        }
    });
    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(window.unwrap_or(STREAM_WINDOW))
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADERS)
        .max_concurrent_streams(16)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING_ANSWER)
        .serve_connection(TokioIo::new(io), service)
        .await
}
