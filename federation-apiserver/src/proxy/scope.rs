//! What of a member a cell's proxy shows: the cell's member namespace. Pure.
//!
//! Several tenants' cells share a cluster, and the hub reaches it with one credential that may do everything there. The
//! member's own roles decide what the impersonated caller may do, but a grant there that is wider than the cell must not be
//! reachable under the cell's name (docs/decisions/0008-through-the-hub-into-a-cell.md).

use http::Method;

/// Why a path is not reachable through a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OutsideCell {
    /// It is in another namespace, or in none.
    #[error("a cell's proxy reaches only objects of the cell's own namespace")]
    Elsewhere,
    /// The namespace itself is the federation's to change.
    #[error(
        "the namespace of a cell can be read through its proxy, and is changed through its Cell"
    )]
    NamespaceItself,
    /// It can be read in more than one way.
    #[error("the path has empty, dot or escaped segments, which a cell's proxy does not pass on")]
    Ambiguous,
}

/// Group, version and resource of the reviews that anybody may write about themselves.
const SELF_REVIEWS: [(&str, &str); 3] = [
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authentication.k8s.io", "selfsubjectreviews"),
];

/// May `path`, as the client wrote it, be asked for in a cell whose member namespace is `namespace`?
///
/// # Errors
/// It may not.
pub(super) fn check(method: &Method, path: &str, namespace: &str) -> Result<(), OutsideCell> {
    let trimmed = path.trim_start_matches('/');
    let trimmed = trimmed.strip_suffix('/').unwrap_or(trimmed);
    if path.len() > 1 && (path.starts_with("//") || path.ends_with("//")) {
        return Err(OutsideCell::Ambiguous);
    }
    let parts: Vec<&str> = trimmed.split('/').collect();
    let odd = |part: &&str| part.is_empty() || *part == "." || *part == "..";
    // Names in the member's API need no escapes but for the colon and the like, which clients do not escape in paths.
    if trimmed.contains(['%', '\\']) || (!trimmed.is_empty() && parts.iter().any(odd)) {
        return Err(OutsideCell::Ambiguous);
    }
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let inside = match parts.as_slice() {
        ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] if !rest.is_empty() => rest,
        // Discovery, schemas, version and health tell nothing of anybody's objects.
        ["" | "api" | "version" | "healthz" | "livez" | "readyz"]
        | ["api", _]
        | ["apis"]
        | ["apis", _]
        | ["apis", _, _]
        | ["openapi", ..]
            if reads =>
        {
            return Ok(());
        }
        _ => return Err(OutsideCell::Elsewhere),
    };
    match inside {
        ["namespaces", own] if *own == namespace && reads => Ok(()),
        ["namespaces", own] | ["namespaces", own, "status" | "finalize"] if *own == namespace => {
            Err(OutsideCell::NamespaceItself)
        }
        ["namespaces", own, _, ..] if *own == namespace => Ok(()),
        [resource] if *method == Method::POST && is_self_review(&parts, resource) => Ok(()),
        _ => Err(OutsideCell::Elsewhere),
    }
}

fn is_self_review(parts: &[&str], resource: &str) -> bool {
    matches!(parts, ["apis", group, _, _] if SELF_REVIEWS.contains(&(*group, resource)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Result<(), OutsideCell> {
        let (method, path) = text.split_once(' ').unwrap();
        check(&method.parse().unwrap(), path, "bank-a")
    }

    #[test]
    fn the_namespace_and_what_tells_of_nobody_is_inside() {
        for text in [
            "GET /api/v1/namespaces/bank-a/pods",
            "GET /api/v1/namespaces/bank-a/pods/",
            "DELETE /api/v1/namespaces/bank-a/pods/x",
            "POST /apis/apps/v1/namespaces/bank-a/deployments",
            "GET /api/v1/namespaces/bank-a/pods/x/exec",
            "GET /api/v1/namespaces/bank-a/services/https:web:443/proxy/a/b",
            "GET /api/v1/namespaces/bank-a",
            "GET /",
            "GET /api",
            "GET /apis/apps/v1",
            "GET /openapi/v3/apis/apps/v1",
            "GET /version",
            "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        ] {
            assert_eq!(asked(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn everything_else_is_outside() {
        for text in [
            "GET /api/v1/pods",
            "GET /api/v1/namespaces",
            "GET /api/v1/namespaces/bank-b/pods",
            "GET /api/v1/namespaces/bank-a2/pods",
            "GET /api/v1/nodes",
            "GET /api/v1/nodes/n/proxy/logs",
            "GET /api/v1/watch/namespaces/bank-b/pods",
            "GET /api/v1/watch/namespaces/bank-a/pods",
            "GET /api/v1/proxy/namespaces/bank-b/pods/x",
            "POST /apis/authorization.k8s.io/v1/subjectaccessreviews",
            "POST /apis/authentication.k8s.io/v1/tokenreviews",
            "GET /logs/",
            "GET /metrics",
            "GET /metrics/slis",
            "POST /api",
            "GET /healthz/etcd",
            "GET /debug/pprof",
            "POST /openapi/v2",
        ] {
            assert_eq!(asked(text), Err(OutsideCell::Elsewhere), "{text}");
        }
        for text in [
            "DELETE /api/v1/namespaces/bank-a",
            "PUT /api/v1/namespaces/bank-a/finalize",
            "PATCH /api/v1/namespaces/bank-a/status",
            "GET /api/v1/namespaces/bank-a/status",
        ] {
            assert_eq!(asked(text), Err(OutsideCell::NamespaceItself), "{text}");
        }
    }

    #[test]
    fn nothing_is_inside_by_being_written_oddly() {
        for text in [
            "GET /api/v1/namespaces/bank-a/../bank-b/pods",
            "GET /api/v1/namespaces/bank-a/%2e%2e/bank-b/pods",
            "GET /api/v1/namespaces/bank-a%2Fpods",
            "GET //api/v1/namespaces/bank-a/pods",
            "GET /api/v1//namespaces/bank-b/pods",
            "GET /api/v1/namespaces//pods",
            "GET /api/v1/namespaces/bank-a/pods//",
            "GET /openapi/../api/v1/pods",
            "GET /api/v1/namespaces/bank-a\\..\\x/pods",
        ] {
            assert_eq!(asked(text), Err(OutsideCell::Ambiguous), "{text}");
        }
    }
}
