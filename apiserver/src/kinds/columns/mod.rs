//! Printer columns of the built-in kinds, as upstream prints them (`k8s.io/kubernetes/pkg/printers/internalversion`).

mod cells;
mod further;
mod pods;

use super::kind::{Cell, Column};

/// `(name, type, priority, source)`: a source that starts with a dot is a path.
type Entry = (&'static str, &'static str, i32, Source);

#[derive(Clone, Copy)]
enum Source {
    Path(&'static str),
    Computed(fn(&serde_json::Value, jiff::Timestamp) -> serde_json::Value),
}

use Source::{Computed as C, Path as P};

const NAME: Entry = ("Name", "string", 0, P(".metadata.name"));
const AGE: Entry = ("Age", "string", 0, C(cells::age));
const CREATED: Entry = ("Created At", "date", 0, C(cells::created));

/// The columns of a built-in kind; none means `NAME` and `AGE`.
pub fn builtin_columns(group: &str, plural: &str) -> Vec<Column> {
    entries(group, plural)
        .iter()
        .map(|(name, column_type, priority, source)| Column {
            name: (*name).to_owned(),
            column_type: (*column_type).to_owned(),
            format: if *name == "Name" {
                "name".to_owned()
            } else {
                String::new()
            },
            description: String::new(),
            priority: *priority,
            cell: match source {
                P(path) => Cell::Path((*path).to_owned()),
                C(function) => Cell::Computed(*function),
            },
        })
        .collect()
}

fn entries(group: &str, plural: &str) -> &'static [Entry] {
    match group {
        "" => core(plural),
        "apps" => apps(plural),
        "batch" => batch(plural),
        "rbac.authorization.k8s.io" => rbac(plural),
        "apiextensions.k8s.io" => match plural {
            "customresourcedefinitions" => &[NAME, CREATED],
            _ => &[],
        },
        "admissionregistration.k8s.io" => match plural {
            "validatingwebhookconfigurations" | "mutatingwebhookconfigurations" => {
                &[NAME, ("Webhooks", "integer", 0, C(cells::webhooks)), AGE]
            }
            _ => &[],
        },
        "coordination.k8s.io" => match plural {
            "leases" => &[
                NAME,
                ("Holder", "string", 0, P(".spec.holderIdentity")),
                AGE,
            ],
            _ => &[],
        },
        "events.k8s.io" => events(),
        "networking.k8s.io" if plural == "ingresses" => &[
            NAME,
            ("Class", "string", 0, C(further::ingress_class)),
            ("Hosts", "string", 0, C(further::hosts)),
            ("Address", "string", 0, C(further::balancer)),
            ("Ports", "string", 0, C(further::ingress_ports)),
            AGE,
        ],
        "policy" if plural == "poddisruptionbudgets" => &[
            NAME,
            ("Min Available", "string", 0, C(further::least)),
            ("Max Unavailable", "string", 0, C(further::most_missing)),
            ("Allowed Disruptions", "integer", 0, C(further::disruptions)),
            AGE,
        ],
        _ => &[],
    }
}

fn core(plural: &str) -> &'static [Entry] {
    match plural {
        "pods" => &[
            NAME,
            ("Ready", "string", 0, C(pods::ready)),
            ("Status", "string", 0, C(pods::status)),
            ("Restarts", "string", 0, C(pods::restarts)),
            AGE,
            ("IP", "string", 1, C(pods::ip)),
            ("Node", "string", 1, C(pods::node)),
            ("Nominated Node", "string", 1, C(pods::nominated)),
            ("Readiness Gates", "string", 1, C(pods::gates)),
        ],
        "services" => &[
            NAME,
            ("Type", "string", 0, P(".spec.type")),
            ("Cluster-IP", "string", 0, C(cells::cluster_ip)),
            ("External-IP", "string", 0, C(cells::external_ip)),
            ("Port(s)", "string", 0, C(cells::ports)),
            AGE,
            ("Selector", "string", 1, C(cells::service_selector)),
        ],
        "namespaces" => &[NAME, ("Status", "string", 0, P(".status.phase")), AGE],
        "secrets" => &[
            NAME,
            ("Type", "string", 0, P(".type")),
            ("Data", "string", 0, C(cells::data)),
            AGE,
        ],
        "configmaps" => &[NAME, ("Data", "string", 0, C(cells::data)), AGE],
        "persistentvolumeclaims" => &[
            NAME,
            ("Status", "string", 0, C(further::phase)),
            ("Volume", "string", 0, C(further::volume)),
            ("Capacity", "string", 0, C(further::capacity)),
            ("Access Modes", "string", 0, C(further::modes)),
            ("StorageClass", "string", 0, C(further::storage_class)),
            (
                "VolumeAttributesClass",
                "string",
                0,
                C(further::attributes_class),
            ),
            AGE,
            ("VolumeMode", "string", 1, C(further::volume_mode)),
        ],
        "serviceaccounts" => &[NAME, AGE],
        "endpoints" => &[NAME, ("Endpoints", "string", 0, C(cells::endpoints)), AGE],
        "events" => events(),
        _ => &[],
    }
}

fn events() -> &'static [Entry] {
    &[
        ("Last Seen", "string", 0, C(cells::last_seen)),
        ("Type", "string", 0, P(".type")),
        ("Reason", "string", 0, P(".reason")),
        ("Object", "string", 0, C(cells::involved)),
        ("Subobject", "string", 1, C(cells::subobject)),
        ("Source", "string", 1, C(cells::source)),
        ("Message", "string", 0, C(cells::message)),
        ("First Seen", "string", 1, C(cells::first_seen)),
        ("Count", "string", 1, C(cells::count)),
        ("Name", "string", 1, P(".metadata.name")),
    ]
}

