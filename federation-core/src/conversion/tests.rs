//! What the conversion promises, on examples and on arbitrary objects.

use federation_api::{annotations, labels, names};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

const NORTH: &str = names::NORTHBOUND_API_VERSION;
const SOUTH: &str = names::SOUTHBOUND_API_VERSION;

fn to(object: &Value, api_version: &str) -> Value {
    convert(object.clone(), api_version).expect("federated objects convert")
}

fn grey_release() -> Value {
    json!({
        "apiVersion": NORTH, "kind": "FederatedFoo",
        "metadata": {"name": "foo-01", "namespace": "bank-prod", "labels": {"a": "b"}},
        "spec": {
            "topologyType": "cell",
            "placement": {"topologies": [{"name": "rz00a"}, {"name": "rz01a"}]},
            "placementMask": {"topologySelector": {"matchLabels": {"region": "hz"}}},
            "template": {"spec": {"name": "jack", "unknown": [1, {"topologies": 2}]}},
            "overrides": [{"topologyName": "rz01a", "topologyOverrides": [{"path": "/spec/name", "value": "joe"}]}],
        },
        "status": {"topologies": [{"name": "rz00a", "reason": "Masked"}], "counts": {"topologies": 2}},
    })
}

#[test]
fn cells_become_clusters() {
    let south = to(&grey_release(), SOUTH);
    assert_eq!(
        south,
        json!({
            "apiVersion": SOUTH, "kind": "FederatedFoo",
            "metadata": {
                "name": "foo-01", "namespace": "bank-prod", "labels": {"a": "b"},
                "annotations": {annotations::TOPOLOGY_TYPE: "cell"},
            },
            "spec": {
                "placement": {"clusters": [{"name": "rz00a.bank-prod"}, {"name": "rz01a.bank-prod"}]},
                "placementMask": {"clusterSelector": {"matchLabels": {
                    "region": "hz", labels::CELL_NAMESPACE: "bank-prod",
                }}},
                "template": {"spec": {"name": "jack", "unknown": [1, {"topologies": 2}]}},
                "overrides": [{
                    "clusterName": "rz01a.bank-prod",
                    "clusterOverrides": [{"path": "/spec/name", "value": "joe"}],
                }],
            },
            "status": {"clusters": [{"name": "rz00a.bank-prod", "reason": "Masked"}], "counts": {"topologies": 2}},
        })
    );
    assert_eq!(to(&south, NORTH), grey_release());
}

#[test]
fn kubefeds_manifests_pass_through() {
    let south = json!({
        "apiVersion": SOUTH, "kind": "FederatedConfigMap", "metadata": {"name": "a", "namespace": "b"},
        "spec": {"template": {"data": {}}, "placement": {"clusterSelector": {}}, "retainReplicas": true},
    });
    let north = to(&south, NORTH);
    assert_eq!(
        north["spec"],
        json!({
            "topologyType": "cluster", "template": {"data": {}}, "placement": {"topologySelector": {}},
            "retainReplicas": true,
        })
    );
    assert_eq!(to(&north, SOUTH), south);
}

#[test]
fn an_empty_selector_of_cells_means_the_own_cells() {
    let mut north = grey_release();
    north["spec"]["placement"] = json!({"topologySelector": {}});
    let south = to(&north, SOUTH);
    let selector = &south["spec"]["placement"]["clusterSelector"];
    assert_eq!(
        selector,
        &json!({"matchLabels": {labels::CELL_NAMESPACE: "bank-prod"}})
    );
    assert_eq!(to(&south, NORTH), north);
}

#[test]
fn a_foreign_cluster_under_cell_keeps_its_name() {
    let mut south = to(&grey_release(), SOUTH);
    south["spec"]["placement"]["clusters"] =
        json!([{"name": "hz-1"}, {"name": "rz00a.other"}, {"name": "x.bank-prod"}]);
    let north = to(&south, NORTH);
    assert_eq!(
        north["spec"]["placement"]["topologies"],
        json!([{"name": "/hz-1"}, {"name": "/rz00a.other"}, {"name": "x"}])
    );
    assert_eq!(to(&north, SOUTH), south);
}

