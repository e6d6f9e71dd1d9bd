//! Sends a request on and its answer back: bodies as they come, upgraded connections byte by byte.

use apiserver::http::Body;
use http::{HeaderMap, Request, Response, StatusCode, Uri, Version};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;

use super::body::{Ending, streamed};
use super::directory::Found;
use super::error::ProxyError;
use super::headers;
use super::pool::{MemberClient, Place};
use super::route::PREFIX;

/// Everything about a request but the request.
pub(super) struct Passage<'a> {
    /// The name that the client used.
    pub(super) cluster: &'a str,
    /// The path in the member, as the client wrote it.
    pub(super) path: &'a str,
    pub(super) found: &'a Found,
    pub(super) member: &'a MemberClient,
    pub(super) identity: HeaderMap,
    /// Kept for as long as anything of the request lives.
    pub(super) place: Place,
    /// Cancelled when the cluster is deleted.
    pub(super) cut: CancellationToken,
    /// Cancelled when the hub is about to stop.
    pub(super) stops: CancellationToken,
}

/// Sends it.
///
/// # Errors
/// If the member does not answer.
pub(super) async fn forward(
    mut request: Request<Body>,
    passage: Passage<'_>,
) -> Result<Response<Body>, ProxyError> {
    let endpoint = &passage.found.access.endpoint;
    let upgrading = headers::upgrade(request.headers()).is_some();
    let client_side = upgrading.then(|| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    let mut outgoing = Request::new(body);
    *outgoing.method_mut() = parts.method;
    *outgoing.uri_mut() = target(endpoint, passage.path, parts.uri.query())?;
    let ending = Ending::of(parts.uri.query());
    *outgoing.version_mut() = Version::HTTP_11;
    *outgoing.headers_mut() = headers::to_member(
        parts.headers,
        passage.identity,
        &passage.found.access.credentials,
    );
    let sent = passage.member.client.request(outgoing).await;
    let mut response = sent.map_err(|source| ProxyError::Failed {
        cluster: passage.cluster.to_owned(),
        health: passage.found.health.clone(),
        source,
    })?;
    if response.status() == StatusCode::UNAUTHORIZED {
        // The client's own credentials were good: the hub has let it in.
        return Err(ProxyError::Credentials(passage.cluster.to_owned()));
    }
    let member_side = (response.status() == StatusCode::SWITCHING_PROTOCOLS)
        .then(|| hyper::upgrade::on(&mut response));
    let (mut parts, body) = response.into_parts();
    let prefix = format!("{PREFIX}/{}/proxy", passage.cluster);
    parts.headers = headers::to_client(parts.status, parts.headers, &prefix, endpoint);
    let place = match (client_side, member_side) {
        (Some(client_side), Some(member_side)) => {
            let (place, cut) = (passage.place, passage.cut.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = splice(client_side, member_side) => {}
                    () = cut.cancelled() => {}
                }
                drop(place);
            });
            None
        }
        _ => Some(passage.place),
    };
    Ok(Response::from_parts(
        parts,
        streamed(
            body,
            place,
            passage.cut,
            ending.map(|ending| (passage.stops, ending)),
        ),
    ))
}

/// Copies both ways until both are at their end. The end of one direction is passed on and does not end the other: a
/// client that has sent all it has still reads the answer.
async fn splice(client_side: OnUpgrade, member_side: OnUpgrade) {
    let (client, member) = match tokio::try_join!(client_side, member_side) {
        Ok(both) => both,
        Err(error) => {
            tracing::debug!(%error, "an upgraded connection did not come about");
            return;
        }
    };
    let (mut client, mut member) = (TokioIo::new(client), TokioIo::new(member));
    match tokio::io::copy_bidirectional(&mut client, &mut member).await {
        Ok((up, down)) => tracing::debug!(up, down, "an upgraded connection ended"),
        Err(error) => tracing::debug!(%error, "an upgraded connection broke"),
    }
}

/// Whether a path has dot segments, in clear or escaped. Behind an endpoint with a path of its own, such as `https://gate/k8s/clusters/c-1`,
/// they could lead to another cluster: servers resolve them.
fn climbs(path: &str) -> bool {
    let plain = path.replace("%2e", ".").replace("%2E", ".");
    let plain = plain.replace("%2f", "/").replace("%2F", "/");
    plain
        .split(['/', '\\'])
        .any(|segment| matches!(segment, "." | ".."))
}

/// The address in the member: what the endpoint begins with, then the path and the query as they are.
fn target(endpoint: &Uri, path: &str, query: Option<&str>) -> Result<Uri, ProxyError> {
    let base = endpoint.path().trim_end_matches('/');
    if !base.is_empty() && climbs(path) {
        return Err(ProxyError::NoRoute);
    }
    let path_and_query = match query {
        Some(query) => format!("{base}{path}?{query}"),
        None => format!("{base}{path}"),
    };
    let mut parts = endpoint.clone().into_parts();
    parts.path_and_query = Some(path_and_query.parse().map_err(|_| ProxyError::NoRoute)?);
    Uri::from_parts(parts).map_err(|_| ProxyError::NoRoute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_what_the_client_wrote() {
        let of = |endpoint: &str, path, query| {
            target(&endpoint.parse().unwrap(), path, query)
                .unwrap()
                .to_string()
        };
        assert_eq!(
            of("https://m:6443/", "/api/v1/a%2Fb", Some("x=%20&watch=1")),
            "https://m:6443/api/v1/a%2Fb?x=%20&watch=1"
        );
        assert_eq!(of("https://h/k8s/c-1", "/", None), "https://h/k8s/c-1/");
        assert_eq!(
            of("https://m", "/api/v1/x/../y", None),
            "https://m/api/v1/x/../y"
        );
    }

    #[test]
    fn nothing_climbs_out_of_an_endpoint_that_has_a_path() {
        let endpoint = "https://h/k8s/c-1".parse().unwrap();
        for path in [
            "/../c-2/api",
            "/api/../../c-2/api",
            "/%2e%2E/c-2/api",
            "/.%2e/c-2/api",
            "/api%2F..%2f..%2fc-2",
            "/api/./v1",
            "/..",
            "/..\\c-2",
        ] {
            assert!(target(&endpoint, path, None).is_err(), "{path}");
        }
        for path in ["/api/v1/...", "/api/a..b/.c", "/x%2fy"] {
            assert!(target(&endpoint, path, None).is_ok(), "{path}");
        }
    }
}
