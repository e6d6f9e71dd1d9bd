//! Versions: what a template, its overrides and a member object are at.
//!
//! Template and override hashes, and member versions, are KubeFed's to the byte, so that a takeover finds its
//! records valid and rewrites nothing.

use federation_api::federated::OverrideOperation;
use federation_api::federated::southbound::{ClusterOverride, Spec};
use serde_json::Value;

use crate::go_json::{self, Numbers};
use crate::overrides;

/// Versions of one federated object's specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecVersion {
    /// Hash of the template; empty without one.
    pub template: String,
    /// Hash of all overrides.
    pub overrides: String,
}

impl SpecVersion {
    /// The versions of `spec`.
    #[must_use]
    pub fn of(spec: &Spec) -> Self {
        Self {
            template: template_version(spec.template.as_ref()),
            overrides: overrides_version(spec.overrides.as_deref()),
        }
    }

    /// What `member` is to run: the template's hash, and if it has overrides `-` and their hash.
    #[must_use]
    pub fn applied(&self, spec: &Spec, member: &str) -> String {
        let own = overrides::of_member(spec.overrides.as_deref().unwrap_or_default(), member);
        if own.is_empty() {
            return self.template.clone();
        }
        let mut json = String::new();
        write_steps(&mut json, own);
        format!("{}-{}", self.template, go_json::hash_line(json))
    }
}

/// Hash of a template: md5 of its JSON as KubeFed encodes it; empty without a template.
#[must_use]
pub fn template_version(template: Option<&Value>) -> String {
    let Some(template) = template else {
        return String::new();
    };
    let mut json = String::new();
    go_json::write(&mut json, template, Numbers::Integers);
    go_json::hash_line(json)
}

/// Hash of the overrides of all members as KubeFed encodes them.
#[must_use]
pub fn overrides_version(overrides: Option<&[ClusterOverride]>) -> String {
    let mut json = String::from("{\"overrides\":");
    match overrides {
        None => json.push_str("null"),
        Some(items) => {
            json.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                json.push_str("{\"clusterName\":");
                go_json::write_string(&mut json, &item.cluster_name);
                if let Some(steps) = item
                    .cluster_overrides
                    .as_deref()
                    .filter(|steps| !steps.is_empty())
                {
                    json.push_str(",\"clusterOverrides\":");
                    write_steps(&mut json, steps);
                }
                json.push('}');
            }
            json.push(']');
        }
    }
    json.push('}');
    go_json::hash_line(json)
}

fn write_steps(json: &mut String, steps: &[OverrideOperation]) {
    json.push('[');
    for (index, step) in steps.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push('{');
        if let Some(op) = step.op.as_deref().filter(|op| !op.is_empty()) {
            json.push_str("\"op\":");
            go_json::write_string(json, op);
            json.push(',');
        }
        json.push_str("\"path\":");
        go_json::write_string(json, &step.path);
        if let Some(value) = step.value.as_ref().filter(|value| !value.is_null()) {
            json.push_str(",\"value\":");
            go_json::write(json, value, Numbers::Floats);
        }
        json.push('}');
    }
    json.push(']');
}

/// Version of a member object: `gen:<generation>`, or `rv:<resourceVersion>` for kinds without generations.
#[must_use]
pub fn object_version(object: &Value) -> String {
    match generation(object) {
        Some(generation) => format!("gen:{generation}"),
        None => {
            let version = object
                .pointer("/metadata/resourceVersion")
                .and_then(Value::as_str);
            format!("rv:{}", version.unwrap_or_default())
        }
    }
}

/// `metadata.generation` of an object, `None` if its kind has none (absent or 0).
#[must_use]
pub fn generation(object: &Value) -> Option<i64> {
    object
        .pointer("/metadata/generation")
        .and_then(Value::as_i64)
        .filter(|&generation| generation != 0)
}

/// Digits of each hash that people see.
const SHORT: usize = 8;

/// The short form for status of what a member runs: the first eight digits of the hash of the template, and of that of
/// its overrides. Circumstances (after `+`) are left out, so that members with the same text run the same.
#[must_use]
pub fn short(applied: &str) -> String {
    applied
        .split_once('+')
        .map_or(applied, |(text, _)| text)
        .split('-')
        .map(|hash| hash.get(..SHORT).unwrap_or(hash))
        .collect::<Vec<_>>()
        .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hashes_are_kubefeds() {
        assert_eq!(
            template_version(Some(&json!({"data": {"foo": "bar"}}))),
            "4682012eb72f035cfe2b227efe7ca8c8"
        );
        assert_eq!(overrides_version(None), "2979b7538b527abe06492021841caf47");
        assert_eq!(template_version(None), "");
    }

    #[test]
    fn overrides_hash_what_kubefed_encodes() {
        let hash = |value: Value| {
            overrides_version(
                serde_json::from_value::<Option<Vec<ClusterOverride>>>(value)
                    .unwrap()
                    .as_deref(),
            )
        };
        let plain =
            hash(json!([{"clusterName": "a", "clusterOverrides": [{"path": "/x", "value": 5}]}]));
        let line = "{\"overrides\":[{\"clusterName\":\"a\",\"clusterOverrides\":[{\"path\":\"/x\",\"value\":5}]}]}";
        assert_eq!(plain, go_json::hash_line(line.into()));
        assert_eq!(
            hash(
                json!([{"clusterName": "a", "clusterOverrides": [{"op": "", "path": "/x", "value": 5.0}]}])
            ),
            plain
        );
        assert_eq!(
            hash(json!([{"clusterName": "a"}])),
            hash(json!([{"clusterName": "a", "clusterOverrides": []}]))
        );
        assert_ne!(hash(json!([])), hash(json!(null)));
    }

    #[test]
    fn members_run_the_template_and_their_own_overrides() {
        let spec: Spec = serde_json::from_value(json!({
            "template": {"data": {"foo": "bar"}},
            "overrides": [{"clusterName": "a", "clusterOverrides": [{"path": "/x", "value": 5}]}, {"clusterName": "c"}],
        }))
        .unwrap();
        let version = SpecVersion::of(&spec);
        assert_eq!(version.applied(&spec, "b"), version.template);
        assert_eq!(version.applied(&spec, "c"), version.template);
        let own = version.applied(&spec, "a");
        assert!(own.starts_with("4682012eb72f035cfe2b227efe7ca8c8-"));
        assert_eq!(short(&own).len(), 17);
        assert_eq!(short(&version.template), "4682012e");
    }

    #[test]
    fn kinds_without_generations_go_by_resource_version() {
        assert_eq!(
            object_version(&json!({"metadata": {"generation": 3, "resourceVersion": "9"}})),
            "gen:3"
        );
        assert_eq!(
            object_version(&json!({"metadata": {"generation": 0, "resourceVersion": "9"}})),
            "rv:9"
        );
        assert_eq!(object_version(&json!({})), "rv:");
    }
}
