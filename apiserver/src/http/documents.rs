//! Paths that are not resources: discovery, OpenAPI, metrics, and the list of paths.

use bytes::Bytes;
use http::header::{
    ACCEPT, CACHE_CONTROL, ETAG, EXPIRES, HeaderMap, HeaderValue, IF_NONE_MATCH, LOCATION, VARY,
};
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::body::{self, Body};
use super::discovery::{AggregatedVersion, Discovery, DiscoveryPath, Document, group_versions};
use super::extension::ExtensionResource;
use super::front::Front;
use super::openapi::{OpenApi, second};
use super::{uri, version};
use crate::kinds::Kinds;
use crate::status::ApiError;

/// The documents of one server.
#[derive(Debug)]
pub(crate) struct Documents {
    discovery: Discovery,
    openapi: OpenApi,
    address: String,
}

impl Documents {
    /// Documents that tell clients to come to `address` (`host:port`), and of what extensions serve.
    pub(crate) fn new(address: String, extras: Vec<ExtensionResource>) -> Self {
        Self {
            discovery: Discovery::new(extras),
            openapi: OpenApi::default(),
            address,
        }
    }
}

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
        return Err(ApiError::no_such_method());
    }
    let headers = request.headers();
    let kinds = front.api.registry.kinds();
    let documents = &front.documents;
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match parts.as_slice() {
        [""] => Ok(body::json(StatusCode::OK, &index(&kinds))),
        ["metrics"] => Ok(body::response(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            front.metrics.render(front.api.store.committed().get()),
        )),
        ["openapi", "v2"] => openapi_v2(headers),
        ["openapi", "v3"] => Ok(plain(&documents.openapi.root(&kinds))),
        ["openapi", "v3", rest @ ..] => {
            let path = rest.join("/");
            let document = documents
                .openapi
                .document(&kinds, &path)
                .ok_or_else(ApiError::no_such_path)?;
            let query = uri::parse_query(request.uri().query())?;
            Ok(openapi(&document, &path, query.get("hash"), headers))
        }
        ["api" | "apis", ..] => {
            let (path, content_type) = discovery_path(&parts, headers, &documents.address)
                .ok_or_else(ApiError::no_such_path)?;
            let aggregated = matches!(path, DiscoveryPath::Aggregated { .. });
            let document = documents
                .discovery
                .document(&kinds, path)
                .ok_or_else(ApiError::no_such_path)?;
            Ok(if aggregated {
                cached(&document, content_type, headers)
            } else {
                plain(&document)
            })
        }
        _ => Err(ApiError::no_such_path()),
    }
}

/// Which discovery document a path and `Accept` ask for, and the content type that it goes out with.
fn discovery_path(
    parts: &[&str],
    headers: &HeaderMap,
    address: &str,
) -> Option<(DiscoveryPath, &'static str)> {
    const JSON: &str = "application/json";
    let aggregated = |core| {
        aggregated_version(headers).map(|version| {
            let content_type = match version {
                AggregatedVersion::V2 => {
                    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
                }
                AggregatedVersion::V2Beta1 => {
                    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
                }
            };
            (DiscoveryPath::Aggregated { core, version }, content_type)
        })
    };
    Some(match parts {
        ["api"] => aggregated(true)
            .unwrap_or_else(|| (DiscoveryPath::ApiVersions(address.to_owned()), JSON)),
        ["apis"] => aggregated(false).unwrap_or((DiscoveryPath::Groups, JSON)),
        ["api", version] => (
            DiscoveryPath::Resources(String::new(), (*version).to_owned()),
            JSON,
        ),
        ["apis", group] => (DiscoveryPath::Group((*group).to_owned()), JSON),
        ["apis", group, version] => (
            DiscoveryPath::Resources((*group).to_owned(), (*version).to_owned()),
            JSON,
        ),
        _ => return None,
    })
}

/// The aggregated form that a client wants most, if it wants one more than plain JSON.
fn aggregated_version(headers: &HeaderMap) -> Option<AggregatedVersion> {
    let accept = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|v| v.to_str().ok());
    for clause in accept.flat_map(|value| value.split(',')) {
        let mut parts = clause.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let parameters: Vec<&str> = parts.collect();
        let is = |parameter: &str| parameters.contains(&parameter);
        let wanted = is("as=APIGroupDiscoveryList") && is("g=apidiscovery.k8s.io");
        match media_type {
            "application/json" if wanted && is("v=v2") => return Some(AggregatedVersion::V2),
            "application/json" if wanted && is("v=v2beta1") => {
                return Some(AggregatedVersion::V2Beta1);
            }
            "application/json" | "*/*" | "application/*" if !is("as=APIGroupDiscoveryList") => {
                return None;
            }
            _ => {}
        }
    }
    None
}

