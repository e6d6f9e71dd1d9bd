//! What the server fills into Pods and Pod templates (`SetDefaults_PodSpec` and its parts).

use serde_json::{Map, Value, json};

use super::super::default;

/// The permissions of files in volumes: 0644.
const MODE: u32 = 420;

/// Fills a Pod's spec: what [`template`] does, and what Pods alone get.
pub(super) fn pod(spec: &mut Map<String, Value>) {
    template(spec);
    default(spec, "enableServiceLinks", true);
    if let Some(seconds) = spec.get_mut("terminationGracePeriodSeconds")
        && seconds.as_i64().is_some_and(|seconds| seconds < 0)
    {
        *seconds = 1.into();
    }
    let on_host = spec.get("hostNetwork").is_some_and(|host| host == true);
    for list in ["containers", "initContainers"] {
        for container in members(spec, list) {
            if on_host {
                for port in members(container, "ports") {
                    let number = port.get("containerPort").cloned().unwrap_or(Value::Null);
                    default(port, "hostPort", number);
                }
            }
            requests(container);
        }
    }
}

/// What is limited and not asked for is asked for up to the limit.
fn requests(container: &mut Map<String, Value>) {
    let resources = container
        .get_mut("resources")
        .and_then(Value::as_object_mut);
    let Some(resources) = resources else { return };
    let Some(Value::Object(limits)) = resources.get("limits").cloned() else {
        return;
    };
    let requests = resources.entry("requests").or_insert(Value::Null);
    if !requests.is_object() {
        *requests = json!({});
    }
    for (name, limit) in limits {
        if requests.get(&name).is_none() {
            requests[name] = limit;
        }
    }
}

/// Fills the spec of a Pod template.
pub(in super::super) fn template(spec: &mut Map<String, Value>) {
    default(spec, "restartPolicy", "Always");
    default(spec, "dnsPolicy", "ClusterFirst");
    default(spec, "schedulerName", "default-scheduler");
    default(spec, "terminationGracePeriodSeconds", 30);
    default(spec, "securityContext", json!({}));
    account(spec);
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        members(spec, list).for_each(container);
    }
    members(spec, "volumes").for_each(volume);
}

/// The account's name has an old field beside the new one.
fn account(spec: &mut Map<String, Value>) {
    for (from, to) in [
        ("serviceAccountName", "serviceAccount"),
        ("serviceAccount", "serviceAccountName"),
    ] {
        let name = spec.get(from).filter(|name| **name != "").cloned();
        if let Some(name @ Value::String(_)) = name {
            default(spec, to, name);
        }
    }
}

fn container(container: &mut Map<String, Value>) {
    let image = container
        .get("image")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let name = image.rsplit('/').next().unwrap_or_default();
    let latest = !image.contains('@') && (!name.contains(':') || name.ends_with(":latest"));
    let policy = if latest { "Always" } else { "IfNotPresent" };
    default(container, "imagePullPolicy", policy);
    default(container, "terminationMessagePath", "/dev/termination-log");
    default(container, "terminationMessagePolicy", "File");
    default(container, "resources", json!({}));
    for port in members(container, "ports") {
        default(port, "protocol", "TCP");
    }
    for variable in members(container, "env") {
        let Some(source) = object(variable, "valueFrom") else {
            continue;
        };
        if let Some(field) = object(source, "fieldRef") {
            default(field, "apiVersion", "v1");
        }
        if let Some(resource) = object(source, "resourceFieldRef") {
            default(resource, "divisor", "0");
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = object(container, probe) {
            default(probe, "timeoutSeconds", 1);
            default(probe, "periodSeconds", 10);
            default(probe, "successThreshold", 1);
            default(probe, "failureThreshold", 3);
            handler(probe);
        }
    }
    if let Some(lifecycle) = object(container, "lifecycle") {
        for hook in ["postStart", "preStop"] {
            if let Some(hook) = object(lifecycle, hook) {
                handler(hook);
            }
        }
    }
}

fn handler(handler: &mut Map<String, Value>) {
    if let Some(get) = object(handler, "httpGet") {
        default(get, "path", "/");
        default(get, "scheme", "HTTP");
    }
    if let Some(grpc) = object(handler, "grpc") {
        default(grpc, "service", "");
    }
}

fn volume(volume: &mut Map<String, Value>) {
    if volume
        .iter()
        .all(|(key, value)| key == "name" || value.is_null())
    {
        volume.insert("emptyDir".to_owned(), json!({}));
    }
    for kind in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = object(volume, kind) {
            default(source, "defaultMode", MODE);
            members(source, "items").for_each(item);
        }
    }
    if let Some(path) = object(volume, "hostPath") {
        default(path, "type", "");
    }
    if let Some(disk) = object(volume, "iscsi") {
        default(disk, "iscsiInterface", "default");
    }
    if let Some(projected) = object(volume, "projected") {
        for source in members(projected, "sources") {
            if let Some(token) = object(source, "serviceAccountToken") {
                default(token, "expirationSeconds", 3600);
            }
            if let Some(downward) = object(source, "downwardAPI") {
                members(downward, "items").for_each(item);
            }
        }
    }
    let claim =
        object(volume, "ephemeral").and_then(|ephemeral| object(ephemeral, "volumeClaimTemplate"));
    if let Some(spec) = claim.and_then(|claim| object(claim, "spec")) {
        default(spec, "volumeMode", "Filesystem");
    }
}

fn item(item: &mut Map<String, Value>) {
    if let Some(field) = object(item, "fieldRef") {
        default(field, "apiVersion", "v1");
    }
    if let Some(resource) = object(item, "resourceFieldRef") {
        default(resource, "divisor", "0");
    }
}

/// The members of a list that are maps.
pub(in super::super) fn members<'a>(
    map: &'a mut Map<String, Value>,
    list: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> + use<'a> {
    let list = map.get_mut(list).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// A field that is a map.
pub(in super::super) fn object<'a>(
    map: &'a mut Map<String, Value>,
    field: &str,
) -> Option<&'a mut Map<String, Value>> {
    map.get_mut(field).and_then(Value::as_object_mut)
}
