//! What operators measure of the cluster proxy.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;

use super::pool::Pool;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    cluster: String,
    code: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Open {
    cluster: String,
}

/// The numbers of one proxy. Cheap to clone; clones share them.
#[derive(Clone)]
pub(super) struct Metrics {
    answers: Family<Answered, Counter>,
    pool: Pool,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    pub(super) fn new(pool: Pool) -> Self {
        Self {
            answers: Family::default(),
            pool,
        }
    }

    /// Counts an answer. `cluster` is one that exists, or empty.
    pub(super) fn answered(&self, cluster: &str, code: u16) {
        let labels = Answered {
            cluster: cluster.to_owned(),
            code,
        };
        self.answers.get_or_create(&labels).inc();
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        self.answers.encode(encoder.encode_descriptor(
            "koinon_cluster_proxy_requests",
            "Proxied requests by cluster and the code of their answer",
            None,
            MetricType::Counter,
        )?)?;
        let mut open = encoder.encode_descriptor(
            "koinon_cluster_proxy_open_requests",
            "Proxied requests that are not over: watches, upgraded connections and answers still being read included",
            None,
            MetricType::Gauge,
        )?;
        for (cluster, count) in self.pool.open() {
            ConstGauge::new(count).encode(open.encode_family(&Open { cluster })?)?;
        }
        Ok(())
    }
}