#[test]
fn what_is_no_federated_object_is_refused() {
    let convert = |api_version: &str, wish: &str| convert(json!({"apiVersion": api_version}), wish);
    assert_eq!(
        convert(SOUTH, "types.kubefed.io/v2"),
        Err(ConversionError::UnknownVersion(
            "types.kubefed.io/v2".into()
        ))
    );
    assert_eq!(
        convert("v1", NORTH),
        Err(ConversionError::UnknownVersion("v1".into()))
    );
    assert_eq!(
        convert("other.io/v1", SOUTH),
        Err(ConversionError::OtherGroup {
            from: "other.io".into(),
            to: "types.kubefed.io".into()
        })
    );
    assert_eq!(
        super::convert(json!({}), SOUTH),
        Err(ConversionError::NoApiVersion)
    );
}

#[test]
fn reviews_convert_all_or_nothing() {
    let review_of = |objects: Value| {
        review(&json!({"request": {"uid": "u", "desiredAPIVersion": SOUTH, "objects": objects}}))["response"].clone()
    };
    let answer = review_of(json!([grey_release(), to(&grey_release(), SOUTH)]));
    assert_eq!(answer["uid"], "u");
    assert_eq!(answer["result"], json!({"status": "Success"}));
    assert_eq!(answer["convertedObjects"][0], answer["convertedObjects"][1]);
    let refused = review_of(json!([grey_release(), {"kind": "x"}]));
    assert_eq!(refused["result"]["status"], "Failure");
    assert_eq!(
        refused["result"]["message"],
        "objects[1]: object has no apiVersion"
    );
    assert_eq!(refused.get("convertedObjects"), None);
    assert_eq!(review(&json!(7))["response"]["uid"], "");
}

/// What users could write into the annotation to break readers of the other version.
fn hostile_residues() -> Vec<String> {
    let edits = [
        json!({"path": ["metadata", "annotations"], "from": {"kept": "yes"}, "to": "x"}),
        json!({"path": ["metadata", "annotations", annotations::TOPOLOGY_TYPE], "to": 5}),
        json!({"path": ["metadata", "annotations", annotations::CONVERSION_RESIDUE], "to": {"a": 1}}),
        json!({"path": ["metadata", "annotations", "other"], "to": ["a"]}),
        json!({"path": ["metadata", "labels"], "to": 7}),
        json!({"path": ["metadata"], "to": null}),
        json!({"path": ["metadata", "name"], "from": "x", "to": "y"}),
        json!({"path": ["spec", "placement"], "from": {"topologies": [{"name": "hz-1"}]}, "to": 7}),
        json!({"path": ["spec", "placement", "topologies"], "from": [{"name": "hz-1"}], "to": [{"name": 7}]}),
        json!({"path": ["spec", "topologyType"], "from": "cluster", "to": {"a": 1}}),
        json!({"path": ["spec", "overrides"], "to": "x"}),
        json!({"path": ["spec", "placementMask"], "to": []}),
        json!({"path": ["status"], "to": 7}),
        json!({"path": ["status"], "to": {"topologies": [7]}}),
    ];
    edits
        .iter()
        .map(|edit| json!({"edits": [edit]}).to_string())
        .chain(["{".to_owned(), r#"{"edits":7}"#.to_owned()])
        .collect()
}

fn forged(residue: &str) -> Value {
    json!({"apiVersion": SOUTH, "kind": "FederatedFoo", "metadata": {"name": "x", "namespace": "d",
            "annotations": {annotations::CONVERSION_RESIDUE: residue, "kept": "yes"}},
        "spec": {"placement": {"clusters": [{"name": "hz-1"}]}}})
}

#[test]
fn a_forged_residue_breaks_no_reader_through_either_door() {
    for residue in hostile_residues() {
        let object = forged(&residue);
        let read = to(&object, NORTH);
        assert!(
            typed::is_typed(&read, Version::Northbound),
            "{residue} gives {read}"
        );
        assert_eq!(read["metadata"]["name"], "x");
        let answer = review(
            &json!({"request": {"uid": "u", "desiredAPIVersion": NORTH, "objects": [object]}}),
        );
        assert_eq!(answer["response"]["convertedObjects"], json!([read]));
    }
}

/// Any JSON, small.
fn anything() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i16>().prop_map(Value::from),
        "[a-z/.]{0,4}".prop_map(Value::from),
        Just(json!(0.5)),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..3)
                .prop_map(|all| all.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
    .boxed()
}

/// Keys that mean something somewhere, and one that never does.
fn key() -> BoxedStrategy<String> {
    prop::sample::select(vec![
        "name",
        "topologies",
        "clusters",
        "topologySelector",
        "clusterSelector",
        "topologyType",
        "topologyName",
        "clusterName",
        "topologyOverrides",
        "clusterOverrides",
        "matchLabels",
        "placement",
        "metadata",
        "annotations",
        "namespace",
        "template",
        "unknown",
    ])
    .prop_map(str::to_owned)
    .boxed()
}

fn name() -> BoxedStrategy<Value> {
    prop_oneof![
        4 => prop::sample::select(vec!["rz00a", "rz00a.ns", "hz-1", "a.b", "/hz-1", "/a.ns", "//x", "", ".ns", "/.ns", "a.", "ns"])
            .prop_map(Value::from),
        1 => anything(),
    ]
    .boxed()
}

/// An object whose fields are each there or not.
fn object(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(key, value)| {
            prop::option::of(value)
                .prop_map(move |value| value.map(|value| (key.to_owned(), value)))
        })
        .collect();
    fields
        .prop_map(|fields| Value::Object(fields.into_iter().flatten().collect()))
        .boxed()
}

