//! Namespaces: they live until the namespace controller takes their last finalizer away.

use serde_json::{Value, json};

use super::at::At;
use super::map;
use crate::kinds::{NameRule, Strategy, StrategyContext};
use crate::object;
use crate::status::FieldError;

const NAME_LABEL: &str = "kubernetes.io/metadata.name";

pub(super) struct Namespaces;

impl Strategy for Namespaces {
    fn prepare_create(&self, object: &mut Value, _context: &StrategyContext<'_>) {
        let spec = map(object, "spec");
        let finalizers = spec.entry("finalizers").or_insert_with(|| json!([]));
        if let Some(list) = finalizers.as_array_mut()
            && !list.iter().any(|name| name == "kubernetes")
        {
            list.push("kubernetes".into());
        }
        map(object, "status").insert("phase".to_owned(), "Active".into());
        label(object);
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, context: &StrategyContext<'_>) {
        if context.subresource != "finalize" {
            let kept = old.pointer("/spec/finalizers").cloned();
            let spec = map(object, "spec");
            match kept {
                Some(finalizers) => spec.insert("finalizers".to_owned(), finalizers),
                None => spec.remove("finalizers"),
            };
        }
        label(object);
    }

    fn validate(
        &self,
        object: &Value,
        _old: Option<&Value>,
        _context: &StrategyContext<'_>,
    ) -> Vec<FieldError> {
        let finalizers = At::top(object, "spec").field("finalizers");
        let unknown = finalizers.items().find(|name| {
            let text = name.text();
            !text.contains('/') && !matches!(text, "kubernetes" | "orphan" | "foregroundDeletion")
        });
        let detail = "name is neither a standard finalizer name nor is it fully qualified";
        let finding = unknown.map(|name| finalizers.invalid_value(name.value, detail));
        finding.into_iter().collect()
    }

    fn name_rule(&self) -> NameRule {
        NameRule::Label
    }

    fn tracks_generation(&self) -> bool {
        false
    }

    fn returns_deleted(&self) -> bool {
        true
    }

    fn holds_deletion(&self, object: &Value) -> bool {
        object
            .pointer("/spec/finalizers")
            .and_then(Value::as_array)
            .is_some_and(|finalizers| !finalizers.is_empty())
    }

    fn prepare_delete(&self, object: &mut Value) {
        map(object, "status").insert("phase".to_owned(), "Terminating".into());
    }
}

fn label(object: &mut Value) {
    let name = object::name(object).to_owned();
    let metadata = &mut object["metadata"];
    map(metadata, "labels").insert(NAME_LABEL.to_owned(), name.into());
}
