//! Desired objects, on examples.

use super::*;
use crate::annotation_policy::AnnotationPolicy;
use crate::testing::{cell, cluster};

fn federated(spec: Value) -> FederatedObject {
    let object = json!({
        "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedFoo",
        "metadata": {"name": "foo-01", "namespace": "bank-prod"}, "spec": spec,
    });
    FederatedObject::from_value(&object).unwrap()
}

fn foo() -> Target {
    Target {
        api_version: "tutorial.my.domain/v1".into(),
        group: "tutorial.my.domain".into(),
        kind: "Foo".into(),
        namespaced: true,
        annotations: AnnotationPolicy::new(&["spec/*".into()]),
        ..Target::default()
    }
}

fn template() -> Value {
    json!({
        "metadata": {
            "labels": {"app": "x"}, "annotations": {"spec/a": "1", "other": "2"}, "finalizers": ["f"], "uid": "u",
            "name": "other", "generateName": "g",
        },
        "spec": {"name": "jack"},
    })
}

#[test]
fn a_new_object_in_a_cell() {
    let object = federated(json!({
        "template": template(),
        "overrides": [{"clusterName": "rz00a.bank-prod", "clusterOverrides": [{"path": "/spec/name", "value": "joe"}]}],
    }));
    let target = foo();
    let blueprint = Blueprint::new(&object, &target);
    let desired = blueprint
        .desired(&cell("rz00a", "bank-prod", "hz-1", &[]), None)
        .unwrap();
    assert_eq!(
        desired,
        json!({
            "apiVersion": "tutorial.my.domain/v1", "kind": "Foo",
            "metadata": {
                "name": "foo-01", "namespace": "bank-prod-rz00a",
                "labels": {"app": "x", "kubefed.io/managed": "true"},
                "annotations": {"spec/a": "1", annotations::PROPAGATED_LABELS: "app"},
            },
            "spec": {"name": "joe"},
        })
    );
    let plain = blueprint.desired(&cluster("hz-1", &[]), None).unwrap();
    assert_eq!(plain["metadata"]["namespace"], "bank-prod");
    assert_eq!(plain["spec"]["name"], "jack");
    assert_eq!(blueprint.ignored_annotations(), ["other"]);
    let reasons: Vec<_> = blueprint
        .warnings()
        .into_iter()
        .map(|event| event.reason)
        .collect();
    assert_eq!(
        reasons,
        [
            events::ANNOTATIONS_NOT_SUPPORTED,
            events::FINALIZERS_NOT_SUPPORTED
        ]
    );
}

#[test]
fn an_update_keeps_what_is_the_members() {
    let object = federated(json!({"template": template()}));
    let target = foo();
    let member = cluster("hz-1", &[]);
    let blueprint = Blueprint::new(&object, &target);
    let mut observed = blueprint.desired(&member, None).unwrap();
    let metadata = &mut observed["metadata"];
    metadata["resourceVersion"] = json!("9");
    metadata["uid"] = json!("u");
    metadata["finalizers"] = json!(["theirs"]);
    metadata["labels"]["theirs"] = json!("1");
    metadata["labels"]["left"] = json!("1");
    metadata["annotations"][annotations::PROPAGATED_LABELS] = json!("app,left");
    metadata["annotations"]["spec/left"] = json!("1");
    metadata["annotations"]["other"] = json!("own");
    observed["status"] = json!({"happy": true});
    let desired = blueprint.desired(&member, Some(&observed)).unwrap();
    assert_eq!(
        desired["metadata"],
        json!({
            "name": "foo-01", "namespace": "bank-prod", "resourceVersion": "9", "finalizers": ["theirs"],
            "labels": {"app": "x", "theirs": "1", "kubefed.io/managed": "true"},
            "annotations": {"spec/a": "1", "other": "own", annotations::PROPAGATED_LABELS: "app"},
        })
    );
    assert_eq!(desired["status"], json!({"happy": true}));
    assert!(!is_same(&desired, &observed, false));
    // Written back, nothing is left to do.
    assert!(is_same(
        &blueprint.desired(&member, Some(&desired)).unwrap(),
        &desired,
        false
    ));
}