fn list(item: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    prop_oneof![4 => prop::collection::vec(item, 0..3).prop_map(Value::from), 1 => anything()]
        .boxed()
}

fn or_anything(value: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    prop_oneof![8 => value, 1 => anything()].boxed()
}

fn selector() -> BoxedStrategy<Value> {
    let required = prop::sample::select(vec![
        json!({}),
        json!({"a": "b"}),
        json!({labels::CELL_NAMESPACE: "ns"}),
        json!({labels::CELL_NAMESPACE: "x", "a": "b"}),
        json!({labels::CELL_NAMESPACE: "ns", "a": "b"}),
        json!({labels::CELL_NAMESPACE: 3}),
    ]);
    or_anything(object(vec![
        ("matchLabels", or_anything(required.boxed())),
        ("matchExpressions", anything()),
    ]))
}

fn placement() -> BoxedStrategy<Value> {
    let names = list(or_anything(object(vec![
        ("name", name()),
        ("unknown", anything()),
    ])));
    or_anything(object(vec![
        ("topologies", names.clone()),
        ("clusters", names),
        ("topologySelector", selector()),
        ("clusterSelector", selector()),
        ("unknown", anything()),
    ]))
}

fn spec() -> BoxedStrategy<Value> {
    let topology = prop_oneof![
        3 => Just(json!("cell")), 2 => Just(json!("cluster")), 1 => Just(json!("star")), 1 => anything(),
    ];
    let item = object(vec![
        ("topologyName", name()),
        ("clusterName", name()),
        ("topologyOverrides", anything()),
        ("clusterOverrides", anything()),
    ]);
    or_anything(object(vec![
        ("topologyType", topology.boxed()),
        ("placement", placement()),
        ("placementMask", placement()),
        ("overrides", list(or_anything(item))),
        ("template", anything()),
        ("unknown", anything()),
    ]))
}

