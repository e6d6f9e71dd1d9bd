//! What operators measure of the hub's tunnels: the same names on every hub, nothing while there is no tunnel.

use std::fmt;

use federation_tunnel::HubStats;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::hub_tunnels::HubTunnels;

/// Reads the tunnels' numbers at each scrape.
#[derive(Debug)]
pub(super) struct TunnelMetrics(pub(super) HubTunnels);

impl Collector for TunnelMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let Some(tunnels) = self.0.get() else {
            return Ok(());
        };
        let stats = tunnels.stats();
        gauges(&stats, &mut encoder)?;
        totals(&stats, &mut encoder)?;
        reasons(&stats, &mut encoder)
    }
}

/// What is now.
fn gauges(stats: &HubStats, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    for (name, help, value) in [
        (
            "clusters",
            "Clusters that have a tunnel to this process",
            stats.clusters,
        ),
        ("connections", "Agents' connections", stats.connections),
        ("streams", "Streams that are open", stats.streams),
        (
            "buffered_bytes",
            "Bytes that wait for readers",
            stats.buffered_bytes,
        ),
    ] {
        put(encoder, name, help, &ConstGauge::new(value))?;
    }
    if let Some(seconds) = stats.first_certificate_ends_in {
        let help = "Until the first certificate of a connected agent ends";
        put(
            encoder,
            "first_certificate_ends_in_seconds",
            help,
            &ConstGauge::new(seconds),
        )?;
    }
    Ok(())
}

/// What only grows.
fn totals(stats: &HubStats, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    for (name, help, value) in [
        (
            "accepted_connections",
            "Agents' connections accepted",
            stats.accepted,
        ),
        ("opened_streams", "Streams opened", stats.streams_opened),
        (
            "forwarded_streams",
            "Streams opened through another process of the hub",
            stats.forwarded,
        ),
        (
            "read_bytes",
            "Bytes read from agents, TLS included",
            stats.bytes_read,
        ),
        (
            "written_bytes",
            "Bytes written to agents, TLS included",
            stats.bytes_written,
        ),
        (
            "enrolled_agents",
            "Certificates issued for a bootstrap token",
            stats.enrolled,
        ),
        (
            "renewed_certificates",
            "Certificates renewed",
            stats.renewed,
        ),
    ] {
        put(encoder, name, help, &ConstCounter::new(value))?;
    }
    Ok(())
}

fn put(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: &impl EncodeMetric,
) -> Result<(), fmt::Error> {
    let name = format!("koinon_tunnel_{name}");
    value.encode(encoder.encode_descriptor(&name, help, None, value.metric_type())?)
}

/// What only grows, by its reason.
fn reasons(stats: &HubStats, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    for (name, help, values) in [
        (
            "refusals",
            "Connections and requests of agents that were refused",
            &stats.refusals,
        ),
        (
            "dial_failures",
            "Streams that could not be opened",
            &stats.dial_failures,
        ),
        (
            "ended_connections",
            "Agents' connections that ended",
            &stats.ends,
        ),
    ] {
        let name = format!("koinon_tunnel_{name}");
        let mut family = encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
        for (reason, value) in values {
            ConstCounter::new(*value).encode(family.encode_family(&[("reason", *reason)])?)?;
        }
    }
    Ok(())
}
