//! What operators measure.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    path: &'static str,
    code: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Served {
    path: &'static str,
}

/// All metrics of one process. Cheap to clone; clones share the numbers.
#[derive(Clone)]
pub(super) struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    answers: Family<Answered, Counter>,
    durations: Family<Served, Histogram>,
    in_flight: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("koinon_webhook");
        let answers = Family::default();
        registry.register("requests", "Requests by path and status", answers.clone());
        let durations = Family::<Served, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.0005, 2.0, 16))
        });
        registry.register_with_unit(
            "request_duration",
            "Time from the head of a request to its answer",
            Unit::Seconds,
            durations.clone(),
        );
        let in_flight = Gauge::default();
        registry.register(
            "requests_in_flight",
            "Requests being answered",
            in_flight.clone(),
        );
        Self(Arc::new(Inner {
            registry,
            answers,
            durations,
            in_flight,
        }))
    }
}

impl Metrics {
    /// A request begins.
    pub(super) fn begin(&self) {
        self.0.in_flight.inc();
    }

    /// A request was answered.
    pub(super) fn end(&self, path: &'static str, code: u16, took: Duration) {
        self.0.in_flight.dec();
        self.0.answers.get_or_create(&Answered { path, code }).inc();
        let served = Served { path };
        self.0
            .durations
            .get_or_create(&served)
            .observe(took.as_secs_f64());
    }

    /// The text that a scrape gets.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.0.registry);
        text
    }
}
