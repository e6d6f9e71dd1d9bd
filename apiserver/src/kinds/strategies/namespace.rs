//! Namespaces: they live until the namespace controller takes their last finalizer away.

use serde_json::{Value, json};

use super::map;
use crate::kinds::{NameRule, Strategy, StrategyContext};
use crate::object;

const NAME_LABEL: &str = "kubernetes.io/metadata.name";

pub(super) struct Namespaces;

impl Strategy for Namespaces {
    fn prepare_create(&self, object: &mut Value, _context: &StrategyContext<'_>) {
        map(object, "spec").insert("finalizers".to_owned(), json!(["kubernetes"]));
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
