//! The containers of a Pod.

use serde_json::Value;

use super::super::at::{At, Findings, Taken, port_name_problems};
use super::{handler, resources, security};
use crate::kinds::NameRule;

/// What a Pod's spec says that its containers are judged by.
pub(super) struct Context<'a> {
    pub(super) volumes: &'a Taken,
    pub(super) on_host: bool,
}

/// The containers that run, then those that run before them.
pub(super) fn all(spec: &At<'_>, context: &Context<'_>, out: &mut Findings) {
    let containers = spec.field("containers");
    if containers.is_empty() {
        out.push(containers.required(""));
    }
    let mut names = Taken::default();
    for container in containers.items() {
        one(&container, context, &mut names, out);
        handler::lifecycle(&container.field("lifecycle"), out);
        handler::probes(&container, out);
        policies(&container, out);
    }
    for container in spec.field("initContainers").items() {
        one(&container, context, &mut names, out);
        if container.field("restartPolicy").text() == "Always" {
            handler::lifecycle(&container.field("lifecycle"), out);
            handler::probes(&container, out);
        } else {
            for field in [
                "lifecycle",
                "livenessProbe",
                "readinessProbe",
                "startupProbe",
            ] {
                let at = container.field(field);
                if at.is_set() {
                    out.push(at.forbidden(
                        "may not be set for init containers without restartPolicy=Always",
                    ));
                }
            }
        }
        policies(&container, out);
    }
    host_ports(&containers, out);
}

fn one(container: &At<'_>, context: &Context<'_>, names: &mut Taken, out: &mut Findings) {
    let name = container.field("name");
    name.needed_name(NameRule::Label, out);
    if !name.text().is_empty() {
        names.take(&name, out);
    }
    image(container, out);
    ports(&container.field("ports"), context.on_host, out);
    for variable in container.field("env").items() {
        self::variable(&variable, out);
    }
    sources(&container.field("envFrom"), out);
    mounts(&container.field("volumeMounts"), context.volumes, out);
    resources::validate(&container.field("resources"), out);
    security::container(&container.field("securityContext"), out);
}

fn policies(container: &At<'_>, out: &mut Findings) {
    container
        .field("terminationMessagePolicy")
        .one_of(&["File", "FallbackToLogsOnError"], out);
    container
        .field("imagePullPolicy")
        .one_of(&["Always", "IfNotPresent", "Never"], out);
}

/// The image of a container.
pub(super) fn image(container: &At<'_>, out: &mut Findings) {
    let image = container.field("image");
    let text = image.text();
    if text.is_empty() {
        out.push(image.required(""));
    } else if text.trim() != text {
        out.push(image.invalid("must not have leading or trailing whitespace"));
    }
}

fn ports(ports: &At<'_>, on_host: bool, out: &mut Findings) {
    let mut names = Taken::default();
    for port in ports.items() {
        let name = port.field("name");
        if !name.text().is_empty() {
            let problems: Vec<_> = port_name_problems(name.text()).collect();
            if problems.is_empty() {
                names.take(&name, out);
            }
            out.extend(problems.into_iter().map(|problem| name.invalid(problem)));
        }
        let (number, host) = (port.field("containerPort"), port.field("hostPort"));
        match number.number().unwrap_or(0) {
            0 => out.push(number.required("")),
            _ => number.within(1, 65535, out),
        }
        let asked = host.number().unwrap_or(0);
        if asked != 0 {
            host.within(1, 65535, out);
            if on_host && Some(asked) != number.number() {
                out.push(host.invalid("must match `containerPort` when `hostNetwork` is true"));
            }
        }
        port.field("protocol").one_of(&["SCTP", "TCP", "UDP"], out);
    }
}

/// Two containers cannot have one port of the host.
fn host_ports(containers: &At<'_>, out: &mut Findings) {
    let mut taken = std::collections::BTreeSet::new();
    for port in containers.items().flat_map(|c| c.field("ports").items()) {
        let host = port.field("hostPort");
        let Some(number) = host.number().filter(|number| *number != 0) else {
            continue;
        };
        let (protocol, ip) = (port.field("protocol").text(), port.field("hostIP").text());
        let text = format!("{protocol}/{ip}/{number}");
        if !taken.insert(text.clone()) {
            out.push(host.duplicate(&text.into()));
        }
    }
}

