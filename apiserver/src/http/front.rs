//! What every request passes before and after its handler.
//!
//! In order: audit id, panic guard, authentication, public paths, impersonation, authorisation, in-flight limits,
//! timeout, handler; then warnings, metrics.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use http::{Method, Request, Response};
use tokio::sync::watch;
use tokio::time::Instant;

use super::body::{self, Body};
use super::extension::{Extension, Extensions};
use super::health::{self, HealthCheck};
use super::limits::{self, InFlight, Limits};
use super::metrics::{Metrics, RequestLabels};
use super::path::{self, Target};
use super::{compress, documents, resources, uri, version, warn};
use crate::api::Api;
use crate::auth::{Action, Authentication, Authorizer, ClientCertificate, Decision, impersonate};
use crate::request::{Query, UserInfo, Verb, Warnings};
use crate::status::ApiError;

const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");
const WARNING: HeaderName = HeaderName::from_static("warning");

/// The life of a server, as requests need to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The table of kinds is not complete: only health and version are answered.
    Starting,
    /// Everything is served.
    Ready,
    /// Everything is served, but balancers should go elsewhere.
    Draining,
}

/// Everything in front of the handlers, shared by all connections.
pub(crate) struct Front {
    pub(crate) api: Api,
    pub(crate) authentication: Authentication,
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) limits: Limits,
    pub(crate) in_flight: InFlight,
    pub(crate) metrics: Metrics,
    pub(crate) checks: Vec<HealthCheck>,
    pub(crate) extensions: Extensions,
    pub(crate) documents: documents::Documents,
    pub(crate) phase: watch::Receiver<Phase>,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Front({:?})", self.api.cache)
    }
}

/// What is found out about a request on its way, for headers and metrics.
struct Trace {
    labels: RequestLabels,
    long_running: bool,
    warnings: Warnings,
}

impl Front {
    /// Answers a request; never fails and never panics.
    pub(crate) async fn serve(
        &self,
        mut request: Request<Body>,
        certificate: &ClientCertificate,
    ) -> Response<Body> {
        let started = Instant::now();
        let method = request.method().clone();
        let uri = request.uri().clone();
        let audit_id = request
            .headers()
            .get(AUDIT_ID)
            .cloned()
            .or_else(|| HeaderValue::from_str(&self.api.seams.uid()).ok());
        if let Some(audit_id) = &audit_id {
            // Whoever handles the request further on, perhaps on another server, tells of it by the same id.
            request.headers_mut().insert(AUDIT_ID, audit_id.clone());
        }
        let mut trace = Trace {
            labels: RequestLabels::other(&method),
            long_running: false,
            warnings: Warnings::default(),
        };
        let handled = self.handle(request, certificate, &mut trace);
        let outcome = AssertUnwindSafe(handled).catch_unwind().await;
        let mut response = match outcome {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => body::error_response(&error),
            Err(_) => {
                tracing::error!(%method, path = uri.path(), "a request handler panicked");
                body::error_response(&ApiError::internal(
                    "this request caused apiserver to panic; look in the logs for details",
                ))
            }
        };
        let headers = response.headers_mut();
        if let Some(audit_id) = audit_id {
            headers.insert(AUDIT_ID, audit_id);
        }
        for value in warn::header_values(&trace.warnings) {
            headers.append(WARNING, value);
        }
        if !headers.contains_key(CACHE_CONTROL) {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
        }
        let took = started.elapsed();
        tracing::debug!(%method, %uri, code = response.status().as_u16(), ?took, "request");
        let measured = (!trace.long_running).then_some(took);
        self.metrics
            .finished(trace.labels, response.status().as_u16(), measured);
        if method == Method::HEAD {
            // The headers of the answer to GET stay; a watch behind HEAD ends here.
            return response.map(|_| body::full(""));
        }
        response
    }

    async fn handle(
        &self,
        mut request: Request<Body>,
        certificate: &ClientCertificate,
        trace: &mut Trace,
    ) -> Result<Response<Body>, ApiError> {
        let mut query = uri::parse_query(request.uri().query())?;
        let raw_path = request.uri().path().to_owned();
        let now = u64::try_from(self.api.seams.now().as_second()).unwrap_or(0);
        let user = self
            .authentication
            .user(request.headers(), certificate, now)
            .await?;
        if let Some(response) = self.public(request.method(), &raw_path, &query) {
            return response;
        }
        if *self.phase.borrow() == Phase::Starting {
            return Err(ApiError::unavailable("the API server is starting"));
        }
        let user = user.unwrap_or_else(UserInfo::anonymous);
        let user = impersonate::resolve(user, request.headers(), self.authorizer.as_ref()).await?;
        impersonate::strip(request.headers_mut());
        let extension = self.extensions.find(&raw_path).cloned();
        let target = match path::parse(request.method(), &raw_path, &mut query) {
            Ok(target) => target,
            Err(_) if extension.is_some() => Target::Path(raw_path),
            Err(error) => return Err(error),
        };
        self.authorize(&user, request.method(), &target, &query)
            .await?;
        let route = Route {
            target,
            query,
            extension,
        };
        self.within_limits(request, user, route, trace).await
    }

