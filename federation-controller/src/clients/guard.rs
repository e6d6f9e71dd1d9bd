//! What a request passes before it reaches the transport.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, Request, Response};
use kube::client::Body;
use tower::{BoxError, Layer, Service};

use super::Fence;
use crate::work::Limiter;

/// A server did not answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no answer within {} s", .0.as_secs_f32())]
pub struct RequestTimedOut(pub Duration);

/// The rules of one client.
#[derive(Clone)]
pub struct GuardLayer {
    /// Rate of requests, watches included.
    pub limiter: Arc<Limiter>,
    /// Closes when leadership may be lost. Reads pass it.
    pub fence: Fence,
    /// How long a server may take to begin its answer. Waiting for the limiter does not count.
    pub timeout: Duration,
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard {
            inner,
            rules: self.clone(),
        }
    }
}

/// A transport behind the rules. It relies on transports that do nothing before their future is polled.
#[derive(Clone)]
pub struct Guard<S> {
    inner: S,
    rules: GuardLayer,
}

impl<S, B> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let writes = !matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS
        );
        let rules = self.rules.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            rules.limiter.acquire().await;
            if writes {
                rules.fence.check()?;
            }
            match tokio::time::timeout(rules.timeout, answer).await {
                Ok(answer) => answer.map_err(Into::into),
                Err(_) => Err(RequestTimedOut(rules.timeout).into()),
            }
        })
    }
}