fn variable(variable: &At<'_>, out: &mut Findings) {
    let name = variable.field("name");
    let text = name.text();
    if text.is_empty() {
        out.push(name.required(""));
    } else if text.contains('=') || !text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        out.push(name.invalid("a valid environment variable name must consist only of printable ASCII characters other than '='"));
    }
    let from = variable.field("valueFrom");
    if !from.is_set() {
        return;
    }
    let value = Value::from("");
    let kinds = [
        "fieldRef",
        "resourceFieldRef",
        "configMapKeyRef",
        "secretKeyRef",
        "fileKeyRef",
    ];
    match kinds.iter().filter(|kind| from.field(kind).is_set()).count() {
        0 => out.push(from.invalid_value(&value, "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`")),
        1 if !variable.field("value").text().is_empty() => {
            out.push(from.invalid_value(&value, "may not be specified when `value` is not empty"));
        }
        1 => {}
        _ => out.push(from.invalid_value(&value, "may not have more than one field specified at a time")),
    }
    if from.field("fieldRef").is_set() {
        field_of_pod(&from.field("fieldRef").field("fieldPath"), out);
    }
    for kind in ["configMapKeyRef", "secretKeyRef"] {
        let reference = from.field(kind);
        if reference.is_set() {
            for field in ["name", "key"] {
                let at = reference.field(field);
                if at.text().is_empty() {
                    out.push(at.required(""));
                }
            }
        }
    }
}

/// A field that a variable may be taken from.
fn field_of_pod(path: &At<'_>, out: &mut Findings) {
    const KNOWN: [&str; 10] = [
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
        "spec.restartPolicy",
    ];
    let text = path.text();
    let of_map = ["metadata.labels['", "metadata.annotations['"];
    if text.is_empty() {
        out.push(path.required(""));
    } else if !KNOWN.contains(&text) && !of_map.iter().any(|start| text.starts_with(start)) {
        let detail = format!("error converting fieldPath: field label not supported: {text}");
        out.push(path.invalid(detail));
    }
}

fn sources(sources: &At<'_>, out: &mut Findings) {
    for source in sources.items() {
        let kinds = ["configMapRef", "secretRef"];
        let set = kinds.iter().filter(|kind| source.field(kind).is_set());
        let detail = match set.count() {
            0 => "must specify one of: `configMapRef` or `secretRef`",
            1 => {
                for kind in kinds {
                    let reference = source.field(kind);
                    if reference.is_set() && reference.field("name").text().is_empty() {
                        out.push(reference.field("name").required(""));
                    }
                }
                continue;
            }
            _ => "may not have more than one field specified at a time",
        };
        // Upstream names the list, not its member.
        out.push(sources.invalid_value(&"".into(), detail));
    }
}

fn mounts(mounts: &At<'_>, volumes: &Taken, out: &mut Findings) {
    let mut paths = Taken::default();
    for mount in mounts.items() {
        let (name, path, sub) = (
            mount.field("name"),
            mount.field("mountPath"),
            mount.field("subPath"),
        );
        if name.text().is_empty() {
            out.push(name.required(""));
        }
        if !volumes.has(name.text()) {
            out.push(name.not_found());
        }
        if path.text().is_empty() {
            out.push(path.required(""));
        }
        if !path.text().is_empty() && paths.has(path.text()) {
            out.push(path.invalid("must be unique"));
        }
        paths.take(&path, &mut Vec::new());
        let text = sub.text();
        // Upstream names the list here too.
        let sub = mounts.field("subPath");
        if text.starts_with('/') {
            out.push(sub.invalid_value(&text.into(), "must be a relative path"));
        }
        if text.split('/').any(|part| part == "..") {
            out.push(sub.invalid_value(&text.into(), "must not contain '..'"));
        }
    }
}
