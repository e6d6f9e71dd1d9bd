//! What the parts promise together.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ListType, Schema, builtin_type};
use crate::status::{FieldError, FieldErrorKind};

fn crd(schema: Value) -> Schema {
    Schema::from_crd(&schema).unwrap()
}

fn deployment() -> &'static Schema {
    builtin_type("io.k8s.api.apps.v1.Deployment").unwrap()
}

fn texts(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

fn spec(properties: Value) -> Schema {
    crd(
        json!({"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}),
    )
}

#[test]
fn unknown_fields_are_dropped_and_named() {
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "nmae": "b"},
        "spec": {"replicaz": 1, "template": {"spec": {"containers": [{"name": "c", "imagee": "x"}]}},
            "selector": {"matchLabels": {"any.thing/x": "1"}}},
    });
    let expected = [
        "metadata.nmae",
        "spec.replicaz",
        "spec.template.spec.containers[0].imagee",
    ];
    assert_eq!(deployment().unknown_fields(&object), expected);
    assert_eq!(deployment().prune(&mut object), expected);
    assert!(deployment().prune(&mut object).is_empty());
    assert_eq!(
        object.pointer("/spec/selector/matchLabels/any.thing~1x"),
        Some(&json!("1"))
    );
}

#[test]
fn custom_objects_prune_as_their_schema_says() {
    let schema = spec(json!({
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
            "properties": {"strict": {"type": "object", "properties": {"a": {"type": "string"}}}}},
        "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"a": {"type": "string"}}}},
        "any": {"type": "object", "additionalProperties": true},
        "pod": {"type": "object", "x-kubernetes-embedded-resource": true, "properties": {"spec": {"type": "object"}}},
    }));
    let mut object = json!({"apiVersion": "a/v1", "kind": "A", "metadata": {"name": "x", "bad": 1}, "extra": 1, "spec": {
        "free": {"x": {"y": 1}, "strict": {"a": "1", "b": 2}}, "map": {"k": {"a": "1", "b": 2}},
        "any": {"deep": {"er": 1}}, "pod": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "n", "no": 1}, "spec": {"x": 1}},
    }});
    let dropped = schema.prune(&mut object);
    assert_eq!(
        dropped,
        [
            "extra",
            "metadata.bad",
            "spec.free.strict.b",
            "spec.map.k.b",
            "spec.pod.metadata.no",
            "spec.pod.spec.x"
        ]
    );
    assert_eq!(object["spec"]["free"]["x"], json!({"y": 1}));
    assert_eq!(object["spec"]["any"], json!({"deep": {"er": 1}}));
}

/// `PruneNonNullableNullsWithoutDefaults`: such a null is an absent field, which may be a required one.
#[test]
fn a_null_that_the_schema_does_not_allow_is_an_absent_field() {
    let schema = |required: Value| {
        crd(
            json!({"type": "object", "required": required, "properties": {"spec": {"type": "object"}}}),
        )
    };
    for (required, wrong) in [
        (json!(["spec"]), vec!["spec: Required value".to_owned()]),
        (json!([]), vec![]),
    ] {
        let schema = schema(required);
        let mut object = json!({"spec": null});
        schema.default_fields(&mut object);
        assert_eq!(object, json!({}));
        assert_eq!(texts(&schema.validate(&object, None)), wrong);
    }
}

#[test]
fn defaults_fill_absent_fields_and_forbidden_nulls() {
    let schema = spec(json!({
        "size": {"type": "integer", "default": 3},
        "maybe": {"type": "string", "nullable": true, "default": "x"},
        "plain": {"type": "string"},
        "nested": {"type": "object", "default": {}, "properties": {"mode": {"type": "string", "default": "fast"}}},
        "list": {"type": "array", "items": {"type": "object", "properties": {"p": {"type": "string", "default": "TCP"}}}},
        "map": {"type": "object", "additionalProperties": {"type": "integer", "default": 7}},
    }));
    let mut object = json!({"spec": {"size": null, "maybe": null, "plain": null, "list": [{}, {"p": null}], "map": {"a": null}}});
    schema.default_fields(&mut object);
    assert_eq!(
        object,
        json!({"spec": {"size": 3, "maybe": null, "nested": {"mode": "fast"}, "list": [{"p": "TCP"}, {"p": "TCP"}], "map": {"a": 7}}})
    );
}

