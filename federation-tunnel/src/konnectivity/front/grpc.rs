//! gRPC as konnectivity-client speaks it: one stream for one connection.

use std::sync::Arc;

use super::authority::PlainAuthority;
use crate::konnectivity::dial::Dial;
use crate::konnectivity::grpc::{self, PROXY, Request};
use crate::konnectivity::machine::{Acceptor, Limits};
use crate::konnectivity::session::{Outbound, Owned, Session, accept};
use crate::seams::Io;

/// Window of a stream: what may wait for a slow target here, before the client has to wait.
const WINDOW: u32 = 1 << 20;

/// A client's connection that ended badly.
#[derive(Debug, thiserror::Error)]
pub enum GrpcError {
    /// It broke, or the client speaks no HTTP/2.
    #[error("the connection of a client broke")]
    Http(#[from] hyper::Error),
}

/// Serves one connection of konnectivity-client, in clear text on a Unix socket or behind TLS, until it ends. Each stream carries one
/// connection to one target; a slow target holds back its client and nobody else.
///
/// # Errors
/// The connection broke.
pub async fn serve_grpc(io: impl Io, dial: Arc<dyn Dial>) -> Result<(), GrpcError> {
    let method = move |request: Request| {
        let limits = Limits::single();
        let session = Session::new(Acceptor::new(limits));
        let (serving, dial) = (session.clone(), Arc::clone(&dial));
        let packets = request.into_inner();
        let task = tokio::spawn(async move {
            accept(serving, limits.hold, packets, dial).await;
        });
        let owned = Owned::new(session.clone(), Some(task));
        let response = tonic::Response::new(Outbound::new(session, owned));
        std::future::ready(Ok(response))
    };
    Ok(grpc::serve(PlainAuthority::new(io), PROXY, Some(WINDOW), method).await?)
}
