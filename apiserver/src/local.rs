//! Requests from inside the process: the server's own controllers, and programs that embed it.
//!
//! They pass the same verbs, admission and validation as requests over HTTP; only the connection is missing.

use bytes::Bytes;
use serde_json::Value;

use crate::api::Api;
use crate::convert;
use crate::request::{Query, Request, ResourcePath, UserInfo, Verb, Warnings};
use crate::status::ApiError;
use crate::verbs::{Body, Reply};

/// A resource and the version in which it is spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gvr<'a> {
    /// API group; empty for core.
    pub group: &'a str,
    /// Version.
    pub version: &'a str,
    /// Plural resource name.
    pub resource: &'a str,
}

impl<'a> Gvr<'a> {
    /// Puts one together.
    pub const fn new(group: &'a str, version: &'a str, resource: &'a str) -> Self {
        Self {
            group,
            version,
            resource,
        }
    }
}

/// Acts on a server as a member of `system:masters`.
#[derive(Clone, Debug)]
pub struct LocalClient {
    api: Api,
    user: UserInfo,
}

impl LocalClient {
    /// A client that acts as `name`, such as `system:serviceaccount:kube-system:namespace-controller`. Its writes are
    /// recorded under the last part of the name.
    pub fn new(api: Api, name: &str) -> Self {
        Self {
            api,
            user: UserInfo::internal(name),
        }
    }

    /// What it acts on.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Creates an object; `namespace` is empty for cluster-scoped ones.
    ///
    /// # Errors
    /// As POST.
    pub async fn create(
        &self,
        gvr: Gvr<'_>,
        namespace: &str,
        object: &Value,
    ) -> Result<Value, ApiError> {
        self.send(Verb::Create, gvr, [namespace, "", ""], Some(object))
            .await
    }

    /// Replaces an object; its `metadata.resourceVersion` is the precondition.
    ///
    /// # Errors
    /// As PUT.
    pub async fn update(&self, gvr: Gvr<'_>, object: &Value) -> Result<Value, ApiError> {
        self.update_subresource(gvr, "", object).await
    }

    /// Replaces a subresource such as `status` of an object.
    ///
    /// # Errors
    /// As PUT.
    pub async fn update_subresource(
        &self,
        gvr: Gvr<'_>,
        subresource: &str,
        object: &Value,
    ) -> Result<Value, ApiError> {
        let (namespace, name) = (
            crate::object::namespace(object),
            crate::object::name(object),
        );
        self.send(
            Verb::Update,
            gvr,
            [namespace, name, subresource],
            Some(object),
        )
        .await
    }

    /// Deletes an object. `options` is a `DeleteOptions`, for preconditions and the propagation policy.
    ///
    /// # Errors
    /// As DELETE.
    pub async fn delete(
        &self,
        gvr: Gvr<'_>,
        namespace: &str,
        name: &str,
        options: &Value,
    ) -> Result<Value, ApiError> {
        self.send(Verb::Delete, gvr, [namespace, name, ""], Some(options))
            .await
    }

    /// Reads an object, at least as new as the last write of this process.
    ///
    /// # Errors
    /// As GET.
    pub async fn get(&self, gvr: Gvr<'_>, namespace: &str, name: &str) -> Result<Value, ApiError> {
        self.send(Verb::Get, gvr, [namespace, name, ""], None).await
    }

    async fn send(
        &self,
        verb: Verb,
        gvr: Gvr<'_>,
        [namespace, name, subresource]: [&str; 3],
        body: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let path = ResourcePath {
            verb,
            group: gvr.group.to_owned(),
            version: gvr.version.to_owned(),
            resource: gvr.resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            subresource: subresource.to_owned(),
            rest: String::new(),
        };
        let (kind, version) = self.api.route(&path)?;
        let manager = self.user.name.rsplit(':').next().unwrap_or_default();
        let request = Request {
            user: self.user.clone(),
            query: Query::default(),
            accept: "application/json".to_owned(),
            content_type: "application/json".to_owned(),
            user_agent: manager.to_owned(),
            body: body.map_or_else(Bytes::new, |b| Bytes::from(b.to_string())),
            warnings: Warnings::default(),
            path,
        };
        match self.api.call(&request, &kind, &version).await? {
            Reply::Object { body, .. } => match body {
                Body::Stored(object) => {
                    let seen = convert::view(&self.api, &kind, &version, &[object]).await?;
                    let bytes = seen.into_iter().next().unwrap_or_default();
                    serde_json::from_slice(&bytes).map_err(ApiError::internal)
                }
                Body::Value(value) => Ok(value),
            },
            Reply::Plain { value, .. } => Ok(value),
            Reply::List { .. } | Reply::Watch { .. } => Ok(Value::Null),
        }
    }
}