/// The OpenAPI v2 document in the form that comes first in `Accept`.
fn openapi_v2(headers: &HeaderMap) -> Result<Response<Body>, ApiError> {
    let accept = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|v| v.to_str().ok());
    let wanted: Vec<&str> = accept
        .flat_map(|value| value.split(','))
        .map(|clause| clause.split(';').next().unwrap_or_default().trim())
        .collect();
    let is_json = |media: &&str| matches!(*media, "application/json" | "application/*" | "*/*");
    let is_known = |media: &&&str| is_json(media) || **media == second::PROTOBUF;
    let (media, bytes) = match wanted.iter().find(is_known) {
        Some(&second::PROTOBUF) => (second::PROTOBUF_ANSWER, second::protobuf(version::LEVEL)),
        None if !wanted.is_empty() => {
            let known = ["application/json", second::PROTOBUF];
            return Err(ApiError::not_acceptable(&known));
        }
        _ => {
            let json = second::json(version::LEVEL).to_string();
            ("application/json", json.into())
        }
    };
    let mut response = cached(&Document::of(bytes), media, headers);
    let headers = response.headers_mut();
    headers.remove(CACHE_CONTROL);
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.append(VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

/// A document that clients ask for anew each time, as upstream's old forms of discovery.
fn plain(document: &Document) -> Response<Body> {
    body::response(StatusCode::OK, "application/json", document.body.clone())
}

/// A document that clients keep and ask for again by its `ETag`.
fn cached(document: &Document, content_type: &'static str, headers: &HeaderMap) -> Response<Body> {
    let etag = document.etag();
    let known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|tag| tag.trim() == etag || tag.trim() == "*");
    let mut response = if known {
        let mut response = Response::new(body::full(Bytes::new()));
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        body::response(StatusCode::OK, content_type, document.body.clone())
    };
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(ETAG, etag);
    }
    response
}

/// The document of one group version: for ever with the right hash, a redirect with a wrong one.
fn openapi(
    document: &Document,
    path: &str,
    hash: Option<&str>,
    headers: &HeaderMap,
) -> Response<Body> {
    let current = document.hash.as_ref();
    match hash {
        Some(hash) if !hash.is_empty() && hash.trim_matches('"') != current => {
            let mut response = body::response(StatusCode::MOVED_PERMANENTLY, "text/plain", "");
            let target = format!("/openapi/v3/{path}?hash={current}");
            if let Ok(target) = HeaderValue::from_str(&target) {
                response.headers_mut().insert(LOCATION, target);
            }
            response
                .headers_mut()
                .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            response
        }
        Some(hash) if !hash.is_empty() => {
            let mut response = cached(document, "application/json", headers);
            let headers = response.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, immutable"));
            headers.insert(
                EXPIRES,
                HeaderValue::from_static("Fri, 31 Dec 2100 23:59:59 GMT"),
            );
            response
        }
        _ => {
            let mut response = cached(document, "application/json", headers);
            response.headers_mut().remove(CACHE_CONTROL);
            response
        }
    }
}

/// The paths that there are, for people with a browser.
fn index(kinds: &Kinds) -> Value {
    let mut paths: Vec<String> = [
        "/api",
        "/apis",
        "/healthz",
        "/livez",
        "/metrics",
        "/openapi/v2",
        "/openapi/v3",
        "/readyz",
        "/version",
    ]
    .map(str::to_owned)
    .to_vec();
    for group in group_versions(kinds) {
        let base = match &*group.group {
            "" => "/api".to_owned(),
            name => format!("/apis/{name}"),
        };
        paths.extend(group.versions.iter().map(|v| format!("{base}/{v}")));
        paths.push(base);
    }
    paths.sort();
    paths.dedup();
    json!({ "paths": paths })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(accept: &str) -> Option<AggregatedVersion> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        aggregated_version(&headers)
    }

    #[test]
    fn the_first_form_that_is_known_wins() {
        let kubectl = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
            application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
        assert_eq!(wanted(kubectl), Some(AggregatedVersion::V2));
        assert_eq!(
            wanted(
                "application/json;profile=nopeer;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
            ),
            Some(AggregatedVersion::V2)
        );
        assert_eq!(
            wanted("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"),
            Some(AggregatedVersion::V2Beta1)
        );
        assert_eq!(wanted("*/*"), None);
        assert_eq!(wanted("application/json"), None);
        assert_eq!(
            wanted("application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList"),
            None
        );
    }

    #[test]
    fn documents_are_not_sent_twice_and_old_hashes_lead_to_the_new_one() {
        let document = Document::new(&json!({"a": 1}));
        let mut headers = HeaderMap::new();
        let first = cached(&document, "application/json", &headers);
        assert_eq!(first.status(), 200);
        headers.insert(IF_NONE_MATCH, first.headers()[ETAG].clone());
        assert_eq!(
            cached(&document, "application/json", &headers).status(),
            304
        );
        let moved = openapi(&document, "api/v1", Some("OLD"), &HeaderMap::new());
        assert_eq!(moved.status(), 301);
        assert_eq!(
            moved.headers()[LOCATION],
            format!("/openapi/v3/api/v1?hash={}", document.hash)
        );
        let kept = openapi(&document, "api/v1", Some(&document.hash), &HeaderMap::new());
        assert_eq!(kept.headers()[CACHE_CONTROL], "public, immutable");
    }
}