fn apps(plural: &str) -> &'static [Entry] {
    const CONTAINERS: Entry = ("Containers", "string", 1, C(cells::containers));
    const IMAGES: Entry = ("Images", "string", 1, C(cells::images));
    const SELECTOR: Entry = ("Selector", "string", 1, C(cells::selector));
    match plural {
        "deployments" => &[
            NAME,
            ("Ready", "string", 0, C(cells::ready_replicas)),
            ("Up-to-date", "string", 0, C(cells::updated_replicas)),
            ("Available", "string", 0, C(cells::available_replicas)),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        "replicasets" => &[
            NAME,
            ("Desired", "integer", 0, C(cells::desired_replicas)),
            ("Current", "integer", 0, C(cells::current_replicas)),
            ("Ready", "integer", 0, C(cells::ready_count)),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        "statefulsets" => &[
            NAME,
            ("Ready", "string", 0, C(cells::ready_replicas)),
            AGE,
            CONTAINERS,
            IMAGES,
        ],
        "daemonsets" => &[
            NAME,
            ("Desired", "integer", 0, C(cells::desired_scheduled)),
            ("Current", "integer", 0, C(cells::current_scheduled)),
            ("Ready", "integer", 0, C(cells::number_ready)),
            ("Up-to-date", "integer", 0, C(cells::updated_scheduled)),
            ("Available", "integer", 0, C(cells::number_available)),
            ("Node Selector", "string", 0, C(cells::node_selector)),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        _ => &[],
    }
}

fn batch(plural: &str) -> &'static [Entry] {
    match plural {
        "jobs" => &[
            NAME,
            ("Status", "string", 0, C(cells::job_status)),
            ("Completions", "string", 0, C(cells::completions)),
            ("Duration", "string", 0, C(cells::job_duration)),
            AGE,
            ("Containers", "string", 1, C(cells::containers)),
            ("Images", "string", 1, C(cells::images)),
            ("Selector", "string", 1, C(cells::selector)),
        ],
        "cronjobs" => &[
            NAME,
            ("Schedule", "string", 0, P(".spec.schedule")),
            ("Timezone", "string", 0, C(further::zone)),
            ("Suspend", "boolean", 0, C(further::suspended)),
            ("Active", "integer", 0, C(further::active)),
            ("Last Schedule", "string", 0, C(further::last_schedule)),
            AGE,
            ("Containers", "string", 1, C(further::cron_containers)),
            ("Images", "string", 1, C(further::cron_images)),
            ("Selector", "string", 1, C(further::cron_selector)),
        ],
        _ => &[],
    }
}

fn rbac(plural: &str) -> &'static [Entry] {
    const ROLE: Entry = ("Role", "string", 0, C(cells::role_ref));
    match plural {
        "roles" | "clusterroles" => &[NAME, CREATED],
        "rolebindings" | "clusterrolebindings" => &[
            NAME,
            ROLE,
            AGE,
            ("Users", "string", 1, C(further::users)),
            ("Groups", "string", 1, C(further::groups)),
            ("ServiceAccounts", "string", 1, C(further::accounts)),
        ],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn print(group: &str, plural: &str, object: &serde_json::Value) -> Vec<String> {
        let now: jiff::Timestamp = "2024-01-01T00:05:00Z".parse().unwrap();
        builtin_columns(group, plural)
            .iter()
            .filter_map(|column| match &column.cell {
                Cell::Computed(function) => Some(match function(object, now) {
                    serde_json::Value::String(text) => text,
                    other => other.to_string(),
                }),
                Cell::Path(_) => None,
            })
            .collect()
    }

    #[test]
    fn a_deployment_reads_as_upstreams() {
        let object = json!({
            "metadata": {"name": "n", "creationTimestamp": "2024-01-01T00:00:00Z"},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"a": "b"}},
                "template": {"spec": {"containers": [{"name": "c", "image": "i:1"}]}}},
            "status": {"readyReplicas": 2, "updatedReplicas": 3},
        });
        assert_eq!(
            print("apps", "deployments", &object),
            ["2/3", "3", "0", "5m", "c", "i:1", "a=b"]
        );
    }

    #[test]
    fn a_service_reads_as_upstreams() {
        let object = json!({
            "metadata": {"creationTimestamp": "2024-01-01T00:00:00Z"},
            "spec": {"type": "NodePort", "clusterIP": "10.96.0.7", "ports": [{"port": 80, "nodePort": 30000, "protocol": "TCP"}]},
        });
        assert_eq!(
            print("", "services", &object),
            ["10.96.0.7", "<none>", "80:30000/TCP", "5m", "<none>"]
        );
    }

    #[test]
    fn nothing_panics_on_an_empty_object() {
        for (group, plural) in [
            ("", "pods"),
            ("", "services"),
            ("", "secrets"),
            ("", "endpoints"),
            ("", "events"),
            ("apps", "replicasets"),
            ("apps", "daemonsets"),
            ("batch", "jobs"),
            ("batch", "cronjobs"),
            ("networking.k8s.io", "ingresses"),
            ("policy", "poddisruptionbudgets"),
            ("", "persistentvolumeclaims"),
            ("rbac.authorization.k8s.io", "rolebindings"),
            ("apiextensions.k8s.io", "customresourcedefinitions"),
            (
                "admissionregistration.k8s.io",
                "mutatingwebhookconfigurations",
            ),
        ] {
            assert!(!print(group, plural, &json!({})).is_empty(), "{plural}");
        }
    }
}
