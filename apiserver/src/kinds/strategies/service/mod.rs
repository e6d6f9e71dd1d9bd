//! Services. Addresses and node ports are given by admission (`admit::services`), which knows what is taken.

mod change;
mod defaults;
mod validate;

use serde_json::{Value, json};

use super::at::At;
use super::map;
use crate::kinds::{NameRule, Strategy, StrategyContext};
use crate::status::FieldError;

pub(super) use validate::not_special;

pub(super) struct Services;

impl Strategy for Services {
    fn prepare_create(&self, object: &mut Value, _context: &StrategyContext<'_>) {
        defaults::fill(map(object, "spec"));
        object["status"] = json!({"loadBalancer": {}});
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, _context: &StrategyContext<'_>) {
        let spec = map(object, "spec");
        defaults::fill(spec);
        if let Some(old) = old["spec"].as_object() {
            change::drop_unneeded(spec, old);
            change::keep(spec, old);
        }
    }

    fn validate(
        &self,
        object: &Value,
        old: Option<&Value>,
        context: &StrategyContext<'_>,
    ) -> Vec<FieldError> {
        let spec = At::top(object, "spec");
        let mut out = Vec::new();
        if context.subresource == "status" {
            validate::status(&At::top(object, "status"), &spec, &mut out);
        } else {
            if let Some(old) = old {
                change::validate(&spec, &old["spec"], &mut out);
            }
            validate::spec(&spec, &mut out);
        }
        out
    }

    fn name_rule(&self) -> NameRule {
        NameRule::Label1035
    }

    fn tracks_generation(&self) -> bool {
        false
    }

    fn returns_deleted(&self) -> bool {
        true
    }

    fn judges_alone(&self) -> bool {
        true
    }
}
