//! Requests on resources: from the path to the verb of the right row, and from its reply to a response.

use futures::StreamExt;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, USER_AGENT};
use http::{Request as HttpRequest, Response};

use super::body::{self, Body};
use super::front::Front;
use super::metrics::RequestLabels;
use super::reviews;
use crate::codec::{Offer, Rendered, negotiate, render};
use crate::request::{Query, Request, ResourcePath, UserInfo, Verb, Warnings};
use crate::status::ApiError;
use crate::verbs::Reply;

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
    let (kind, version) = front.api.route(&asked.path)?;
    *labels = RequestLabels::resource(&asked.path);
    if let Some(text) = kind
        .version(&version)
        .and_then(|v| v.deprecation.as_deref())
    {
        asked.warnings.add(text);
    }
    let request = take_in(front, request, asked).await?;
    let offer = match request.path.verb {
        Verb::Watch => Offer::Stream,
        _ if request.path.subresource == "scale" || reviews::is_review(&kind) => Offer::Plain,
        _ => Offer::Objects,
    };
    let format = negotiate(&request, offer)?;
    let reply = if reviews::is_review(&kind) {
        reviews::answer(front, &request, &kind, &version).await?
    } else {
        front.api.call(&request, &kind, &version).await?
    };
    let reply = observed(front, reply, labels);
    Ok(match render(&front.api, reply, format).await? {
        Rendered::Whole {
            code,
            content_type,
            bytes,
        } => body::response(code, content_type, bytes),
        Rendered::Stream {
            content_type,
            lines,
        } => body::stream(content_type, lines),
    })
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

/// Counts what a watch sends, and the watch itself for as long as it lasts.
fn observed(front: &Front, reply: Reply, labels: &RequestLabels) -> Reply {
    match reply {
        Reply::Watch {
            kind,
            version,
            events,
        } => {
            let open = front.metrics.longrunning(labels);
            let sent = front.metrics.watch_events();
            let events = events.inspect(move |_| {
                let _ = &open;
                sent.inc();
            });
            Reply::Watch {
                kind,
                version,
                events: events.boxed(),
            }
        }
        other => other,
    }
}