#[test]
fn builtin_objects_default_as_go_decodes() {
    let pod = builtin_type("io.k8s.api.core.v1.Pod").unwrap();
    let mut object = json!({"metadata": {"creationTimestamp": null, "labels": {"a": null}}, "spec": {"nodeName": null,
        "containers": [{"name": "c", "ports": [{"containerPort": 80}], "resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}]}});
    pod.default_fields(&mut object);
    assert_eq!(
        object,
        json!({"metadata": {"labels": {"a": ""}}, "spec": {"containers": [{"name": "c",
            "ports": [{"containerPort": 80, "protocol": "TCP"}], "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}]}})
    );
}

#[test]
fn misspelt_keywords_are_found_wherever_a_definition_nests_schemas() {
    let name = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";
    let schema = builtin_type(name).unwrap();
    let value = json!({"properties": {"a": {"items": {"type": "string", "tpye": 1}}, "b": {"additionalProperties": true},
        "c": {"additionalProperties": {"nulable": true}}, "d": {"default": {"any": {"thing": 1}}, "enum": [{"x": 1}]}}});
    assert_eq!(
        schema.unknown_fields(&value),
        [
            "properties.a.items.tpye",
            "properties.c.additionalProperties.nulable"
        ]
    );
    assert!(schema.validate(&value, None).is_empty());
    assert_eq!(schema.decode_error(&value), None);
}

#[test]
fn findings_read_like_upstream() {
    let schema = spec(json!({
        "n": {"type": "integer", "minimum": 1, "maximum": 5}, "s": {"type": "string", "pattern": "^a", "maxLength": 3, "minLength": 2},
        "e": {"type": "string", "enum": ["x", "y"]}, "t": {"type": "string", "format": "date-time"},
        "l": {"type": "array", "maxItems": 1, "items": {"type": "string"}}, "ios": {"x-kubernetes-int-or-string": true},
        "one": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        "m": {"type": "number", "multipleOf": 0.5},
    }));
    let object = json!({"spec": {"n": 9, "s": "bcde", "e": "z", "t": "soon", "l": ["1", 2], "ios": true, "one": {}, "m": 0.7}});
    let mut found = texts(&schema.validate(&object, None));
    found.sort();
    assert_eq!(
        found,
        [
            r#"<nil>: Invalid value: "": "spec.one" must validate one and only one schema (oneOf). Found none valid"#,
            r#"spec.e: Unsupported value: "z": supported values: "x", "y""#,
            r#"spec.ios: Invalid value: "boolean": spec.ios in body must be of type integer,string: "boolean""#,
            "spec.l: Too many: 2: must have at most 1 items",
            r#"spec.l[1]: Invalid value: "integer": spec.l[1] in body must be of type string: "integer""#,
            "spec.m: Invalid value: 0.7: spec.m in body should be a multiple of 0.5",
            "spec.n: Invalid value: 9: spec.n in body should be less than or equal to 5",
            "spec.one.a: Required value",
            "spec.s: Too long: may not be more than 3 bytes",
            r#"spec.t: Invalid value: "soon": spec.t in body must be of type date-time: "soon""#,
        ]
    );
    let null = texts(&schema.validate(&json!({"spec": {"n": null}}), None));
    assert_eq!(
        null,
        [r#"spec.n: Invalid value: "null": spec.n in body must be of type integer: "null""#]
    );
}

#[test]
fn unchanged_invalid_parts_are_tolerated_on_update() {
    let schema = spec(json!({
        "a": {"type": "string", "maxLength": 2},
        "byName": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "properties": {"name": {"type": "string"}, "v": {"type": "string", "maxLength": 2}}}},
        "atomic": {"type": "array", "items": {"type": "string", "maxLength": 2}},
    }));
    let old =
        json!({"spec": {"a": "long", "byName": [{"name": "x", "v": "long"}], "atomic": ["long"]}});
    assert_eq!(schema.validate(&old, None).len(), 3);
    assert!(schema.validate(&old, Some(&old)).is_empty());
    let new = json!({"spec": {"a": "long", "byName": [{"name": "w", "v": "ok"}, {"name": "x", "v": "long"}], "atomic": ["long", "ok"]}});
    let paths: Vec<_> = schema
        .validate(&new, Some(&old))
        .into_iter()
        .map(|e| e.path)
        .collect();
    assert_eq!(paths, ["spec.atomic[0]"]);
}

#[test]
fn sets_and_maps_hold_nothing_twice() {
    let schema = spec(json!({
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "map": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
            "items": {"type": "object", "properties": {"k": {"type": "string"}}}},
    }));
    let object = json!({"spec": {"set": ["a", "b", "a"], "map": [{"k": "1"}, {"k": "1"}]}});
    let found = texts(&schema.validate(&object, None));
    assert_eq!(
        found,
        [
            r#"spec.map[1]: Duplicate value: {"k":"1"}"#,
            r#"spec.set[2]: Duplicate value: "a""#
        ]
    );
    assert!(schema.validate(&object, Some(&object)).is_empty());
    let set = schema
        .property("spec")
        .and_then(|s| s.property("set"))
        .unwrap();
    assert_eq!(set.list_type(), ListType::Set);
}

#[test]
fn builtin_objects_need_what_upstream_needs() {
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
        "spec": {"replicas": "2", "template": {"spec": {"containers": [{"image": "x"}]}}}, "status": {"conditions": [{"type": "A"}]}});
    let errors = deployment().validate(&object, None);
    let mut found = texts(&errors);
    found.sort();
    assert_eq!(
        found,
        [
            r#"spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string""#,
            "spec.selector: Required value",
            "spec.template.spec.containers[0].name: Required value",
        ]
    );
    assert!(errors.iter().any(|e| e.kind == FieldErrorKind::TypeInvalid));
    let quantity =
        json!({"spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "1 kg"}}}]}});
    let pod = builtin_type("io.k8s.api.core.v1.Pod").unwrap();
    assert_eq!(pod.validate(&quantity, None).len(), 1);
}

#[test]
fn openapi_gives_back_what_the_crd_said() {
    let schema = json!({"type": "object", "description": "d", "properties": {
        "spec": {"type": "object", "required": ["a"], "properties": {
            "a": {"type": "string", "default": "x", "description": "the a", "minLength": 1, "enum": ["x", "y"]},
            "b": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]},
            "c": {"type": "array", "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}, "x-kubernetes-list-type": "atomic"},
            "d": {"type": "object", "additionalProperties": {"type": "integer", "format": "int32", "nullable": true}},
        }, "x-kubernetes-validations": [{"rule": "self.a != ''"}]},
    }});
    let parsed = crd(schema.clone());
    assert!(parsed.has_cel_rules());
    let mut shown = parsed.to_openapi();
    let properties = shown["properties"].as_object_mut().unwrap();
    assert!(
        properties.remove("metadata").unwrap()["$ref"]
            .as_str()
            .unwrap()
            .ends_with("ObjectMeta")
    );
    assert!(properties.remove("kind").is_some() && properties.remove("apiVersion").is_some());
    assert_eq!(shown, schema);
}

/// A small random structural schema.
fn schemas() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "string"})),
        Just(json!({"type": "string", "default": "d"})),
        Just(json!({"type": "integer", "default": 4, "nullable": true})),
        Just(json!({"type": "boolean"})),
        Just(json!({"x-kubernetes-preserve-unknown-fields": true})),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::btree_map("[a-d]", inner.clone(), 0..4)
                .prop_map(|p| json!({"type": "object", "properties": p, "default": {}})),
            inner
                .clone()
                .prop_map(|i| json!({"type": "array", "items": i})),
            inner.prop_map(|i| json!({"type": "object", "additionalProperties": i})),
        ]
    })
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z]{0,2}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-e]", inner, 0..4).prop_map(|m| json!(m)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn pruning_and_defaulting_settle(node in schemas(), value in values()) {
        let schema = spec(json!({"x": node}));
        let mut object = json!({"spec": {"x": value}});
        let unknown = schema.unknown_fields(&object);
        prop_assert_eq!(schema.prune(&mut object), unknown);
        prop_assert!(schema.prune(&mut object.clone()).is_empty());
        schema.default_fields(&mut object);
        let once = object.clone();
        schema.default_fields(&mut object);
        prop_assert_eq!(&object, &once);
        prop_assert!(schema.unknown_fields(&object).is_empty());
    }

    #[test]
    fn what_is_valid_stays_valid_when_defaulted(node in schemas(), value in values()) {
        let schema = spec(json!({"x": node}));
        let mut object = json!({"spec": {"x": value}});
        schema.prune(&mut object);
        if schema.validate(&object, None).is_empty() {
            schema.default_fields(&mut object);
            prop_assert_eq!(texts(&schema.validate(&object, None)), Vec::<String>::new());
        }
    }

    #[test]
    fn anything_is_judged_without_panic(value in values()) {
        for name in ["io.k8s.api.core.v1.Pod", "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition"] {
            let schema = builtin_type(name).unwrap();
            let mut object = json!({"spec": value, "metadata": value});
            schema.prune(&mut object);
            schema.default_fields(&mut object);
            let once = object.clone();
            schema.default_fields(&mut object);
            prop_assert_eq!(&object, &once);
            schema.validate(&object, Some(&once));
        }
    }
}
