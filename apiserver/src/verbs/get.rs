//! Reads one object.

use std::sync::Arc;

use http::StatusCode;

use super::options::{Freshness, for_get};
use super::reply::{Body, Reply};
use crate::api::Api;
use crate::kinds::Kind;
use crate::object::Obj;
use crate::request::Request;
use crate::status::ApiError;

/// Reads the object that the path names, also for its `status` subresource. `resourceVersion` says how old the answer may
/// be: nothing for the latest, `0` for any, else at least that revision.
///
/// # Errors
/// 404, 400 for a bad `resourceVersion`, 504 if it is in the future.
pub async fn get(
    api: &Api,
    request: &Request,
    kind: &Arc<Kind>,
    version: &str,
) -> Result<Reply, ApiError> {
    let object = read(api, request, kind).await?;
    Ok(Reply::Object {
        code: StatusCode::OK,
        kind: kind.clone(),
        version: version.into(),
        body: Body::Stored(object),
    })
}

/// The object that a get's path and query ask for, as it is stored: for subresources whose answer is made of it.
///
/// # Errors
/// As [`get`].
pub async fn read(api: &Api, request: &Request, kind: &Arc<Kind>) -> Result<Arc<Obj>, ApiError> {
    match for_get(&request.query)? {
        Freshness::Latest => api.cache.fresh().await?,
        Freshness::Any => {}
        Freshness::NotOlderThan(revision) | Freshness::Exact(revision) => {
            api.cache.wait_for(revision).await?;
        }
    }
    let path = &request.path;
    api.cache
        .get(&kind.resource, &path.namespace, &path.name)
        .ok_or_else(|| ApiError::not_found(&kind.group, &kind.plural, &path.name))
}
