//! Definitions that pass and definitions that do not.

use serde_json::{Value, json};

use super::validate;
use crate::kinds::custom::tests::crd;

fn valid() -> Value {
    let mut crd = crd();
    crd["status"] =
        json!({"storedVersions": ["v1beta1"], "acceptedNames": {"plural": "", "kind": ""}});
    crd["spec"]["versions"][1]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["color"] =
        json!({"type": "string"});
    crd["spec"]["conversion"] = json!({"strategy": "None"});
    crd
}

fn findings(crd: &Value) -> Vec<String> {
    validate(crd, None)
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn with_spec_schema(schema: Value) -> Vec<String> {
    let mut crd = valid();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = schema;
    let prefix = "spec.versions[0].schema.openAPIV3Schema.properties[spec]";
    findings(&crd)
        .iter()
        .map(|text| text.replace(prefix, "~"))
        .collect()
}

#[test]
fn a_good_definition_passes() {
    assert_eq!(findings(&valid()), Vec::<String>::new());
}

#[test]
fn what_surrounds_the_schemas_is_judged() {
    for (pointer, value, expected) in [
        (
            "/metadata/name",
            json!("x"),
            r#"metadata.name: Invalid value: "x": must be spec.names.plural+"."+spec.group"#,
        ),
        (
            "/spec/scope",
            json!("Galaxy"),
            r#"spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced""#,
        ),
        (
            "/spec/names/listKind",
            json!("Foo"),
            r#"spec.names.listKind: Invalid value: "Foo": kind and listKind may not be the same"#,
        ),
        (
            "/spec/preserveUnknownFields",
            json!(true),
            "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
        ),
        (
            "/spec/versions/0/schema",
            json!({}),
            "spec.versions[0].schema.openAPIV3Schema: Required value",
        ),
        (
            "/spec/conversion",
            json!({"strategy": "Webhook"}),
            "spec.conversion.webhook: Required value: required when strategy is set to Webhook",
        ),
        (
            "/status/storedVersions",
            json!(["v1beta1", "v0"]),
            "status.storedVersions[1]: Invalid value: \"v0\": missing from spec.versions; v0 was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v0 and removes v0 from status.storedVersions",
        ),
        (
            "/spec/versions/1/subresources/scale/specReplicasPath",
            json!(".n"),
            "spec.versions[1].subresources.scale.specReplicasPath: Invalid value: \".n\": should be a json path under .spec",
        ),
        (
            "/spec/versions/1/additionalPrinterColumns/0/type",
            json!("blob"),
            "spec.versions[1].additionalPrinterColumns[0].type: Invalid value: \"blob\": must be one of boolean,date,integer,number,string",
        ),
        (
            "/spec/versions/1/selectableFields/0/jsonPath",
            json!(".spec.nope"),
            "spec.versions[1].selectableFields[0].jsonPath: Invalid value: \".spec.nope\": is an invalid path: does not refer to a valid field",
        ),
    ] {
        let mut crd = valid();
        match crd.pointer_mut(pointer) {
            Some(slot) => *slot = value,
            None => crd["spec"][pointer.rsplit('/').next().unwrap()] = value,
        }
        let found = findings(&crd);
        assert!(
            found.contains(&expected.to_owned()),
            "{pointer}: {found:#?}"
        );
    }
}

#[test]
fn exactly_one_version_is_stored() {
    let mut crd = valid();
    crd["spec"]["versions"][1]["storage"] = json!(true);
    assert!(
        findings(&crd)
            .iter()
            .any(|text| text.ends_with("must have exactly one version marked as storage version"))
    );
    crd["spec"]["versions"][1]["name"] = json!("v1beta1");
    assert!(
        findings(&crd)
            .iter()
            .any(|text| text.ends_with("must contain unique version names"))
    );
}

#[test]
fn schemas_must_be_structural() {
    for (schema, expected) in [
        (
            json!({"properties": {"a": {"type": "string"}}}),
            "~.type: Required value: must not be empty for specified object fields",
        ),
        (
            json!({"type": "array"}),
            "~.items: Required value: must be specified",
        ),
        (
            json!({"type": "string", "pattern": "("}),
            "~.pattern: Invalid value: \"(\": must be a valid regular expression",
        ),
        (
            json!({"type": "object", "anyOf": [{"type": "object"}]}),
            "~.anyOf[0].type: Forbidden: must be empty to be structural",
        ),
        (
            json!({"type": "object", "allOf": [{"properties": {"b": {"minLength": 1}}}]}),
            "~.properties[b]: Required value: because it is defined in ~.allOf[0].properties[b]",
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}}),
            "~.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
        ),
        (
            json!({"type": "object", "$ref": "#/x"}),
            "~.$ref: Forbidden: $ref is not supported",
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true}),
            "~.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        ),
        (
            json!({"type": "array", "items": {"type": "object", "properties": {"k": {"type": "string"}}}, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}),
            "~.items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
        ),
        (
            json!({"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "set"}),
            "~.items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set",
        ),
        (
            json!({"type": "string", "default": 3}),
            "~.default: Invalid value: \"integer\": ",
        ),
        (
            json!({"type": "object", "default": {"x": 1}, "properties": {"a": {"type": "string"}}}),
            "~.default: Invalid value: {\"x\":1}: must not have unknown fields",
        ),
        (
            json!({"type": "whatever"}),
            "~.type: Unsupported value: \"whatever\": supported values: \"array\"",
        ),
        (
            json!({"type": "object", "x-kubernetes-validations": [{"rule": " "}]}),
            "~.x-kubernetes-validations[0].rule: Required value: rule is not specified",
        ),
    ] {
        let found = with_spec_schema(schema);
        assert!(
            found.iter().any(|text| text.starts_with(expected)),
            "{expected}: {found:#?}"
        );
    }
}

#[test]
fn good_schemas_pass() {
    for schema in [
        json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
        json!({"x-kubernetes-int-or-string": true, "allOf": [{"anyOf": [{"type": "integer"}, {"type": "string"}]}, {"minimum": 1}]}),
        json!({"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true}),
        json!({"type": "object", "properties": {"a": {"type": "string", "default": "x"}}, "oneOf": [{"required": ["a"]}, {"properties": {"a": {"maxLength": 1}}}]}),
        json!({"type": "object", "default": {}, "properties": {"a": {"type": "integer", "default": 3}}}),
    ] {
        assert_eq!(
            with_spec_schema(schema.clone()),
            Vec::<String>::new(),
            "{schema}"
        );
    }
}

#[test]
fn metadata_is_described_implicitly() {
    let mut crd = valid();
    let properties = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    properties["metadata"] =
        json!({"type": "object", "properties": {"name": {"type": "string", "maxLength": 10}}});
    assert_eq!(findings(&crd), Vec::<String>::new());
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["metadata"]["properties"]
        ["labels"] = json!({"type": "object"});
    assert_eq!(findings(&crd).len(), 1);
}

#[test]
fn updates_keep_what_is_fixed_and_tolerate_what_was_there() {
    let mut old = valid();
    old["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] =
        json!({"type": "array"});
    let mut new = old.clone();
    new["spec"]["names"]["shortNames"] = json!(["ff"]);
    assert!(!findings(&new).is_empty());
    assert!(validate(&new, Some(&old)).is_empty());
    old["status"]["conditions"] = json!([{"type": "Established", "status": "True"}]);
    new["spec"]["scope"] = json!("Cluster");
    let found: Vec<String> = validate(&new, Some(&old))
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        found,
        [r#"spec.scope: Invalid value: "Cluster": field is immutable"#]
    );
}
