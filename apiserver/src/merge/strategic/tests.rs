//! The directives, one case each, on a Deployment's and a Service's schema.

use serde_json::{Value, json};

use super::{StrategicError, apply_strategic_merge_patch};
use crate::schema::builtin_type;

fn patched(kind: &str, mut target: Value, patch: &Value) -> Result<Value, StrategicError> {
    let schema = builtin_type(kind).expect("a built-in type");
    apply_strategic_merge_patch(&mut target, patch, Some(schema))?;
    Ok(target)
}

fn pod(target: Value, patch: Value) -> Value {
    patched("io.k8s.api.core.v1.PodSpec", target, &patch).expect("applies")
}

#[test]
fn lists_of_maps_merge_by_their_key() {
    let target = json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]});
    let patch = json!({"containers": [{"name": "b", "image": "2"}, {"name": "c", "image": "3"}]});
    let result = pod(target, patch);
    let mut names: Vec<(&str, &str)> = result["containers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["name"].as_str().unwrap(), c["image"].as_str().unwrap()))
        .collect();
    names.sort_unstable();
    assert_eq!(names, [("a", "1"), ("b", "2"), ("c", "3")]);
}

#[test]
fn an_element_is_deleted_by_directive() {
    let target = json!({"containers": [{"name": "a"}, {"name": "b"}]});
    let patch = json!({"containers": [{"name": "a", "$patch": "delete"}]});
    assert_eq!(pod(target, patch), json!({"containers": [{"name": "b"}]}));
}

#[test]
fn a_list_or_map_is_replaced_by_directive() {
    let target =
        json!({"containers": [{"name": "a"}, {"name": "b"}], "nodeSelector": {"x": "1", "y": "2"}});
    let patch = json!({
        "containers": [{"$patch": "replace"}, {"name": "c"}],
        "nodeSelector": {"$patch": "replace", "z": "3"},
    });
    assert_eq!(
        pod(target, patch),
        json!({"containers": [{"name": "c"}], "nodeSelector": {"z": "3"}})
    );
}

#[test]
fn null_deletes_and_scalars_replace() {
    let target = json!({"hostname": "h", "subdomain": "s"});
    let patch = json!({"hostname": null, "subdomain": "t"});
    assert_eq!(pod(target, patch), json!({"subdomain": "t"}));
}

#[test]
fn lists_without_a_strategy_are_replaced() {
    let target = json!({"containers": [{"name": "a", "command": ["x", "y"]}]});
    let patch = json!({"containers": [{"name": "a", "command": ["z"]}]});
    assert_eq!(
        pod(target, patch),
        json!({"containers": [{"name": "a", "command": ["z"]}]})
    );
}

#[test]
fn primitive_lists_merge_and_lose_elements_by_directive() {
    let merge = |patch: Value| {
        patched(
            "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
            json!({"finalizers": ["a/a", "b/b"]}),
            &patch,
        )
        .expect("applies")
    };
    assert_eq!(
        merge(json!({"finalizers": ["c/c"]})),
        json!({"finalizers": ["c/c", "a/a", "b/b"]})
    );
    assert_eq!(
        merge(json!({"$deleteFromPrimitiveList/finalizers": ["a/a"]})),
        json!({"finalizers": ["b/b"]})
    );
}

#[test]
fn the_order_of_elements_can_be_set() {
    let target = json!({"containers": [{"name": "a"}, {"name": "b"}]});
    let patch = json!({
        "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}],
        "containers": [{"name": "c"}],
    });
    assert_eq!(
        pod(target, patch),
        json!({"containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}]})
    );
}

#[test]
fn retained_keys_drop_the_others() {
    let result = patched(
        "io.k8s.api.apps.v1.DeploymentSpec",
        json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}),
        &json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}),
    )
    .expect("applies");
    assert_eq!(result, json!({"strategy": {"type": "Recreate"}}));
}

#[test]
fn what_cannot_be_is_refused() {
    let target = json!({"containers": [{"name": "a"}], "nodeSelector": {"x": "1"}});
    for (patch, malformed) in [
        (json!({"containers": [{"image": "x"}]}), false),
        (json!({"nodeSelector": {"$patch": "explode"}}), false),
        (json!([]), false),
    ] {
        let error = patched("io.k8s.api.core.v1.PodSpec", target.clone(), &patch).unwrap_err();
        assert_eq!(error.is_malformed(), malformed, "{error}");
    }
}
