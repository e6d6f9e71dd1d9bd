//! Requests on resources: from the path to the verb of the right row, and from its reply to a response.

use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, USER_AGENT};
use http::{Request as HttpRequest, Response};

use super::body::{self, Body};
use super::front::Front;
use super::metrics::RequestLabels;
use crate::kinds::{Kind, KindVersion};
use crate::request::{Query, Request, ResourcePath, UserInfo, Verb, Warnings};
use crate::status::ApiError;

/// A request on a resource, before its body is read.
pub(crate) struct Asked {
    pub(crate) path: ResourcePath,
    pub(crate) user: UserInfo,
    pub(crate) query: Query,
    pub(crate) warnings: Warnings,
}

/// Answers it.
///
/// # Errors
/// Everything that the client did wrong or that went wrong.
pub(crate) async fn answer(
    front: &Front,
    request: HttpRequest<Body>,
    asked: Asked,
    labels: &mut RequestLabels,
) -> Result<Response<Body>, ApiError> {
    let kinds = front.api.registry.kinds();
    let kind = kinds
        .resource(&asked.path.group, &asked.path.resource)
        .ok_or_else(ApiError::no_such_path)?;
    let version = kind
        .version(&asked.path.version)
        .ok_or_else(ApiError::no_such_path)?;
    check(kind, version, &asked.path)?;
    *labels = RequestLabels::resource(&asked.path);
    if let Some(text) = &version.deprecation {
        asked.warnings.add(text.as_str());
    }
    let request = take_in(front, request, asked).await?;
    Err(ApiError::method_not_allowed(
        &kind.group,
        &kind.plural,
        request.path.verb.as_str(),
    ))
}

/// Does the row serve what the path asks for?
///
/// # Errors
/// 404 for a path that does not exist for the kind; 405 for one that does, with another method.
fn check(kind: &Kind, version: &KindVersion, path: &ResourcePath) -> Result<(), ApiError> {
    let not_allowed =
        || ApiError::method_not_allowed(&path.group, &path.resource, path.verb.as_str());
    let in_namespace = !path.namespace.is_empty();
    if in_namespace && !kind.namespaced() {
        return Err(ApiError::no_such_path());
    }
    let all_namespaces = kind.namespaced() && !in_namespace;
    if all_namespaces && !path.name.is_empty() {
        return Err(ApiError::no_such_path());
    }
    if !path.rest.is_empty() {
        return Err(ApiError::no_such_path());
    }
    if path.subresource.is_empty() {
        let named = !path.name.is_empty();
        let fits = match path.verb {
            Verb::Get | Verb::Update | Verb::Patch | Verb::Delete => named,
            Verb::List | Verb::Watch => !named,
            Verb::Create | Verb::DeleteCollection => !named && !all_namespaces,
        };
        return if fits && kind.verbs.contains(&path.verb) {
            Ok(())
        } else {
            Err(not_allowed())
        };
    }
    let served = match path.subresource.as_str() {
        "status" => version.status,
        "scale" => version.scale.is_some(),
        "finalize" => kind.group.is_empty() && &*kind.plural == "namespaces",
        _ => false,
    };
    match path.verb {
        _ if !served => Err(ApiError::no_such_path()),
        Verb::Get | Verb::Update | Verb::Patch => Ok(()),
        Verb::List | Verb::Watch | Verb::Create | Verb::Delete | Verb::DeleteCollection => {
            Err(not_allowed())
        }
    }
}

/// Reads the body and gathers what verbs know of a request.
async fn take_in(
    front: &Front,
    request: HttpRequest<Body>,
    asked: Asked,
) -> Result<Request, ApiError> {
    let (parts, incoming) = request.into_parts();
    let header = |name: &HeaderName| {
        parts
            .headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect::<Vec<_>>()
            .join(",")
    };
    let (accept, content_type) = (header(&ACCEPT), header(&CONTENT_TYPE));
    let user_agent = header(&USER_AGENT);
    let body = match asked.path.verb {
        Verb::Get | Verb::List | Verb::Watch => bytes::Bytes::new(),
        Verb::Create | Verb::Update | Verb::Patch | Verb::Delete | Verb::DeleteCollection => {
            body::read(incoming, front.limits.body_bytes).await?
        }
    };
    Ok(Request {
        path: asked.path,
        user: asked.user,
        query: asked.query,
        accept,
        content_type,
        user_agent,
        body,
        warnings: asked.warnings,
    })
}
