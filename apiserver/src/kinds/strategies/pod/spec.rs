//! A Pod's spec as a whole (`ValidatePodSpec`).

use super::super::at::{At, Findings};
use super::container::{self, Context};
use super::{scheduling, security, volume};
use crate::kinds::NameRule;

/// Judges a Pod template: its labels, annotations and spec.
pub(in super::super) fn template(template: &At<'_>, out: &mut Findings) {
    let labels = At {
        value: template.down(&["metadata", "labels"]).value,
        path: format!("{}.labels", template.path),
    };
    labels.labels(out);
    validate(&template.field("spec"), out);
}

/// Judges a Pod's spec.
pub(in super::super) fn validate(spec: &At<'_>, out: &mut Findings) {
    let volumes = volume::all(spec, out);
    let context = Context {
        volumes: &volumes,
        on_host: *spec.field("hostNetwork").value == true,
    };
    container::all(spec, &context, out);
    spec.field("restartPolicy")
        .one_of(&["Always", "OnFailure", "Never"], out);
    dns(spec, out);
    spec.field("nodeSelector").labels(out);
    security::pod(&spec.field("securityContext"), out);
    scheduling::affinity(&spec.field("affinity"), out);
    spec.field("serviceAccountName")
        .name(NameRule::Subdomain, out);
    spec.field("nodeName").name(NameRule::Subdomain, out);
    let deadline = spec.field("activeDeadlineSeconds");
    deadline.within(1, i64::from(i32::MAX), out);
    let hostname = spec.field("hostname");
    if hostname.text().contains('.') {
        out.push(hostname.invalid("must not contain dots"));
    } else {
        hostname.name(NameRule::Label, out);
    }
    spec.field("subdomain").name(NameRule::Label, out);
    scheduling::tolerations(&spec.field("tolerations"), out);
    for alias in spec.field("hostAliases").items() {
        alias.field("ip").ip(out);
        for name in alias.field("hostnames").items() {
            name.name(NameRule::Subdomain, out);
        }
    }
    spec.field("priorityClassName")
        .name(NameRule::Subdomain, out);
    spec.field("runtimeClassName")
        .name(NameRule::Subdomain, out);
    scheduling::spread(&spec.field("topologySpreadConstraints"), out);
}

fn dns(spec: &At<'_>, out: &mut Findings) {
    let policy = spec.field("dnsPolicy");
    let words = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    policy.one_of(&words, out);
    let config = spec.field("dnsConfig");
    if policy.text() == "None" {
        let servers = config.field("nameservers");
        if !config.is_set() {
            let detail = "must provide `dnsConfig` when `dnsPolicy` is None";
            out.push(config.required(detail));
        } else if servers.is_empty() {
            let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            out.push(servers.required(detail));
        }
    }
    for server in config.field("nameservers").items() {
        server.ip(out);
    }
    let servers = config.field("nameservers");
    if servers.items().count() > 3 {
        out.push(servers.invalid("must not have more than 3 nameservers"));
    }
}
