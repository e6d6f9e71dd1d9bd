//! Pods, and the Pod templates of workloads.

mod change;
mod container;
mod defaults;
mod handler;
mod resources;
mod scheduling;
mod security;
mod spec;
mod volume;

use serde_json::Value;

use super::at::At;
use super::map;
use crate::kinds::{Strategy, StrategyContext};
use crate::status::FieldError;

pub(super) use defaults::{members, object, template as fill};
pub(super) use resources::quantity_of;
pub(super) use spec::{template, validate};

pub(super) struct Pods;

impl Strategy for Pods {
    fn prepare_create(&self, object: &mut Value, _context: &StrategyContext<'_>) {
        defaults::pod(map(object, "spec"));
        let class = resources::class(&object["spec"]);
        let status = map(object, "status");
        status.clear();
        status.insert("phase".to_owned(), "Pending".into());
        status.insert("qosClass".to_owned(), class.into());
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, _context: &StrategyContext<'_>) {
        defaults::pod(map(object, "spec"));
        let class = &old["status"]["qosClass"];
        if !class.is_null() {
            map(object, "status").insert("qosClass".to_owned(), class.clone());
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
        match old {
            Some(_) if context.subresource == "status" => {}
            Some(old) => change::validate(&spec, &old["spec"], &mut out),
            None => validate(&spec, &mut out),
        }
        out
    }

    fn returns_deleted(&self) -> bool {
        true
    }

    fn judges_alone(&self) -> bool {
        true
    }
}
