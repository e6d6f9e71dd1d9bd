//! Where an embedding program adds handlers of its own.

use std::sync::Arc;

use async_trait::async_trait;
use http::{Request, Response};
use prometheus_client::collector::Collector;

use super::body::Body;
use crate::request::UserInfo;

/// A handler for everything below some paths. It gets requests after authentication, impersonation and authorisation;
/// what it serves is its own business, upgraded connections (`hyper::upgrade::on`) included.
#[async_trait]
pub trait Extension: Send + Sync {
    /// The paths that it serves, such as `/apis/koinon.io/v1alpha1/clusters`. A path covers itself and everything
    /// below it; of several that cover a request the longest wins, and all win over resources of the same path.
    fn prefixes(&self) -> Vec<String>;

    /// What discovery says about it, besides the kinds that there are.
    fn resources(&self) -> Vec<ExtensionResource> {
        Vec::new()
    }

    /// What it adds to the server's `/metrics`, asked at each scrape. Label values must not be the callers' to make up.
    fn collector(&self) -> Option<Box<dyn Collector>> {
        None
    }

    /// May the request take longer than the server's request timeout? Such requests are not counted as in flight.
    fn is_long_running(&self, request: &Request<Body>) -> bool {
        let _ = request;
        false
    }

    /// Does it want this request? What it does not want is handled as if the extension were not there.
    fn accepts(&self, path: &str) -> bool {
        let _ = path;
        true
    }

    /// Answers a request of `user` (already the impersonated one; `Impersonate-*` headers are gone). Limits on the
    /// body are the handler's to set.
    async fn handle(&self, request: Request<Body>, user: UserInfo) -> Response<Body>;
}

/// A subresource that an extension serves below a resource that is no kind of its own, as upstream's discovery shows
/// `services/proxy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionResource {
    /// API group. It shows only where the group and version serve kinds too.
    pub group: &'static str,
    /// Version.
    pub version: &'static str,
    /// Plural name of the resource.
    pub resource: &'static str,
    /// Name of the subresource.
    pub subresource: &'static str,
    /// Kind of its options, such as `NodeProxyOptions`.
    pub kind: &'static str,
    /// Does it lie in namespaces?
    pub namespaced: bool,
    /// The verbs that it knows, sorted.
    pub verbs: &'static [&'static str],
}

/// All extensions of a server.
#[derive(Clone, Default)]
pub(crate) struct Extensions {
    /// Longest prefix first.
    entries: Vec<(String, Arc<dyn Extension>)>,
}

impl Extensions {
    pub(crate) fn new(extensions: Vec<Arc<dyn Extension>>) -> Self {
        let mut entries: Vec<(String, Arc<dyn Extension>)> = extensions
            .into_iter()
            .flat_map(|extension| {
                let prefixes = extension.prefixes();
                prefixes
                    .into_iter()
                    .map(move |prefix| (prefix.trim_end_matches('/').to_owned(), extension.clone()))
            })
            .collect();
        entries.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        Self { entries }
    }

    /// What discovery says about all of them, each once.
    pub(crate) fn resources(&self) -> Vec<ExtensionResource> {
        let mut all: Vec<ExtensionResource> = Vec::new();
        for resource in self.entries.iter().flat_map(|(_, e)| e.resources()) {
            if !all.contains(&resource) {
                all.push(resource);
            }
        }
        all
    }

    /// The extension that serves a path.
    pub(crate) fn find(&self, path: &str) -> Option<&Arc<dyn Extension>> {
        self.entries
            .iter()
            .find(|(prefix, extension)| covers(prefix, path) && extension.accepts(path))
            .map(|(_, extension)| extension)
    }
}

fn covers(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(&'static str);

    #[async_trait]
    impl Extension for Named {
        fn prefixes(&self) -> Vec<String> {
            vec![self.0.to_owned()]
        }
        async fn handle(&self, _: Request<Body>, _: UserInfo) -> Response<Body> {
            super::super::body::response(http::StatusCode::OK, "text/plain", self.0)
        }
    }

    #[test]
    fn the_longest_prefix_on_whole_segments_wins() {
        let extensions = Extensions::new(vec![
            Arc::new(Named("/a")),
            Arc::new(Named("/a/b/")),
            Arc::new(Named("/c")),
        ]);
        let found = |path| extensions.find(path).map(|e| e.prefixes().remove(0));
        assert_eq!(found("/a/b/x").as_deref(), Some("/a/b/"));
        assert_eq!(found("/a/b").as_deref(), Some("/a/b/"));
        assert_eq!(found("/a/bb").as_deref(), Some("/a"));
        assert_eq!(found("/cc"), None);
    }
}