    /// Answers what needs no credential: health and version.
    fn public(
        &self,
        method: &Method,
        path: &str,
        query: &Query,
    ) -> Option<Result<Response<Body>, ApiError>> {
        let health = health::endpoint(path);
        if health.is_none() && path.trim_end_matches('/') != "/version" {
            return None;
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Some(Err(ApiError::no_such_method()));
        }
        Some(Ok(match health {
            Some((endpoint, single)) => {
                let (code, text) = health::answer(&self.checks, endpoint, single, query);
                let mut response = body::response(code, "text/plain; charset=utf-8", text);
                response.headers_mut().insert(
                    HeaderName::from_static("x-content-type-options"),
                    HeaderValue::from_static("nosniff"),
                );
                response
            }
            None => body::json(http::StatusCode::OK, &version::document()),
        }))
    }

    async fn authorize(
        &self,
        user: &UserInfo,
        method: &Method,
        target: &Target,
        query: &Query,
    ) -> Result<(), ApiError> {
        let action = match target {
            Target::Resource(path) => {
                let collection = matches!(path.verb, Verb::List | Verb::Watch);
                let selected = if collection { name_selector(query) } else { "" };
                Action::of(path, selected)
            }
            Target::Path(path) => Action::Path {
                verb: method.as_str().to_ascii_lowercase(),
                path: path.clone(),
            },
        };
        match self.authorizer.authorize(user, &action).await? {
            Decision::Allow => Ok(()),
            Decision::Deny(why) => Err(action.forbidden(user, &why)),
        }
    }

    async fn within_limits(
        &self,
        request: Request<Body>,
        user: UserInfo,
        route: Route,
        trace: &mut Trace,
    ) -> Result<Response<Body>, ApiError> {
        let long_running = match (&route.extension, &route.target) {
            (Some(extension), _) => extension.is_long_running(&request),
            (None, Target::Resource(path)) => path.verb == Verb::Watch,
            (None, Target::Path(_)) => false,
        };
        trace.long_running = long_running;
        let warnings = trace.warnings.clone();
        if long_running {
            return self
                .route(request, user, route, warnings, &mut trace.labels)
                .await;
        }
        let write = !matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS
        );
        let _place = self.in_flight.enter(write, &user)?;
        let _counted = self.metrics.inflight(write);
        let limit = limits::timeout(&route.query, self.limits.request_timeout)?;
        let handled = self.route(request, user, route, warnings, &mut trace.labels);
        tokio::time::timeout(limit, handled)
            .await
            .unwrap_or_else(|_| {
                Err(ApiError::timeout(
                    "request did not complete within the allotted timeout",
                    0,
                ))
            })
    }

    async fn route(
        &self,
        request: Request<Body>,
        user: UserInfo,
        route: Route,
        warnings: Warnings,
        labels: &mut RequestLabels,
    ) -> Result<Response<Body>, ApiError> {
        let gzip = compress::wanted(request.headers());
        let response = match (route.extension, route.target) {
            (Some(extension), _) => return Ok(extension.handle(request, user).await),
            (None, Target::Resource(path)) => {
                let asked = resources::Asked {
                    path,
                    user,
                    query: route.query,
                    warnings,
                };
                resources::answer(self, request, asked, labels).await?
            }
            (None, Target::Path(path)) => documents::answer(self, &request, &path)?,
        };
        Ok(if gzip {
            compress::compress(response)
        } else {
            response
        })
    }
}

/// Where a request goes.
struct Route {
    target: Target,
    query: Query,
    extension: Option<Arc<dyn Extension>>,
}

/// The name that `fieldSelector=metadata.name=x` asks for, or `""`.
fn name_selector(query: &Query) -> &str {
    query
        .get("fieldSelector")
        .unwrap_or_default()
        .split(',')
        .filter_map(|term| term.trim().strip_prefix("metadata.name="))
        .map(|value| value.strip_prefix('=').unwrap_or(value))
        .next()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_selectors_are_found() {
        let of = |text: &str| {
            name_selector(&Query(vec![("fieldSelector".to_owned(), text.to_owned())])).to_owned()
        };
        assert_eq!(of("metadata.name=x"), "x");
        assert_eq!(of("status.phase=Active,metadata.name==x"), "x");
        assert_eq!(of("metadata.name!=x"), "");
        assert_eq!(of(""), "");
    }
}
