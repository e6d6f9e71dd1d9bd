//! Which headers pass between a client and a member. Pure.

use http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue,
    LOCATION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{StatusCode, Uri};

use federation_member::Credentials;

/// What concerns one connection only (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
];
/// What a client says to the hub and not to the member.
const HUB_ONLY: [HeaderName; 5] = [AUTHORIZATION, COOKIE, EXPECT, FORWARDED, HOST];
/// Headers by which a client could say who it is, or where it comes from.
const FORGEABLE: [&str; 4] = ["impersonate-", "x-remote-", "x-forwarded-", "proxy-"];
const PROTOCOLS: HeaderName = HeaderName::from_static("sec-websocket-protocol");
/// The subprotocol in which browsers hide a bearer token, for want of a header.
const BEARER_PROTOCOL: &str = "base64url.bearer.authorization.k8s.io.";

/// The protocol that a request wants its connection upgraded to, if any.
pub(super) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = connection_tokens(headers).any(|token| token.eq_ignore_ascii_case("upgrade"));
    if asked {
        headers.get(UPGRADE).cloned()
    } else {
        None
    }
}

/// The request's headers as the member gets them: nothing of the client's credentials or connection, whom it is made as,
/// and the hub's own credentials.
pub(super) fn to_member(
    mut headers: HeaderMap,
    identity: HeaderMap,
    credentials: &Credentials,
) -> HeaderMap {
    let protocol = upgrade(&headers);
    drop_hop_by_hop(&mut headers);
    for name in HUB_ONLY {
        headers.remove(name);
    }
    let forged: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            FORGEABLE
                .iter()
                .any(|start| name.as_str().starts_with(start))
        })
        .cloned()
        .collect();
    for name in forged {
        headers.remove(name);
    }
    hide_bearer(&mut headers);
    let mut last = None;
    for (name, value) in identity {
        // Repeated names come without their name.
        last = name.or(last);
        if let Some(name) = &last {
            headers.append(name.clone(), value);
        }
    }
    if let Credentials::Token(token) = credentials
        && let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.reveal()))
    {
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    set_upgrade(&mut headers, protocol);
    headers
}

/// The answer's headers as the client gets them. `prefix` is the path of the proxy, `endpoint` the member's address: a
/// redirect within the member stays within the proxy.
pub(super) fn to_client(
    status: StatusCode,
    mut headers: HeaderMap,
    prefix: &str,
    endpoint: &Uri,
) -> HeaderMap {
    let protocol = (status == StatusCode::SWITCHING_PROTOCOLS)
        .then(|| upgrade(&headers))
        .flatten();
    drop_hop_by_hop(&mut headers);
    // A cookie would be the hub's to the client, and come back for every member.
    headers.remove(SET_COOKIE);
    if let Some(moved) = headers
        .get(LOCATION)
        .and_then(|l| redirect(l, prefix, endpoint))
    {
        headers.insert(LOCATION, moved);
    }
    set_upgrade(&mut headers, protocol);
    headers
}

fn set_upgrade(headers: &mut HeaderMap, protocol: Option<HeaderValue>) {
    if let Some(protocol) = protocol {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, protocol);
    }
}

fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = connection_tokens(headers)
        .filter_map(|token| token.parse().ok())
        .collect();
    for name in named.into_iter().chain(HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn connection_tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// The hub's token must not reach the member.
fn hide_bearer(headers: &mut HeaderMap) {
    let offered: Vec<String> = headers
        .get_all(PROTOCOLS)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|protocol| protocol.trim().to_owned())
        .collect();
    if !offered
        .iter()
        .any(|protocol| protocol.starts_with(BEARER_PROTOCOL))
    {
        return;
    }
    let kept: Vec<String> = offered
        .into_iter()
        .filter(|protocol| !protocol.starts_with(BEARER_PROTOCOL))
        .collect();
    headers.remove(PROTOCOLS);
    if let Ok(value) = HeaderValue::from_str(&kept.join(", "))
        && !kept.is_empty()
    {
        headers.insert(PROTOCOLS, value);
    }
}

fn redirect(location: &HeaderValue, prefix: &str, endpoint: &Uri) -> Option<HeaderValue> {
    let text = location.to_str().ok()?;
    let base = endpoint.to_string();
    let base = base.trim_end_matches('/');
    let within = match text.strip_prefix(base) {
        Some(rest) if rest.starts_with('/') => rest,
        _ if text.starts_with('/') && !text.starts_with("//") => text
            .strip_prefix(endpoint.path().trim_end_matches('/'))
            .filter(|rest| rest.starts_with('/'))
            .unwrap_or(text),
        _ => return None,
    };
    HeaderValue::from_str(&format!("{prefix}{within}")).ok()
}
