//! Calls of a plugin over its Unix socket.

use std::{path::Path, time::Duration};

use prost::Message;
use tokio::time::timeout;
use tonic::{
    Request,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

use super::{
    KmsError,
    api::{
        DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse, SERVICE, StatusRequest,
        StatusResponse,
    },
};

/// A plugin's client. Connects when it is first called, and again after the plugin was away.
#[derive(Clone, Debug)]
pub(super) struct KmsClient {
    channel: Channel,
    timeout: Duration,
}

impl KmsClient {
    /// Must be called within a tokio runtime. Each call may take `timeout`, connecting included.
    pub(super) fn new(socket: &Path, timeout: Duration) -> Result<Self, KmsError> {
        let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display()))
            .map_err(|error| KmsError::Socket(error.to_string()))?;
        Ok(Self {
            channel: endpoint.connect_lazy(),
            timeout,
        })
    }

    pub(super) async fn status(&self) -> Result<StatusResponse, KmsError> {
        self.call("Status", StatusRequest {}).await
    }

    pub(super) async fn encrypt(
        &self,
        request: EncryptRequest,
    ) -> Result<EncryptResponse, KmsError> {
        self.call("Encrypt", request).await
    }

    pub(super) async fn decrypt(
        &self,
        request: DecryptRequest,
    ) -> Result<DecryptResponse, KmsError> {
        self.call("Decrypt", request).await
    }

    async fn call<Q, A>(&self, method: &'static str, request: Q) -> Result<A, KmsError>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let path = PathAndQuery::try_from(format!("/{SERVICE}/{method}"))
            .map_err(|error| KmsError::Socket(error.to_string()))?;
        let mut client = Grpc::new(self.channel.clone());
        let answer = async {
            client
                .ready()
                .await
                .map_err(|error| KmsError::Unreachable(deepest(&error)))?;
            let codec = ProstCodec::<Q, A>::default();
            client
                .unary(Request::new(request), path, codec)
                .await
                .map_err(|status| KmsError::Call {
                    method,
                    code: status.code().description(),
                    // A plugin's own words, which may hold what it was given.
                    detail: std::error::Error::source(&status).map(deepest),
                })
        };
        match timeout(self.timeout, answer).await {
            Ok(answer) => answer.map(tonic::Response::into_inner),
            Err(_) => Err(KmsError::Timeout(method)),
        }
    }
}

/// The cause of the cause: what the system said.
fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
