//! Tables of validation.

use federation_api::kinds::KubeFedConfigSpec;
use federation_api::kinds::Scope;
use serde_json::json;

use super::*;
use crate::conversion::Version;

fn fields(verdict: &Verdict) -> Vec<&str> {
    verdict
        .errors
        .iter()
        .map(|error| error.field.as_str())
        .collect()
}

#[test]
fn clusters_follow_kubefeds_rules() {
    let cluster = |name: &str, endpoint: &str| json!({"metadata": {"name": name}, "spec": {"apiEndpoint": endpoint, "secretRef": {"name": "s"}}});
    for endpoint in [
        "https://hz:6443",
        "hz",
        "hz:6443",
        "10.0.0.1:443",
        "http://[::1]:80/x",
    ] {
        assert!(
            kubefed_cluster(&cluster("hz-1", endpoint), false).is_allowed(),
            "{endpoint}"
        );
    }
    for endpoint in [
        "",
        "ftp://hz",
        "hz:0",
        "hz:x",
        "https://",
        "https://hz:99999",
    ] {
        assert_eq!(
            fields(&kubefed_cluster(&cluster("hz-1", endpoint), false)),
            ["spec.apiEndpoint"],
            "{endpoint}"
        );
    }
    assert_eq!(
        fields(&kubefed_cluster(&cluster("a.b", "hz"), false)),
        ["metadata.name"]
    );
    assert!(kubefed_cluster(&cluster("a.b", "hz"), true).is_allowed());
    let bad = json!({"spec": {"apiEndpoint": "hz", "secretRef": {}, "disabledTLSValidations": ["*", "X"], "proxyURL": "ftp://x"}});
    assert_eq!(
        fields(&kubefed_cluster(&bad, false)),
        [
            "spec.secretRef.name",
            "spec.disabledTLSValidations",
            "spec.disabledTLSValidations",
            "spec.proxyURL"
        ]
    );
    let status = json!({"status": {"conditions": [{"type": "Odd", "status": "True"}]}});
    assert_eq!(
        fields(&kubefed_cluster_status(&status)),
        [
            "status.conditions[0].type",
            "status.conditions[0].lastProbeTime"
        ]
    );
}

#[test]
fn type_configs_follow_kubefeds_rules() {
    let mut config = json!({"metadata": {"name": "foos.g.io"}, "spec": {
        "targetType": {"group": "g.io", "version": "v1", "kind": "Foo", "pluralName": "foos", "scope": "Namespaced"},
        "propagation": "Enabled",
        "federatedType": {"group": "types.kubefed.io", "version": "v1beta1", "kind": "FederatedFoo", "pluralName": "federatedfoos", "scope": "Namespaced"},
        "propagatingAnnotations": ["a/*"],
    }});
    assert_eq!(federated_type_config(&config), Verdict::default());
    for group in ["types.kubefed.io", "core.kubefed.io", "koinon.io"] {
        let mut own = config.clone();
        own["metadata"]["name"] = json!(format!("foos.{group}"));
        own["spec"]["targetType"]["group"] = json!(group);
        assert_eq!(
            fields(&federated_type_config(&own)),
            ["spec.targetType.group"],
            "{group}"
        );
    }
    config["metadata"]["name"] = json!("foos");
    config["spec"]["propagation"] = json!("On");
    config["spec"]["federatedType"]["group"] = json!("x");
    config["spec"]["updateStrategy"] = json!("x");
    assert_eq!(
        fields(&federated_type_config(&config)),
        [
            "name",
            "spec.propagation",
            "spec.federatedType.group",
            "spec.updateStrategy"
        ]
    );
    let status = json!({"status": {"observedGeneration": -1, "propagationController": "x"}});
    assert_eq!(
        fields(&federated_type_config_status(&status)),
        ["status.observedGeneration", "status.propagationController"]
    );
}

