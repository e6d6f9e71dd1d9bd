//! Rows and names.

use serde_json::{Value, json};

use super::*;
use crate::kinds::{Cell, CustomResource, Kind, Strategy};
use crate::request::Verb;

pub(crate) fn crd() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "foos.example.org", "uid": "u1"},
        "spec": {
            "group": "example.org", "scope": "Namespaced",
            "names": {"plural": "foos", "singular": "foo", "kind": "Foo", "listKind": "FooList", "shortNames": ["fo"], "categories": ["all"]},
            "versions": [
                {"name": "v1beta1", "served": true, "storage": true, "deprecated": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}},
                {"name": "v1", "served": true, "storage": false,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {"n": {"type": "integer"}}}}}},
                    "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"}},
                    "selectableFields": [{"jsonPath": ".spec.color"}],
                    "additionalPrinterColumns": [{"name": "N", "type": "integer", "jsonPath": ".spec.n"}]},
            ],
        },
    })
}

#[test]
fn a_definition_becomes_a_row() {
    let crd = crd();
    let names = AcceptedNames::parse(&crd["spec"]["names"]);
    let row: Kind = custom_row(&crd, &names, false, 9).unwrap();
    assert_eq!(
        row.versions.iter().map(|v| &*v.name).collect::<Vec<_>>(),
        ["v1", "v1beta1"]
    );
    assert_eq!(&*row.storage_version().name, "v1beta1");
    assert_eq!(&*row.resource, "example.org/foos");
    assert_eq!(row.verbs.len(), 8);
    let v1 = row.version("v1").unwrap();
    assert!(v1.status && v1.scale.is_some());
    assert_eq!(v1.selectable[0].label, "spec.color");
    assert_eq!(v1.columns[1].cell, Cell::Path(".spec.n".to_owned()));
    assert_eq!(
        row.version("v1beta1").unwrap().deprecation.as_deref(),
        Some("example.org/v1beta1 Foo is deprecated; use example.org/v1 Foo")
    );
    assert!(!CustomResource.allows_unconditional_update());
    let closing = custom_row(&crd, &names, true, 10).unwrap();
    assert!(!closing.verbs.contains(&Verb::Create) && closing.verbs.contains(&Verb::Delete));
}

#[test]
fn names_go_to_who_has_them() {
    let wanted = AcceptedNames::parse(&crd()["spec"]["names"]);
    let nobody = claimed_names(std::iter::empty());
    let (accepted, conflict) = accept_names(&wanted, &AcceptedNames::default(), &nobody);
    assert_eq!((accepted, conflict), (wanted.clone(), None));
    let mut others = claimed_names(std::iter::empty());
    others.add(&AcceptedNames {
        kind: "Foo".to_owned(),
        short_names: vec!["fo".to_owned()],
        ..AcceptedNames::default()
    });
    let (accepted, conflict) = accept_names(&wanted, &AcceptedNames::default(), &others);
    assert_eq!(accepted.kind, "");
    assert!(accepted.short_names.is_empty());
    let conflict = conflict.unwrap();
    assert_eq!(
        (conflict.reason, conflict.message.as_str()),
        ("KindConflict", "\"Foo\" is already in use")
    );
    let (accepted, conflict) = accept_names(&wanted, &wanted, &others);
    assert_eq!((accepted, conflict), (wanted, None));
}

#[test]
fn conditions_keep_their_time_while_their_status_stays() {
    let mut crd = crd();
    set_condition(&mut crd, "Established", true, "A", "a", "t1");
    set_condition(&mut crd, "Established", true, "B", "b", "t2");
    assert_eq!(
        condition(&crd, "Established").unwrap()["lastTransitionTime"],
        "t1"
    );
    set_condition(&mut crd, "Established", false, "C", "c", "t3");
    assert_eq!(
        condition(&crd, "Established").unwrap()["lastTransitionTime"],
        "t3"
    );
    assert!(!condition_is_true(&crd, "Established"));
}
