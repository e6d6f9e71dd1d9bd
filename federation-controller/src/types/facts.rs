//! What the generator of definitions must know of a target kind.

use federation_api::crd::TargetFacts;
use federation_api::kinds::ApiResource;
use kube::core::{ApiResource as KubeResource, GroupVersionKind};
use serde_json::Value;

use crate::clients::chain;
use crate::hub::JsonObject;
use crate::members::Members;

/// Kinds of Kubernetes itself: group, kind, short names, whether `spec.replicas` is an integer.
const BUILT_IN: [(&str, &str, &[&str], bool); 22] = [
    ("", "ConfigMap", &["cm"], false),
    ("", "Endpoints", &["ep"], false),
    ("", "LimitRange", &["limits"], false),
    ("", "Namespace", &["ns"], false),
    ("", "PersistentVolumeClaim", &["pvc"], false),
    ("", "Pod", &["po"], false),
    ("", "ReplicationController", &["rc"], true),
    ("", "ResourceQuota", &["quota"], false),
    ("", "Secret", &[], false),
    ("", "Service", &["svc"], false),
    ("", "ServiceAccount", &["sa"], false),
    ("apps", "DaemonSet", &["ds"], false),
    ("apps", "Deployment", &["deploy"], true),
    ("apps", "ReplicaSet", &["rs"], true),
    ("apps", "StatefulSet", &["sts"], true),
    ("autoscaling", "HorizontalPodAutoscaler", &["hpa"], false),
    ("batch", "CronJob", &["cj"], false),
    ("batch", "Job", &[], false),
    ("networking.k8s.io", "Ingress", &["ing"], false),
    ("networking.k8s.io", "NetworkPolicy", &["netpol"], false),
    ("policy", "PodDisruptionBudget", &["pdb"], false),
    ("rbac.authorization.k8s.io", "ClusterRole", &[], false),
];

/// The facts of a kind of Kubernetes itself; `None` for every other kind.
fn built_in(target: &ApiResource) -> Option<TargetFacts> {
    BUILT_IN
        .iter()
        .find(|(group, kind, _, _)| *group == target.group() && *kind == target.kind)
        .map(|(_, _, short_names, integer_replicas)| TargetFacts {
            integer_replicas: *integer_replicas,
            short_names: short_names.iter().map(ToString::to_string).collect(),
            namespaced: target.is_namespaced(),
        })
}

/// The facts that a target's definition tells.
fn of_definition(target: &ApiResource, definition: &Value) -> TargetFacts {
    let version = definition
        .pointer("/spec/versions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|version| version["name"] == target.version.as_str());
    let replicas = version.and_then(|version| {
        version
            .pointer("/schema/openAPIV3Schema/properties/spec/properties/replicas/type")?
            .as_str()
    });
    let short_names = definition
        .pointer("/spec/names/shortNames")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    TargetFacts {
        integer_replicas: replicas == Some("integer"),
        short_names,
        namespaced: target.is_namespaced(),
    }
}

/// The collection of definitions.
pub(super) fn definitions() -> KubeResource {
    KubeResource::from_gvk(&GroupVersionKind::gvk(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
    ))
}

/// Gathers the facts: from built-in knowledge, else from the target's own definition in the hub or in the first ready
/// member (by name) that has it. `None` if nobody reachable knows the kind.
pub(super) async fn gather(
    hub_client: &kube::Client,
    members: &Members,
    target: &ApiResource,
) -> Option<TargetFacts> {
    if let Some(facts) = built_in(target) {
        return Some(facts);
    }
    if target.group().is_empty() {
        return None;
    }
    let name = format!("{}.{}", target.plural_name, target.group());
    let mut sources = vec![hub_client.clone()];
    for member in members
        .all()
        .into_values()
        .filter(|member| member.is_ready())
    {
        sources.extend(member.member_client());
    }
    for source in sources {
        match JsonObject::api(source, &definitions(), None)
            .get_opt(&name)
            .await
        {
            Ok(Some(definition)) => return Some(of_definition(target, definition.value())),
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(definition = %name, error = %chain(&error), "cannot read a definition")
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use federation_api::kinds::Scope;
    use serde_json::json;

    use super::*;

    fn target(group: &str, kind: &str) -> ApiResource {
        ApiResource {
            group: Some(group.to_owned()),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            plural_name: format!("{}s", kind.to_lowercase()),
            scope: Scope::Namespaced,
        }
    }

    #[test]
    fn standard_kinds_are_known() {
        let facts = built_in(&target("apps", "Deployment")).unwrap();
        assert!(facts.integer_replicas);
        assert_eq!(facts.short_names, ["deploy"]);
        assert!(!built_in(&target("", "ConfigMap")).unwrap().integer_replicas);
        assert_eq!(built_in(&target("my.domain", "Deployment")), None);
    }

    #[test]
    fn definitions_tell_short_names_and_replicas() {
        let replicas =
            json!({"properties": {"spec": {"properties": {"replicas": {"type": "integer"}}}}});
        let definition = json!({"spec": {
            "names": {"shortNames": ["etcd"]},
            "versions": [
                {"name": "v1alpha1", "schema": {"openAPIV3Schema": {}}},
                {"name": "v1", "schema": {"openAPIV3Schema": replicas}},
            ],
        }});
        let facts = of_definition(&target("db", "EtcdCluster"), &definition);
        assert!(facts.integer_replicas);
        assert_eq!(facts.short_names, ["etcd"]);
        assert!(!of_definition(&target("db", "EtcdCluster"), &json!({})).integer_replicas);
    }
}