#[test]
fn a_defaulted_config_is_valid_and_its_scope_stays() {
    let config = |scope| json!({"spec": KubeFedConfigSpec::with_defaults(scope)});
    let (wide, narrow) = (config(Scope::Cluster), config(Scope::Namespaced));
    assert_eq!(kubefed_config(&wide, Some(&wide)), Verdict::default());
    assert_eq!(
        fields(&kubefed_config(&wide, Some(&narrow))),
        ["spec.scope"]
    );
    let mut bad = wide;
    bad["spec"]["leaderElect"]["renewDeadline"] = json!("15s");
    bad["spec"]["clusterHealthCheck"]["failureThreshold"] = json!(0);
    bad["spec"]["featureGates"][1]["name"] = bad["spec"]["featureGates"][0]["name"].clone();
    assert_eq!(
        fields(&kubefed_config(&bad, None)),
        [
            "spec.leaderElect.leaseDuration",
            "spec.featureGates.name",
            "spec.clusterHealthCheck.failureThreshold"
        ]
    );
    assert_eq!(
        fields(&kubefed_config(
            &json!({"spec": {"scope": "Cluster"}}),
            None
        ))
        .len(),
        5
    );
}

#[test]
fn two_cells_of_a_cluster_cannot_share_a_member_namespace() {
    let object = |name: &str, cluster: &str, member: &str| json!({"apiVersion": "koinon.io/v1alpha1", "kind": "Cell", "metadata": {"name": name, "namespace": "bank"}, "spec": {"clusterRef": {"name": cluster}, "memberNamespace": member}});
    let cells: Vec<Cell> = vec![serde_json::from_value(object("rz00a", "hz-1", "x")).unwrap()];
    let snapshot = Snapshot {
        cells: &cells,
        ..Snapshot::default()
    };
    let verdict = cell(&object("rz00b", "hz-1", "x"), None, &snapshot);
    assert_eq!(fields(&verdict), ["spec.memberNamespace"]);
    assert!(verdict.errors[0].detail.contains("\"rz00a\""));
    assert_eq!(
        verdict.warnings,
        ["spec.clusterRef.name: cluster \"hz-1\" is not registered"]
    );
    assert!(cell(&object("rz00a", "hz-1", "x"), None, &snapshot).is_allowed());
    assert!(cell(&object("rz00b", "sh-1", "x"), None, &snapshot).is_allowed());
    let moved = cell(
        &object("rz00a", "sh-1", "y"),
        Some(&object("rz00a", "hz-1", "x")),
        &snapshot,
    );
    assert_eq!(
        fields(&moved),
        ["spec.clusterRef.name", "spec.memberNamespace"]
    );
    assert_eq!(
        fields(&cell(
            &object("a.b", "hz-1", "kube-system"),
            None,
            &snapshot
        )),
        ["metadata.name", "spec.memberNamespace"]
    );
}

