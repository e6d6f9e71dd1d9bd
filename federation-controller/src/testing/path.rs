//! Request paths of the Kubernetes API, taken apart.

/// A parsed path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ApiPath {
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) subresource: String,
}

impl ApiPath {
    /// Parses `/api/v1/…` and `/apis/<group>/<version>/…`; `None` for everything else.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, rest) = match parts.as_slice() {
            ["api", _, rest @ ..] => ("", rest),
            ["apis", group, _, rest @ ..] => (*group, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() && *rest != ["status"] => {
                (*namespace, rest)
            }
            rest => ("", rest),
        };
        let part = |index: usize| rest.get(index).copied().unwrap_or_default().to_owned();
        if rest.is_empty() {
            return None;
        }
        Some(Self {
            group: group.to_owned(),
            resource: part(0),
            namespace: namespace.to_owned(),
            name: part(1),
            subresource: part(2),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        let path = ApiPath::parse("/apis/apps/v1/namespaces/a/deployments/b/status").unwrap();
        assert_eq!(
            (
                path.group.as_str(),
                path.resource.as_str(),
                path.namespace.as_str()
            ),
            ("apps", "deployments", "a")
        );
        assert_eq!(
            (path.name.as_str(), path.subresource.as_str()),
            ("b", "status")
        );
        let path = ApiPath::parse("/api/v1/namespaces/a").unwrap();
        assert_eq!(
            (
                path.resource.as_str(),
                path.name.as_str(),
                path.namespace.as_str()
            ),
            ("namespaces", "a", "")
        );
        assert_eq!(ApiPath::parse("/healthz"), None);
    }
}
