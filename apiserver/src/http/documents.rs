//! Paths that are not resources: discovery, OpenAPI, metrics, and the list of paths.

use http::{Method, Request, Response, StatusCode};

use super::body::{self, Body};
use super::front::Front;
use super::path::method_not_allowed;
use crate::status::ApiError;

/// What the documents are made from and kept in.
#[derive(Debug, Default)]
pub(crate) struct Documents {}

/// Answers a path that is not a resource.
///
/// # Errors
/// 404 for a path that nothing is served at; 405 for writes.
pub(crate) fn answer(
    front: &Front,
    request: &Request<Body>,
    path: &str,
) -> Result<Response<Body>, ApiError> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(method_not_allowed());
    }
    match path {
        "/metrics" => Ok(body::response(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            front.metrics.render(front.api.store.committed().get()),
        )),
        _ => Err(ApiError::no_such_path()),
    }
}