#[test]
fn federated_objects_are_checked_in_their_own_words() {
    let cells: Vec<Cell> = vec![
        serde_json::from_value(json!({
            "apiVersion": "koinon.io/v1alpha1", "kind": "Cell", "metadata": {"name": "rz00a", "namespace": "bank"}, "spec": {"clusterRef": {"name": "hz-1"}},
        }))
        .unwrap(),
    ];
    let snapshot = Snapshot {
        cells: &cells,
        ..Snapshot::default()
    };
    let object = json!({"metadata": {"name": "a", "namespace": "bank"}, "spec": {
        "topologyType": "cell",
        "placement": {"topologies": [{"name": "rz00a"}, {"name": "nope"}]},
        "placementMask": {"topologies": [{"name": "rz00a"}, {"name": "rz09z"}]},
        "overrides": [{"topologyName": "rz00a", "topologyOverrides": [{"path": "/kind", "value": "X"}]}],
    }});
    let verdict = federated(&object, Version::Northbound, true, &snapshot);
    assert_eq!(
        fields(&verdict),
        ["spec.overrides[0].topologyOverrides[0].path"]
    );
    assert_eq!(
        verdict.warnings,
        [
            "spec.placement.topologies[1].name: cell \"nope\" is not known here, so nothing is placed there",
            "spec.placementMask.topologies[1].name: cell \"rz09z\" is not known here, so nothing is placed there",
            "spec.placementMask: \"rz09z\" is not in the placement: if it holds the object, that is deleted there",
        ]
    );
    assert_eq!(
        fields(&federated(&object, Version::Northbound, false, &snapshot))[0],
        "spec.topologyType"
    );
    let south = json!({"spec": {"template": 5, "placement": {"clusterSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}}});
    assert_eq!(
        fields(&federated(&south, Version::Southbound, true, &snapshot)),
        [
            "spec.template",
            "spec.placement.clusterSelector.matchExpressions[0].operator"
        ]
    );
}

#[test]
fn southbound_names_are_names_of_clusters() {
    let registered: Vec<KubeFedCluster> = vec![
        serde_json::from_value(json!({"apiVersion": "core.kubefed.io/v1beta1", "kind": "KubeFedCluster",
            "metadata": {"name": "hz-1"}, "spec": {"apiEndpoint": "hz", "secretRef": {"name": "s"}}}))
        .unwrap(),
    ];
    let cells: Vec<Cell> = vec![
        serde_json::from_value(json!({"apiVersion": "koinon.io/v1alpha1", "kind": "Cell",
            "metadata": {"name": "rz00a", "namespace": "bank"}, "spec": {"clusterRef": {"name": "hz-1"}}}))
        .unwrap(),
    ];
    let snapshot = Snapshot {
        clusters: &registered,
        cells: &cells,
        ..Snapshot::default()
    };
    let names: Vec<Value> = ["hz-1", "rz00a.bank", "rz00a", "rz09z.bank", "rz00a.other"]
        .iter()
        .map(|name| json!({"name": name}))
        .collect();
    let object = json!({"metadata": {"name": "a", "namespace": "bank"}, "spec": {"placement": {"clusters": names}}});
    let verdict = federated(&object, Version::Southbound, true, &snapshot);
    assert!(verdict.is_allowed());
    assert_eq!(
        verdict.warnings,
        [
            "spec.placement.clusters[2].name: cluster \"rz00a\" is not known here, so nothing is placed there",
            "spec.placement.clusters[3].name: cluster \"rz09z.bank\" is not known here, so nothing is placed there",
            "spec.placement.clusters[4].name: cluster \"rz00a.other\" is not known here, so nothing is placed there",
        ]
    );
}

#[test]
fn unreadable_delete_options_are_refused() {
    let verdict = |text: &str| {
        let key = federation_api::annotations::DELETE_OPTION;
        let object = json!({"metadata": {"annotations": {key: text}}, "spec": {}});
        federated(&object, Version::Southbound, true, &Snapshot::default())
    };
    assert!(verdict(r#"{"gracePeriodSeconds": 5}"#).is_allowed());
    for text in [
        "{",
        r#"{"propagationPolicy": "x"}"#,
        r#"{"gracePeriodSeconds": -1}"#,
    ] {
        assert_eq!(
            fields(&verdict(text)),
            ["metadata.annotations[kubefed.io/deleteoption]"]
        );
    }
}

#[test]
fn annotations_of_conversion_cannot_make_the_other_form_invalid() {
    use federation_api::annotations::{CONVERSION_RESIDUE, TOPOLOGY_TYPE};
    let object = |version: &str, annotations: Value| {
        json!({"apiVersion": format!("types.kubefed.io/{version}"), "kind": "FederatedFoo",
            "metadata": {"name": "a", "namespace": "bank", "annotations": annotations},
            "spec": {"overrides": []}})
    };
    let judge = |object: &Value, version| federated(object, version, true, &Snapshot::default());

    let star = object("v1beta1", json!({TOPOLOGY_TYPE: "star"}));
    let verdict = judge(&star, Version::Southbound);
    assert_eq!(
        fields(&verdict),
        ["metadata.annotations[koinon.io/topology-type]"]
    );
    let detail = &verdict.errors[0].detail;
    let expected =
        "makes the v1 form of the object invalid: spec.topologyType: Unsupported value: \"star\"";
    assert!(detail.starts_with(expected), "{detail}");

    let edits = json!({"edits": [{"path": ["spec", "overrides"], "from": [],
        "to": [{"clusterName": "hz-1", "clusterOverrides": [{"path": "/kind", "value": "Pod"}]}]}]});
    let forged = object("v1", json!({CONVERSION_RESIDUE: edits.to_string()}));
    let verdict = judge(&forged, Version::Northbound);
    assert_eq!(
        fields(&verdict),
        ["metadata.annotations[koinon.io/conversion-residue]"]
    );
    assert!(verdict.errors[0].detail.contains("v1beta1 form"));

    let fine = object("v1beta1", json!({TOPOLOGY_TYPE: "cell"}));
    assert!(judge(&fine, Version::Southbound).is_allowed());
    assert!(converts_alike(&fine, &fine) && !converts_alike(&fine, &star));
}
