//! Counters under the names that dashboards for kube-apiserver expect.

use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::request::ResourcePath;

/// Upper bounds in seconds: a subset of upstream's, dense where a local server answers.
const BUCKETS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
];

/// What a request was about. Paths that are not resources count under an empty resource, so that clients cannot make
/// labels up.
#[derive(Clone, Debug, Default, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    verb: String,
    group: String,
    version: String,
    resource: String,
    subresource: String,
    scope: String,
    component: String,
}

impl RequestLabels {
    /// Labels of a request on a resource that is served.
    pub(crate) fn resource(path: &ResourcePath) -> Self {
        let scope = if !path.name.is_empty() {
            "resource"
        } else if path.namespace.is_empty() {
            "cluster"
        } else {
            "namespace"
        };
        Self {
            verb: verb(path).to_owned(),
            group: path.group.clone(),
            version: path.version.clone(),
            resource: path.resource.clone(),
            subresource: path.subresource.clone(),
            scope: scope.to_owned(),
            component: "apiserver".to_owned(),
        }
    }

    /// Labels of everything else.
    pub(crate) fn other(method: &http::Method) -> Self {
        let verb = match method.as_str() {
            known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE") => known,
            _ => "other",
        };
        Self {
            verb: verb.to_owned(),
            component: "apiserver".to_owned(),
            ..Self::default()
        }
    }
}

/// The verb as upstream's metrics spell it.
fn verb(path: &ResourcePath) -> &'static str {
    use crate::request::Verb;
    match path.verb {
        Verb::Get => "GET",
        Verb::List => "LIST",
        Verb::Watch => "WATCH",
        Verb::Create => "POST",
        Verb::Update => "PUT",
        Verb::Patch => "PATCH",
        Verb::Delete => "DELETE",
        Verb::DeleteCollection => "DELETECOLLECTION",
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CodeLabels {
    #[prometheus(flatten)]
    request: RequestLabels,
    code: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct InFlightLabels {
    request_kind: String,
}

type HistogramFamily = Family<RequestLabels, Histogram, fn() -> Histogram>;

/// The metrics of one server.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<CodeLabels, Counter>,
    durations: HistogramFamily,
    longrunning: Family<RequestLabels, Gauge>,
    inflight: Family<InFlightLabels, Gauge>,
    revision: Gauge,
    watch_events: Counter,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// With what others add, asked at each scrape.
    pub(crate) fn new(others: impl IntoIterator<Item = Box<dyn Collector>>) -> Self {
        let mut registry = Registry::default();
        for other in others {
            registry.register_collector(other);
        }
        let requests = Family::default();
        registry.register(
            "apiserver_request",
            "Requests by verb, resource and HTTP code",
            requests.clone(),
        );
        let durations: HistogramFamily = Family::new_with_constructor(|| Histogram::new(BUCKETS));
        registry.register(
            "apiserver_request_duration_seconds",
            "Response latency, without watches",
            durations.clone(),
        );
        let longrunning = Family::default();
        registry.register(
            "apiserver_longrunning_requests",
            "Watches and other long-running requests now",
            longrunning.clone(),
        );
        let inflight = Family::default();
        registry.register(
            "apiserver_current_inflight_requests",
            "Requests that are not long-running now",
            inflight.clone(),
        );
        let revision = Gauge::default();
        registry.register(
            "apiserver_storage_revision",
            "The last committed revision",
            revision.clone(),
        );
        let watch_events = Counter::default();
        registry.register(
            "apiserver_watch_events_sent",
            "Events sent to watchers",
            watch_events.clone(),
        );
        Self {
            registry,
            requests,
            durations,
            longrunning,
            inflight,
            revision,
            watch_events,
        }
    }

    /// Counts a finished request; `took` is `None` for long-running ones.
    pub(crate) fn finished(&self, labels: RequestLabels, code: u16, took: Option<Duration>) {
        if let Some(took) = took {
            self.durations
                .get_or_create(&labels)
                .observe(took.as_secs_f64());
        }
        let labels = CodeLabels {
            request: labels,
            code,
        };
        self.requests.get_or_create(&labels).inc();
    }

    /// Counts a request in flight until the guard is dropped.
    pub(crate) fn inflight(&self, write: bool) -> GaugeGuard {
        let request_kind = if write { "mutating" } else { "readOnly" };
        GaugeGuard::new(self.inflight.get_or_create_owned(&InFlightLabels {
            request_kind: request_kind.to_owned(),
        }))
    }

    /// Counts a long-running request until the guard is dropped.
    pub(crate) fn longrunning(&self, labels: &RequestLabels) -> GaugeGuard {
        GaugeGuard::new(self.longrunning.get_or_create_owned(labels))
    }

    /// Where watches count the events that they send.
    pub(crate) fn watch_events(&self) -> Counter {
        self.watch_events.clone()
    }

    /// The text of `/metrics` (OpenMetrics).
    pub(crate) fn render(&self, revision: u64) -> String {
        self.revision
            .set(i64::try_from(revision).unwrap_or(i64::MAX));
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(error) => {
                tracing::error!(%error, "metrics cannot be written");
                String::new()
            }
        }
    }
}

/// Holds a gauge up by one.
#[derive(Debug)]
pub(crate) struct GaugeGuard(Gauge);

impl GaugeGuard {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_upstreams_names() {
        let metrics = Metrics::new([]);
        let labels = RequestLabels::other(&http::Method::GET);
        let held = metrics.longrunning(&labels);
        metrics.finished(labels, 200, Some(Duration::from_millis(3)));
        let text = metrics.render(42);
        for want in [
            "apiserver_request_total{verb=\"GET\"",
            "code=\"200\"} 1",
            "apiserver_request_duration_seconds_bucket{le=\"0.005\"",
            "apiserver_longrunning_requests{",
            "apiserver_storage_revision 42",
        ] {
            assert!(text.contains(want), "{want} in {text}");
        }
        drop(held);
        assert!(metrics.render(42).contains("component=\"apiserver\"} 0"));
    }
}
