//! From method and path to what is asked for: `k8s.io/apiserver/pkg/endpoints/request.RequestInfo`.

use http::Method;

use super::uri::decode;
use crate::request::{Query, ResourcePath, Verb};
use crate::status::ApiError;

/// What a request is aimed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A resource below `/api/<version>` or `/apis/<group>/<version>`.
    Resource(ResourcePath),
    /// Any other path, decoded and without a trailing slash (but for `/` itself).
    Path(String),
}

/// Parts of a namespace that are subresources of it; any other third part is a resource inside it.
const NAMESPACE_SUBRESOURCES: [&str; 2] = ["status", "finalize"];

/// Reads method, path and query. The deprecated `/watch/` prefix is rewritten into a watch on the collection, which
/// is why the query can change.
///
/// # Errors
/// 400 on a broken escape; 405 on a method that no resource knows.
pub(crate) fn parse(method: &Method, path: &str, query: &mut Query) -> Result<Target, ApiError> {
    let path = decode(path, false)
        .ok_or_else(|| ApiError::bad_request(format!("invalid URL escape in path {path:?}")))?;
    let trimmed = path.trim_matches('/');
    let parts: Vec<&str> = trimmed.split('/').collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
        _ => return Ok(Target::Path(format!("/{trimmed}"))),
    };
    let (watch_prefix, rest) = match rest {
        ["watch", rest @ ..] if !rest.is_empty() => (true, rest),
        rest => (false, rest),
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, third, ..] if !NAMESPACE_SUBRESOURCES.contains(third) => {
            (*namespace, &rest[2..])
        }
        rest => ("", rest),
    };
    let part = |index: usize| rest.get(index).copied().unwrap_or_default().to_owned();
    let name = part(1);
    let mut resource = ResourcePath {
        verb: verb(method, name.is_empty(), query)?,
        group: group.to_owned(),
        version: version.to_owned(),
        resource: part(0),
        namespace: namespace.to_owned(),
        name,
        subresource: part(2),
        rest: rest.get(3..).unwrap_or_default().join("/"),
    };
    if watch_prefix {
        watch_collection(&mut resource, query);
    }
    Ok(Target::Resource(resource))
}

fn verb(method: &Method, collection: bool, query: &Query) -> Result<Verb, ApiError> {
    Ok(match (method, collection) {
        (&Method::GET | &Method::HEAD, false) => Verb::Get,
        (&Method::GET | &Method::HEAD, true) if query.flag("watch") => Verb::Watch,
        (&Method::GET | &Method::HEAD, true) => Verb::List,
        (&Method::POST, _) => Verb::Create,
        (&Method::PUT, _) => Verb::Update,
        (&Method::PATCH, _) => Verb::Patch,
        (&Method::DELETE, false) => Verb::Delete,
        (&Method::DELETE, true) => Verb::DeleteCollection,
        _ => return Err(ApiError::no_such_method()),
    })
}

fn watch_collection(resource: &mut ResourcePath, query: &mut Query) {
    resource.verb = Verb::Watch;
    if !resource.name.is_empty() {
        let name = std::mem::take(&mut resource.name);
        query
            .0
            .push(("fieldSelector".to_owned(), format!("metadata.name={name}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(method: &str, uri: &str) -> Target {
        let (path, raw) = uri.split_once('?').unwrap_or((uri, ""));
        let mut query = super::super::uri::parse_query(Some(raw)).unwrap();
        parse(
            &Method::from_bytes(method.as_bytes()).unwrap(),
            path,
            &mut query,
        )
        .unwrap()
    }

    /// Method and path; then verb, group, version, namespace, resource, subresource, name, rest, `-` for none.
    const TABLE: &str = "
        GET /api/v1/namespaces | list - v1 - namespaces - - -
        GET /api/v1/namespaces/other | get - v1 - namespaces - other -
        PUT /api/v1/namespaces/other/finalize | update - v1 - namespaces finalize other -
        PATCH /api/v1/namespaces/other/status | patch - v1 - namespaces status other -
        GET /api/v1/namespaces/other/pods | list - v1 other pods - - -
        GET /api/v1/namespaces/other/pods/foo | get - v1 other pods - foo -
        HEAD /api/v1/namespaces/other/pods/foo | get - v1 other pods - foo -
        GET /api/v1/pods?watch=true | watch - v1 - pods - - -
        GET /api/v1/pods?watch=false | list - v1 - pods - - -
        GET /api/v1/watch/namespaces/other/pods/foo | watch - v1 other pods - - -
        GET /api/v1/watch/pods | watch - v1 - pods - - -
        POST /apis/apps/v1/namespaces/ns/deployments | create apps v1 ns deployments - - -
        PUT /apis/apps/v1/namespaces/ns/deployments/d/scale | update apps v1 ns deployments scale d -
        DELETE /apis/apps/v1/namespaces/ns/deployments/d | delete apps v1 ns deployments - d -
        DELETE /apis/apps/v1/namespaces/ns/deployments | deletecollection apps v1 ns deployments - - -
        GET /apis/koinon.io/v1/clusters/hz-1/proxy/api/v1/pods | get koinon.io v1 - clusters proxy hz-1 api/v1/pods
        GET /apis/a.b/v1/things/x%2Fy/ | get a.b v1 - things y x -
        ";

    #[test]
    fn resource_paths_are_read_as_upstream_reads_them() {
        for line in TABLE.lines().map(str::trim).filter(|l| !l.is_empty()) {
            let (asked, wanted) = line.split_once(" | ").unwrap();
            let (method, uri) = asked.split_once(' ').unwrap();
            let Target::Resource(got) = parsed(method, uri) else {
                panic!("{uri} is a resource path")
            };
            let got = [
                got.verb.as_str(),
                &got.group,
                &got.version,
                &got.namespace,
                &got.resource,
                &got.subresource,
                &got.name,
                &got.rest,
            ]
            .map(|part| if part.is_empty() { "-" } else { part })
            .join(" ");
            assert_eq!(got, wanted, "{asked}");
        }
    }

    #[test]
    fn other_paths_stay_paths() {
        for (uri, want) in [
            ("/", "/"),
            ("/api", "/api"),
            ("/api/v1/", "/api/v1"),
            ("/apis/apps", "/apis/apps"),
            ("/apis/apps/v1", "/apis/apps/v1"),
            ("/healthz/ping", "/healthz/ping"),
        ] {
            assert_eq!(parsed("GET", uri), Target::Path(want.to_owned()));
        }
    }

    #[test]
    fn unknown_methods_are_not_allowed() {
        let error = parse(&Method::OPTIONS, "/api/v1/pods", &mut Query::default()).unwrap_err();
        assert_eq!(error.code, 405);
        assert!(parse(&Method::GET, "/api/v1/%zz", &mut Query::default()).is_err());
    }
}