#[test]
fn what_kubefed_wrote_needs_no_rewrite_but_loses_labels_that_leave_the_template() {
    let object = federated(
        json!({"template": {"metadata": {"labels": {"app": "x"}}, "spec": {"name": "jack"}}}),
    );
    let target = foo();
    let member = cluster("hz-1", &[]);
    let blueprint = Blueprint::new(&object, &target);
    let mut observed = blueprint.desired(&member, None).unwrap();
    observed["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("annotations");
    let desired = blueprint.desired(&member, Some(&observed)).unwrap();
    assert!(is_same(&desired, &observed, false));
    assert!(has_same_metadata(&desired, &observed, false));
    observed["metadata"]["labels"]["left"] = json!("1");
    let desired = blueprint.desired(&member, Some(&observed)).unwrap();
    assert!(!has_same_metadata(&desired, &observed, false));
    assert_eq!(
        desired["metadata"]["labels"],
        json!({"app": "x", "kubefed.io/managed": "true"})
    );
    // An object that was never managed keeps its labels.
    observed["metadata"]["labels"]
        .as_object_mut()
        .unwrap()
        .remove("kubefed.io/managed");
    let adopted = blueprint.desired(&member, Some(&observed)).unwrap();
    assert_eq!(adopted["metadata"]["labels"]["left"], "1");
}

#[test]
fn an_apply_holds_only_what_is_ours() {
    let object = federated(json!({"template": template()}));
    let target = Target {
        strategy: UpdateStrategy::ServerSideApply,
        ..foo()
    };
    let member = cluster("hz-1", &[]);
    let blueprint = Blueprint::new(&object, &target);
    let fresh = blueprint.desired(&member, None).unwrap();
    let mut observed = fresh.clone();
    observed["metadata"]["resourceVersion"] = json!("9");
    observed["metadata"]["labels"]["theirs"] = json!("1");
    observed["spec"]["replicas"] = json!(1);
    let desired = blueprint.desired(&member, Some(&observed)).unwrap();
    assert_eq!(desired, fresh);
    assert!(is_same(&desired, &observed, true) && has_same_metadata(&desired, &observed, true));
    observed["spec"]["name"] = json!("joe");
    assert!(!is_same(&desired, &observed, true));
}

#[test]
fn bad_templates_and_overrides_name_their_reason() {
    let member = cluster("a", &[]);
    for (spec, reason) in [
        (json!({}), MemberReason::ComputeResourceFailed),
        (json!({"template": 3}), MemberReason::ComputeResourceFailed),
        (
            json!({"template": {"metadata": {"labels": {"a": 1}}}}),
            MemberReason::ComputeResourceFailed,
        ),
        (
            json!({"template": {"metadata": {"annotations": {"spec/a": 1}}}}),
            MemberReason::ComputeResourceFailed,
        ),
        (
            json!({"template": {}, "overrides": [{"clusterName": "a", "clusterOverrides": [{"path": "/spec/x"}]}]}),
            MemberReason::ApplyOverridesFailed,
        ),
        (
            json!({"template": {}, "overrides": [{"clusterName": "b", "clusterOverrides": [{"path": "/kind"}]}]}),
            MemberReason::ApplyOverridesFailed,
        ),
        (
            json!({"template": {}, "overrides": [{"clusterName": "a", "clusterOverrides": [
                {"op": "add", "path": "/metadata/labels", "value": 3},
            ]}]}),
            MemberReason::ApplyOverridesFailed,
        ),
    ] {
        let (object, target) = (federated(spec.clone()), foo());
        let error = Blueprint::new(&object, &target)
            .desired(&member, None)
            .unwrap_err();
        assert_eq!(error.reason(), reason, "{spec}");
    }
}

#[test]
fn circumstances_are_part_of_what_is_applied() {
    let object = federated(json!({"template": {"spec": {"template": {"spec": {}}}}}));
    let deployment = Target {
        group: "apps".into(),
        kind: "Deployment".into(),
        ..foo()
    };
    let mut rz00a = cell("rz00a", "bank-prod", "hz-1", &[]);
    let applied =
        |target: &Target, member: &Member| Blueprint::new(&object, target).applied(member);
    let plain = applied(&deployment, &rz00a);
    assert_eq!(plain, SpecVersion::of(&object.spec).template);
    let facts = rz00a.cell.as_mut().unwrap();
    facts
        .pod_placement
        .node_selector
        .insert("zone".into(), "a".into());
    let placed = applied(&deployment, &rz00a);
    assert!(placed.starts_with(&format!("{plain}+")));
    assert_eq!(applied(&foo(), &rz00a), plain);
    assert_eq!(
        crate::version::short(&placed),
        crate::version::short(&plain)
    );
    let desired = Blueprint::new(&object, &deployment)
        .desired(&rz00a, None)
        .unwrap();
    assert_eq!(
        desired["spec"]["template"]["spec"],
        json!({"nodeSelector": {"zone": "a"}})
    );
}