fn metadata() -> BoxedStrategy<Value> {
    let residue = prop_oneof![
        Just(json!("no json")),
        Just(json!(r#"{"edits":[]}"#)),
        Just(json!(r#"{"edits":[{"path":["spec","unknown"],"to":7}]}"#)),
        Just(json!(
            r#"{"edits":[{"path":["spec","topologyType"],"from":"cluster"}]}"#
        )),
        Just(json!(
            r#"{"displaced":{"place":"metadata"},"edits":[{"path":["a"],"to":{}}]}"#
        )),
        anything(),
    ];
    let topology =
        prop_oneof![3 => Just(json!("cell")), 1 => Just(json!("cluster")), 1 => anything()];
    let annotations = object(vec![
        (annotations::TOPOLOGY_TYPE, topology.boxed()),
        (annotations::CONVERSION_RESIDUE, residue.boxed()),
        ("unknown", anything()),
    ]);
    or_anything(object(vec![
        ("name", Just(json!("foo")).boxed()),
        (
            "namespace",
            prop_oneof![6 => Just(json!("ns")), 1 => Just(json!("")), 1 => anything()].boxed(),
        ),
        ("annotations", or_anything(annotations)),
    ]))
}

fn federated() -> BoxedStrategy<Value> {
    let entries = list(object(vec![("name", name()), ("remoteStatus", anything())]));
    let status = object(vec![
        ("topologies", entries.clone()),
        ("clusters", entries),
        ("unknown", anything()),
    ]);
    let whole = object(vec![
        ("metadata", metadata()),
        ("spec", spec()),
        ("status", or_anything(status)),
        ("kind", anything()),
        ("unknown", anything()),
    ]);
    (whole, prop::sample::select(vec![NORTH, SOUTH]))
        .prop_map(|(mut whole, version)| {
            whole["apiVersion"] = json!(version);
            whole
        })
        .boxed()
}

fn other(object: &Value) -> &'static str {
    if object["apiVersion"] == NORTH {
        SOUTH
    } else {
        NORTH
    }
}

/// An object as admission lets it in, in v1.
fn wellformed() -> BoxedStrategy<Value> {
    let names = |max: usize| prop::collection::btree_set("[a-d][0-9]", 0..max);
    (any::<bool>(), names(4), prop::option::of(names(3)), names(3), any::<bool>(), anything())
        .prop_map(|(cells, placed, mask, overridden, typed, template)| {
            let refs = |names: &std::collections::BTreeSet<String>| -> Value {
                names.iter().map(|name| json!({"name": name})).collect()
            };
            let mut object = json!({
                "apiVersion": NORTH, "kind": "FederatedFoo", "metadata": {"name": "foo", "namespace": "ns"},
                "spec": {"template": template, "placement": {"topologies": refs(&placed)}, "overrides": overridden
                    .iter()
                    .map(|name| json!({"topologyName": name, "topologyOverrides": [{"path": "/a", "value": 1}]}))
                    .collect::<Value>()},
            });
            if cells {
                object["spec"]["topologyType"] = json!("cell");
            } else if typed {
                object["spec"]["topologyType"] = json!("cluster");
            }
            if let Some(mask) = &mask {
                object["spec"]["placementMask"] = json!({"topologies": refs(mask)});
            }
            object
        })
        .boxed()
}

/// The bijection, without a look at types: these tests feed it with anything.
fn exactly(object: &Value, api_version: &str) -> Value {
    match Version::of(api_version) {
        Some(target) if object["apiVersion"] != api_version => convert_to(object.clone(), target),
        _ => object.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn there_and_back_is_the_identity(object in federated()) {
        let there = exactly(&object, other(&object));
        prop_assert_eq!(&there["apiVersion"], other(&object));
        let back = exactly(&there, object["apiVersion"].as_str().unwrap());
        prop_assert_eq!(&back, &object, "through {}", there);
        // Also along a longer chain: the third conversion is the first again.
        prop_assert_eq!(exactly(&back, other(&object)), there);
    }

    #[test]
    fn the_template_is_never_touched(object in federated()) {
        let there = exactly(&object, other(&object));
        prop_assert_eq!(there.pointer("/spec/template"), object.pointer("/spec/template"));
    }

    #[test]
    fn converting_to_the_own_version_changes_nothing(object in federated()) {
        prop_assert_eq!(&to(&object, object["apiVersion"].as_str().unwrap()), &object);
    }
}

proptest! {
    #[test]
    fn edits_on_either_side_survive(
        north in wellformed(), placed in prop::collection::vec("[a-f][0-9]", 0..4), template in anything(),
    ) {
        let cells = north["spec"]["topologyType"] == "cell";
        let cluster = |name: &String| if cells { format!("{name}.ns") } else { name.clone() };
        let refs = |names: Vec<String>| -> Value { names.iter().map(|name| json!({"name": name})).collect() };

        // An edit of the v1beta1 form is what v1 shows, and comes back as it was made.
        let mut south = to(&north, SOUTH);
        south["spec"]["placement"]["clusters"] = refs(placed.iter().map(cluster).collect());
        south["spec"]["template"] = template.clone();
        let shown = to(&south, NORTH);
        prop_assert_eq!(&shown["spec"]["placement"]["topologies"], &refs(placed.clone()));
        prop_assert_eq!(&shown["spec"]["template"], &template);
        prop_assert_eq!(&shown["spec"]["overrides"], &north["spec"]["overrides"]);
        prop_assert_eq!(&shown["spec"]["placementMask"], &north["spec"]["placementMask"]);
        prop_assert_eq!(&to(&shown, SOUTH), &south);

        // Types are right on the way, so that the annotation counts on the way back.
        prop_assert!(typed::is_typed(&south, Version::Southbound) && typed::is_typed(&shown, Version::Northbound));

        // An edit of the v1 form is what is stored.
        let mut edited = to(&to(&north, SOUTH), NORTH);
        edited["spec"]["placementMask"] = json!({"topologies": refs(placed.clone())});
        let stored = to(&edited, SOUTH);
        prop_assert_eq!(&stored["spec"]["placementMask"]["clusters"], &refs(placed.iter().map(cluster).collect()));
        prop_assert_eq!(&to(&stored, NORTH), &edited);
    }
}
