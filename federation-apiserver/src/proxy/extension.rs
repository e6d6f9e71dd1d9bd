//! The proxy as an extension of the hub's server.

use std::sync::Arc;

use apiserver::auth::{Action, Authorizer, Decision, ResourceAttributes};
use apiserver::http::{Body, Extension, ExtensionResource, error_response};
use apiserver::local::LocalClient;
use apiserver::request::UserInfo;
use apiserver::server::Parts;
use async_trait::async_trait;
use federation_api::names::KOINON_GROUP;
use http::{Method, Request, Response};
use prometheus_client::collector::Collector;

use super::cut::{self, Cuts};
use super::dial::Dialer;
use super::directory;
use super::error::ProxyError;
use super::forward::{Passage, forward};
use super::metrics::Metrics;
use super::pool::{Budget, Pool};
use super::route::{self, PREFIX, Route};
use super::{headers, identity, scope};
use crate::chain::chain;

const VERSION: &str = "v1alpha1";
const RESOURCE: &str = "clusters";
const SUBRESOURCE: &str = "proxy";
const METHODS: [Method; 6] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

/// Serves `/apis/koinon.io/v1alpha1/clusters/{name}/proxy/…`.
///
/// The server has authenticated and authorised a request when it comes here: the verb of its method on `clusters/proxy`
/// with the cluster's name. An upgrade needs `create` as well: over WebSocket it is a GET, and who may look must not for
/// that reason be able to run commands (as upstream since KEP-4006's follow-up in 1.35).
pub struct ClusterProxy {
    hub: LocalClient,
    authorizer: Arc<dyn Authorizer>,
    pool: Pool,
    cuts: Cuts,
    metrics: Metrics,
}

impl std::fmt::Debug for ClusterProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClusterProxy")
    }
}

impl ClusterProxy {
    /// A proxy for the clusters of a server that reaches them with `dialer`. Streams to a cluster that is deleted are cut. To be called on a
    /// tokio runtime.
    #[must_use]
    pub fn new(parts: &Parts, dialer: Arc<dyn Dialer>) -> Self {
        let pool = Pool::new(dialer, Budget::default());
        let cuts = Cuts::default();
        tokio::spawn(cut::follow(
            parts.api.cache.clone(),
            cuts.clone(),
            pool.clone(),
        ));
        Self {
            hub: LocalClient::new(parts.api.clone(), "system:koinon:cluster-proxy"),
            authorizer: parts.authorizer.clone(),
            metrics: Metrics::new(pool.clone()),
            pool,
            cuts,
        }
    }

    async fn pass(
        &self,
        request: Request<Body>,
        route: Option<Route<'_>>,
        user: &UserInfo,
    ) -> Result<Response<Body>, ProxyError> {
        let Route { cluster, path } = route.ok_or(ProxyError::NoRoute)?;
        if !METHODS.contains(request.method()) {
            return Err(ProxyError::Method);
        }
        if headers::upgrade(request.headers()).is_some() {
            self.may_create(user, cluster).await?;
        }
        let found = directory::find(&self.hub, cluster).await?;
        let cut = self.cuts.of(cluster, &found.physical);
        if !cut::exists(&self.hub.api().cache, [cluster, &found.physical]) {
            // It went between the look-up and the knife.
            return Err(ProxyError::Deleted(cluster.to_owned()));
        }
        if let Some(namespace) = &found.namespace {
            scope::check(request.method(), path, namespace).map_err(|source| {
                ProxyError::OutsideCell {
                    cluster: cluster.to_owned(),
                    namespace: namespace.clone(),
                    source,
                }
            })?;
        }
        let identity = identity::impersonation(user).map_err(|source| ProxyError::Identity {
            cluster: cluster.to_owned(),
            source,
        })?;
        let member = self
            .pool
            .member(&found.physical, &found.access)
            .map_err(|source| ProxyError::TlsConfig {
                cluster: cluster.to_owned(),
                source,
            })?;
        let place = member
            .enter(&user.name)
            .ok_or_else(|| ProxyError::Busy(cluster.to_owned()))?;
        let passage = Passage {
            cluster,
            path,
            found: &found,
            member: &member,
            identity,
            place,
            cut: cut.clone(),
            stops: self.hub.api().cache.watches_end(),
        };
        tokio::select! {
            answer = forward(request, passage) => answer,
            () = cut.cancelled() => Err(ProxyError::Deleted(cluster.to_owned())),
        }
    }

    async fn may_create(&self, user: &UserInfo, cluster: &str) -> Result<(), ProxyError> {
        let action = Action::Resource(ResourceAttributes {
            verb: "create".to_owned(),
            group: KOINON_GROUP.to_owned(),
            version: VERSION.to_owned(),
            resource: RESOURCE.to_owned(),
            subresource: SUBRESOURCE.to_owned(),
            namespace: String::new(),
            name: cluster.to_owned(),
        });
        match self.authorizer.authorize(user, &action).await {
            Ok(Decision::Allow) => Ok(()),
            Ok(Decision::Deny(why)) => Err(ProxyError::Refused(action.forbidden(user, &why))),
            Err(error) => Err(ProxyError::Refused(error)),
        }
    }
}

#[async_trait]
impl Extension for ClusterProxy {
    fn prefixes(&self) -> Vec<String> {
        vec![PREFIX.to_owned()]
    }

    fn resources(&self) -> Vec<ExtensionResource> {
        vec![ExtensionResource {
            group: KOINON_GROUP,
            version: VERSION,
            resource: RESOURCE,
            subresource: SUBRESOURCE,
            kind: "ClusterProxyOptions",
            namespaced: false,
            verbs: &["create", "delete", "get", "patch", "update"],
        }]
    }

    fn collector(&self) -> Option<Box<dyn Collector>> {
        Some(Box::new(self.metrics.clone()))
    }

    /// As upstream's: a proxied request may be a watch or a download, and has its own bounds.
    fn is_long_running(&self, _: &Request<Body>) -> bool {
        true
    }

    async fn handle(&self, request: Request<Body>, user: UserInfo) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let route = route::parse(&path);
        let known = route
            .as_ref()
            .map(|route| route.cluster)
            .filter(|name| cut::exists(&self.hub.api().cache, [*name, *name]));
        let response = match self.pass(request, route, &user).await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(
                    user = user.name,
                    error = chain(&error),
                    "a proxied request failed"
                );
                error_response(&error.to_status())
            }
        };
        self.metrics
            .answered(known.unwrap_or_default(), response.status().as_u16());
        response
    }
}
