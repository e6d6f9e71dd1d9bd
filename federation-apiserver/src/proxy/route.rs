//! From a request's path to a cluster and the path in it. Pure.

/// Where everything begins.
pub(super) const PREFIX: &str = "/apis/koinon.io/v1alpha1/clusters";

/// A proxied request's path, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route<'a> {
    /// Name of the `KubeFedCluster`.
    pub(super) cluster: &'a str,
    /// The path in the member as the client wrote it, escapes and all; begins with a slash.
    pub(super) path: &'a str,
}

/// Takes a path apart; `None` if it is not below some cluster's `proxy`.
///
/// The name must be written plainly: the server authorised the decoded path, so a name that reads differently when decoded
/// would be authorised as one cluster and routed to another.
pub(super) fn parse(path: &str) -> Option<Route<'_>> {
    let rest = path.strip_prefix(PREFIX)?.strip_prefix('/')?;
    let (cluster, rest) = rest.split_once('/')?;
    let path = rest.strip_prefix("proxy")?;
    let path = match path {
        "" => "/",
        _ if path.starts_with('/') => path,
        _ => return None,
    };
    is_name(cluster).then_some(Route { cluster, path })
}

/// The letters that names of clusters are made of.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_split_at_proxy() {
        for (path, cluster, rest) in [
            ("hz-1/proxy", "hz-1", "/"),
            ("hz-1/proxy/", "hz-1", "/"),
            (
                "rz00a.bank-prod/proxy/api/v1/pods",
                "rz00a.bank-prod",
                "/api/v1/pods",
            ),
            ("a/proxy//x/%2e%2e/", "a", "//x/%2e%2e/"),
            (
                "a/proxy/apis/koinon.io/v1alpha1/clusters/b/proxy/x",
                "a",
                "/apis/koinon.io/v1alpha1/clusters/b/proxy/x",
            ),
        ] {
            let full = format!("{PREFIX}/{path}");
            let route = parse(&full).unwrap();
            assert_eq!((route.cluster, route.path), (cluster, rest), "{path}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_no_route() {
        for path in [
            "",
            "hz-1",
            "hz-1/",
            "hz-1/proxyx",
            "/proxy",
            "//proxy",
            "../proxy",
            "a%2Fproxy/proxy/x",
            "%61/proxy/x",
            "A/proxy/x",
            "a b/proxy",
            "a/status",
        ] {
            assert_eq!(parse(&format!("{PREFIX}/{path}")), None, "{path}");
        }
        assert_eq!(parse("/apis/koinon.io/v1alpha1/clustersx/proxy"), None);
    }
}
