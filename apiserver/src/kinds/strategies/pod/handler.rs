//! Probes and lifecycle hooks of containers.

use super::super::at::{At, Findings};

/// The probes of a container.
pub(super) fn probes(container: &At<'_>, out: &mut Findings) {
    for (name, once) in [
        ("livenessProbe", true),
        ("readinessProbe", false),
        ("startupProbe", true),
    ] {
        let probe = container.field(name);
        if probe.is_set() {
            self::probe(&probe, once, out);
        }
    }
}

fn probe(probe: &At<'_>, once: bool, out: &mut Findings) {
    handler(probe, &["exec", "httpGet", "tcpSocket", "grpc"], out);
    for field in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        probe.field(field).not_negative(out);
    }
    let grace = probe.field("terminationGracePeriodSeconds");
    if grace.number().is_some_and(|seconds| seconds <= 0) {
        out.push(grace.invalid("must be greater than 0"));
    }
    let successes = probe.field("successThreshold");
    if once && successes.number().is_some_and(|successes| successes != 1) {
        out.push(successes.invalid("must be 1"));
    }
}

/// What a container does after its start and before its end.
pub(super) fn lifecycle(lifecycle: &At<'_>, out: &mut Findings) {
    for hook in ["postStart", "preStop"] {
        let hook = lifecycle.field(hook);
        if hook.is_set() {
            handler(&hook, &["exec", "httpGet", "tcpSocket", "sleep"], out);
        }
    }
}

fn handler(handler: &At<'_>, kinds: &[&str], out: &mut Findings) {
    let mut set = 0;
    for kind in kinds {
        let at = handler.field(kind);
        if !at.is_set() {
            continue;
        }
        set += 1;
        if set > 1 {
            out.push(at.forbidden("may not specify more than 1 handler type"));
            continue;
        }
        match *kind {
            "exec" if at.field("command").is_empty() => out.push(at.field("command").required("")),
            "httpGet" => http(&at, out),
            "tcpSocket" | "grpc" => at.field("port").port(out),
            _ => {}
        }
    }
    if set == 0 {
        out.push(handler.required("must specify a handler type"));
    }
}

fn http(get: &At<'_>, out: &mut Findings) {
    if get.field("path").text().is_empty() {
        out.push(get.field("path").required(""));
    }
    get.field("port").port(out);
    get.field("scheme").one_of(&["HTTP", "HTTPS"], out);
    for header in get.field("httpHeaders").items() {
        let name = header.field("name");
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if name.text().is_empty() || !name.text().bytes().all(fits) {
            out.push(name.invalid("a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')"));
        }
    }
}
