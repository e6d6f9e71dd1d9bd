//! What a request asks for, parsed once: who, which verb, which kind, which object, with which options.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

/// Who makes a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserInfo {
    /// User name, such as `kubernetes-admin` or `system:serviceaccount:ns:name`.
    pub name: String,
    /// Uid, if the authenticator knows one.
    pub uid: String,
    /// Groups, `system:authenticated` included.
    pub groups: Vec<String>,
    /// Extra attributes.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl UserInfo {
    /// The user of requests that carry no credential.
    pub fn anonymous() -> Self {
        Self {
            name: "system:anonymous".to_owned(),
            groups: vec!["system:unauthenticated".to_owned()],
            ..Self::default()
        }
    }

    /// A user of the server itself, for its own controllers: a member of `system:masters`.
    pub fn internal(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            groups: vec![
                "system:masters".to_owned(),
                "system:authenticated".to_owned(),
            ],
            ..Self::default()
        }
    }
}

/// The API verbs, as authorisation names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Read one object.
    Get,
    /// Read many.
    List,
    /// Read many and their changes.
    Watch,
    /// POST.
    Create,
    /// PUT.
    Update,
    /// PATCH.
    Patch,
    /// DELETE of one object.
    Delete,
    /// DELETE of many.
    DeleteCollection,
}

impl Verb {
    /// The verb as RBAC and discovery write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }

    /// The verb that [`Verb::as_str`] writes so; `None` for any other word.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "get" => Self::Get,
            "list" => Self::List,
            "watch" => Self::Watch,
            "create" => Self::Create,
            "update" => Self::Update,
            "patch" => Self::Patch,
            "delete" => Self::Delete,
            "deletecollection" => Self::DeleteCollection,
            _ => return None,
        })
    }
}

/// The resource that a path names, not yet looked up in the table of kinds
/// (`k8s.io/apiserver/pkg/endpoints/request.RequestInfo`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourcePath {
    /// What is to be done.
    pub verb: Verb,
    /// API group; empty for the core group.
    pub group: String,
    /// Version in the path.
    pub version: String,
    /// Plural resource name.
    pub resource: String,
    /// Namespace in the path; empty if none. For `namespaces/<n>` itself it is empty and `name` is `<n>`.
    pub namespace: String,
    /// Object name in the path; empty for collections.
    pub name: String,
    /// Subresource such as `status`, `scale`, `finalize`; empty if none.
    pub subresource: String,
    /// What follows the subresource in the path (proxies), without a leading slash.
    pub rest: String,
}

/// Query parameters, decoded, in the order of the request. The last of equal names wins, as for upstream's scalars.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(pub Vec<(String, String)>);

impl Query {
    /// The value of a parameter, `None` if it is absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Go's reading of a boolean parameter: present and not `0`/`false` is true (an empty value is true).
    pub fn flag(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| !matches!(value, "0" | "false" | "False" | "FALSE" | "f" | "F"))
    }
}

/// Texts for the `Warning` response headers of one request, gathered while it is handled.
#[derive(Clone, Debug, Default)]
pub struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    /// Adds a warning unless the same text is already there.
    pub fn add(&self, text: impl Into<String>) {
        let text = text.into();
        let mut list = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if !list.contains(&text) {
            list.push(text);
        }
    }

    /// The texts so far, in order.
    pub fn texts(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }
}

/// One request on a resource, as the verbs see it.
#[derive(Clone, Debug)]
pub struct Request {
    /// What the path and method name.
    pub path: ResourcePath,
    /// Who asks.
    pub user: UserInfo,
    /// Query parameters.
    pub query: Query,
    /// `Accept`, verbatim; empty if absent.
    pub accept: String,
    /// `Content-Type`, verbatim; empty if absent.
    pub content_type: String,
    /// `User-Agent`, verbatim; empty if absent. Its part before the first `/` is the default field manager.
    pub user_agent: String,
    /// The whole body, at most 3 MiB.
    pub body: Bytes,
    /// Where warnings for the client go.
    pub warnings: Warnings,
}
