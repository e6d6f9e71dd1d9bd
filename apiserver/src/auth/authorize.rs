//! The seam for authorisation.

use async_trait::async_trait;

use crate::request::{ResourcePath, UserInfo};
use crate::status::ApiError;

/// A resource request, as roles speak of it (`authorization.k8s.io` ResourceAttributes).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceAttributes {
    /// `get`, `list`, …, also `impersonate`, `bind`, `escalate`.
    pub verb: String,
    /// API group; empty for core.
    pub group: String,
    /// Version.
    pub version: String,
    /// Plural resource name.
    pub resource: String,
    /// Subresource or empty.
    pub subresource: String,
    /// Namespace or empty. For requests on a Namespace itself: its name, as upstream.
    pub namespace: String,
    /// Object name; for lists and watches, the name that the field selector asks for.
    pub name: String,
}

/// What somebody wants to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Something with a resource.
    Resource(ResourceAttributes),
    /// Something with another path.
    Path {
        /// Method in lower case.
        verb: String,
        /// The path.
        path: String,
    },
}

impl Action {
    /// The action that a request on a resource amounts to; `name_selector` is the name that its field selector asks for.
    pub fn of(path: &ResourcePath, name_selector: &str) -> Self {
        let namespace_itself = path.group.is_empty() && path.resource == "namespaces";
        Self::Resource(ResourceAttributes {
            verb: path.verb.as_str().to_owned(),
            group: path.group.clone(),
            version: path.version.clone(),
            resource: path.resource.clone(),
            subresource: path.subresource.clone(),
            namespace: if namespace_itself {
                path.name.clone()
            } else {
                path.namespace.clone()
            },
            name: if path.name.is_empty() {
                name_selector.to_owned()
            } else {
                path.name.clone()
            },
        })
    }

    /// 403 in upstream's words (`k8s.io/apiserver/pkg/endpoints/handlers/responsewriters.Forbidden`).
    pub fn forbidden(&self, user: &UserInfo, why: &str) -> ApiError {
        let why = if why.is_empty() {
            String::new()
        } else {
            format!(": {why}")
        };
        match self {
            Self::Path { verb, path } => ApiError::new(
                http::StatusCode::FORBIDDEN,
                "Forbidden",
                format!(
                    "forbidden: User {:?} cannot {verb} path {path:?}{why}",
                    user.name
                ),
            ),
            Self::Resource(r) => {
                let resource = if r.subresource.is_empty() {
                    r.resource.clone()
                } else {
                    format!("{}/{}", r.resource, r.subresource)
                };
                let place = if r.namespace.is_empty() {
                    "at the cluster scope".to_owned()
                } else {
                    format!("in the namespace {:?}", r.namespace)
                };
                ApiError::forbidden(
                    &r.group,
                    &r.resource,
                    &r.name,
                    &format!(
                        "User {:?} cannot {} resource {resource:?} in API group {:?} {place}{why}",
                        user.name, r.verb, r.group
                    ),
                )
            }
        }
    }
}

/// An authoriser's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may happen.
    Allow,
    /// It may not; the text is shown to the user behind the standard sentence and may be empty.
    Deny(String),
}

/// Decides who may do what. Called for every request but those on health and version paths, and once per attribute
/// that is impersonated. Must answer fast: it stands in the path of every request.
#[async_trait]
pub trait Authorizer: Send + Sync {
    /// Decides.
    ///
    /// # Errors
    /// When no decision can be made; the request fails with the error.
    async fn authorize(&self, user: &UserInfo, action: &Action) -> Result<Decision, ApiError>;
}

/// Lets every authenticated user do everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysAllow;

#[async_trait]
impl Authorizer for AlwaysAllow {
    async fn authorize(&self, user: &UserInfo, _action: &Action) -> Result<Decision, ApiError> {
        Ok(if user.groups.iter().any(|g| g == "system:authenticated") {
            Decision::Allow
        } else {
            Decision::Deny(String::new())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Verb;

    #[test]
    fn refusals_read_like_upstreams() {
        let user = UserInfo {
            name: "u".to_owned(),
            ..UserInfo::default()
        };
        let mut path = ResourcePath {
            verb: Verb::List,
            group: String::new(),
            version: "v1".to_owned(),
            resource: "pods".to_owned(),
            namespace: "n".to_owned(),
            name: String::new(),
            subresource: String::new(),
            rest: String::new(),
        };
        let error = Action::of(&path, "").forbidden(&user, "");
        assert_eq!(
            error.message,
            r#"pods is forbidden: User "u" cannot list resource "pods" in API group "" in the namespace "n""#
        );
        path.namespace.clear();
        path.group = "apps".to_owned();
        path.name = "x".to_owned();
        path.subresource = "scale".to_owned();
        path.verb = Verb::Get;
        let error = Action::of(&path, "").forbidden(&user, "because");
        assert_eq!(
            error.message,
            r#"pods.apps "x" is forbidden: User "u" cannot get resource "pods/scale" in API group "apps" at the cluster scope: because"#
        );
        let error = Action::Path {
            verb: "get".to_owned(),
            path: "/".to_owned(),
        }
        .forbidden(&user, "");
        assert_eq!(error.message, r#"forbidden: User "u" cannot get path "/""#);
    }

    #[tokio::test]
    async fn always_allow_still_wants_an_authenticated_user() {
        let action = Action::Path {
            verb: "get".to_owned(),
            path: "/".to_owned(),
        };
        let of = async |user| AlwaysAllow.authorize(&user, &action).await.unwrap();
        assert_eq!(of(UserInfo::internal("x")).await, Decision::Allow);
        assert_eq!(
            of(UserInfo::anonymous()).await,
            Decision::Deny(String::new())
        );
    }
}
