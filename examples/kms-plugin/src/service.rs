//! The gRPC server: `Status`, `Encrypt`, `Decrypt`.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    path::Path,
    pin::Pin,
    task::{Context, Poll},
};

use futures::stream;
use tokio::net::UnixListener;
use tonic::{
    Request, Response, Status,
    body::Body,
    server::{Grpc, UnaryService},
    transport::Server,
};
use tonic_prost::ProstCodec;
use tower::Service;

use crate::{
    keys::KeyFile,
    messages::{
        DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse, StatusRequest,
        StatusResponse,
    },
};

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Serves on a Unix socket until `stop` is done. A socket that an earlier run has left is replaced; it can be used by its owner only.
///
/// # Errors
/// If the socket cannot be made.
pub async fn serve(
    socket: &Path,
    keys: KeyFile,
    stop: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    if socket.exists() {
        std::fs::remove_file(socket)?;
    }
    let listener = UnixListener::bind(socket)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    }
    let incoming = stream::unfold(listener, |listener| async {
        let accepted = listener.accept().await.map(|(stream, _)| stream);
        Some((accepted, listener))
    });
    Server::builder()
        .serve_with_incoming_shutdown(Plugin { keys }, Box::pin(incoming), stop)
        .await?;
    Ok(())
}

/// Finds the call by its path.
#[derive(Clone, Debug)]
struct Plugin {
    keys: KeyFile,
}

impl Service<http::Request<Body>> for Plugin {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let keys = self.keys.clone();
        Box::pin(async move {
            let answer = match request.uri().path() {
                "/v2.KeyManagementService/Status" => {
                    Grpc::new(ProstCodec::default())
                        .unary(Call(keys, status), request)
                        .await
                }
                "/v2.KeyManagementService/Encrypt" => {
                    Grpc::new(ProstCodec::default())
                        .unary(Call(keys, encrypt), request)
                        .await
                }
                "/v2.KeyManagementService/Decrypt" => {
                    Grpc::new(ProstCodec::default())
                        .unary(Call(keys, decrypt), request)
                        .await
                }
                _ => Status::unimplemented("no such call").into_http(),
            };
            Ok(answer)
        })
    }
}

/// One call as tonic wants it.
struct Call<Q, A>(KeyFile, fn(&KeyFile, Q) -> Result<A, Status>);

impl<Q: Send + 'static, A: Send + 'static> UnaryService<Q> for Call<Q, A> {
    type Response = A;
    type Future = BoxFuture<Result<Response<A>, Status>>;

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let answer = (self.1)(&self.0, request.into_inner());
        Box::pin(async { answer.map(Response::new) })
    }
}

/// Healthy as long as there is a key.
fn status(keys: &KeyFile, _: StatusRequest) -> Result<StatusResponse, Status> {
    Ok(StatusResponse {
        version: "v2".to_owned(),
        healthz: "ok".to_owned(),
        key_id: keys.current_id().map_err(|error| failed(&error))?,
    })
}

fn encrypt(keys: &KeyFile, request: EncryptRequest) -> Result<EncryptResponse, Status> {
    let sealed = keys.seal(&request.plaintext);
    let (key_id, ciphertext) = sealed.map_err(|error| failed(&error))?;
    Ok(EncryptResponse {
        ciphertext,
        key_id,
        annotations: BTreeMap::new(),
    })
}

fn decrypt(keys: &KeyFile, request: DecryptRequest) -> Result<DecryptResponse, Status> {
    let opened = keys.open_sealed(&request.key_id, &request.ciphertext);
    Ok(DecryptResponse {
        plaintext: opened.map_err(|error| failed(&error))?,
    })
}

fn failed(error: &anyhow::Error) -> Status {
    Status::failed_precondition(format!("{error:#}"))
}
