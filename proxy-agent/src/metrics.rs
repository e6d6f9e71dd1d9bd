//! The agent's numbers in Prometheus' text format.

use std::fmt::Write;

use federation_tunnel::AgentStats;

/// A page of metrics that grows.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) -> String {
        let name = format!("koinon_agent_{name}");
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        name
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        let name = self.family(name, "gauge", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        let name = self.family(name, "counter", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn counters(&mut self, name: &str, help: &str, label: &str, values: &[(&'static str, u64)]) {
        let name = self.family(name, "counter", help);
        for (text, value) in values {
            let _ = writeln!(self.0, "{name}{{{label}=\"{text}\"}} {value}");
        }
    }
}

/// Renders a snapshot. Names begin with `koinon_agent_`.
pub(crate) fn render(s: &AgentStats) -> String {
    let mut page = Page::default();
    page.gauge(
        "connections",
        "Connections to hubs that are up.",
        s.connections,
    );
    page.gauge("streams", "Streams open.", s.streams);
    page.gauge(
        "buffered_bytes",
        "Bytes from the hub that wait for targets.",
        s.buffered_bytes,
    );
    if let Some(seconds) = s.certificate_ends_in {
        page.gauge(
            "certificate_expiry_seconds",
            "Time until the certificate ends.",
            seconds,
        );
    }
    page.counter(
        "connections_total",
        "Connections that came up.",
        s.connected,
    );
    page.counter(
        "connect_failures_total",
        "Connections that did not come up.",
        s.connect_failures,
    );
    page.counter(
        "streams_total",
        "Streams opened to targets.",
        s.streams_opened,
    );
    let bytes = [
        ("to_target", s.bytes_to_targets),
        ("from_target", s.bytes_from_targets),
    ];
    page.counters(
        "bytes_total",
        "Bytes of streams that have ended.",
        "direction",
        &bytes,
    );
    page.counter(
        "certificates_total",
        "Certificates received.",
        s.certificates,
    );
    page.counter(
        "certificate_failures_total",
        "Failed tries to get a certificate.",
        s.certificate_failures,
    );
    page.counters(
        "refused_streams_total",
        "Streams that were not opened.",
        "reason",
        &s.refused_dials,
    );
    page.counters(
        "hub_refusals_total",
        "What the hub refused.",
        "reason",
        &s.refusals_by_hub,
    );
    page.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_sample_or_a_comment_and_names_are_announced() {
        let stats = AgentStats {
            connections: 2,
            certificate_ends_in: Some(60),
            refused_dials: vec![("not-allowed", 3)],
            ..AgentStats::default()
        };
        let text = render(&stats);
        assert!(text.contains("koinon_agent_connections 2\n"));
        assert!(text.contains("koinon_agent_certificate_expiry_seconds 60\n"));
        assert!(text.contains("koinon_agent_refused_streams_total{reason=\"not-allowed\"} 3\n"));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            value.parse::<u64>().unwrap();
            let name = name.split('{').next().unwrap();
            assert!(text.contains(&format!("# TYPE {name} ")), "{name}");
        }
    }
}
