//! Classes of priority, storage and Ingress, and claims of storage.

use serde_json::Value;

use super::at::{At, Findings};
use super::pod::quantity_of;
use super::quantity;
use super::{default, map};
use crate::kinds::{Strategy, StrategyContext};
use crate::status::FieldError;
use crate::verbs::label_problems;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Priority,
    Storage,
    Ingress,
    /// A PersistentVolumeClaim.
    Claim,
    Quota,
    Runtime,
}

/// Higher priorities are the system's.
const HIGHEST: i64 = 1_000_000_000;

impl Strategy for Class {
    fn prepare_create(&self, object: &mut Value, _context: &StrategyContext<'_>) {
        self.fill(object);
        if *self == Self::Claim {
            object["status"] = serde_json::json!({"phase": "Pending"});
        }
    }

    fn prepare_update(&self, object: &mut Value, _old: &Value, _context: &StrategyContext<'_>) {
        self.fill(object);
    }

    fn validate(
        &self,
        object: &Value,
        old: Option<&Value>,
        context: &StrategyContext<'_>,
    ) -> Vec<FieldError> {
        let mut out = Vec::new();
        if context.subresource == "status" {
            return out;
        }
        match self {
            Self::Priority => priority(object, &mut out),
            Self::Storage => {
                At::top(object, "reclaimPolicy").one_of(&["Delete", "Retain"], &mut out);
                At::top(object, "volumeBindingMode")
                    .one_of(&["Immediate", "WaitForFirstConsumer"], &mut out);
            }
            Self::Ingress => {
                let controller = At::top(object, "spec").field("controller");
                if controller
                    .text()
                    .split_once('/')
                    .is_none_or(|(domain, path)| domain.is_empty() || path.is_empty())
                {
                    out.push(controller.invalid_value(
                        &controller.text().into(),
                        "must be a domain-prefixed path (such as \"acme.io/foo\")",
                    ));
                }
            }
            Self::Runtime => {
                let handler = At::top(object, "handler");
                let problems = label_problems(handler.text()).into_iter();
                let value = Value::from(handler.text());
                out.extend(problems.map(|problem| handler.invalid_value(&value, problem)));
            }
            Self::Claim => claim(&At::top(object, "spec"), old, &mut out),
            Self::Quota => {
                for (name, at) in At::top(object, "spec").field("hard").entries() {
                    quantity_of(&at, &mut out);
                    let whole = quantity::parse(at.text()).is_none_or(|n| n % 1_000_000_000 == 0);
                    if is_counted(name) && !whole {
                        out.push(at.invalid("must be an integer"));
                    }
                }
            }
        }
        out
    }

    fn tracks_generation(&self) -> bool {
        *self == Self::Ingress || *self == Self::Priority
    }

    fn judges_alone(&self) -> bool {
        *self == Self::Runtime
    }

    fn returns_deleted(&self) -> bool {
        matches!(self, Self::Claim | Self::Quota | Self::Storage)
    }
}

impl Class {
    fn fill(self, object: &mut Value) {
        match self {
            Self::Claim => default(map(object, "spec"), "volumeMode", "Filesystem"),
            Self::Ingress | Self::Quota | Self::Runtime => {}
            Self::Priority | Self::Storage => {
                let Some(fields) = object.as_object_mut() else {
                    return;
                };
                if self == Self::Priority {
                    default(fields, "preemptionPolicy", "PreemptLowerPriority");
                } else {
                    default(fields, "reclaimPolicy", "Delete");
                    default(fields, "volumeBindingMode", "Immediate");
                }
            }
        }
    }
}

fn priority(object: &Value, out: &mut Findings) {
    let name = At::top(object, "metadata").field("name");
    let value = At::top(object, "value");
    let known = ["system-node-critical", "system-cluster-critical"];
    if name.text().starts_with("system-") {
        if !known.contains(&name.text()) {
            let detail = format!(
                "priority class names with 'system-' prefix are reserved for system use only. error: {} is not a known system priority class",
                name.text()
            );
            out.push(name.forbidden(detail));
        }
    } else if value.number().is_some_and(|value| value > HIGHEST) {
        out.push(value.forbidden(format!(
            "maximum allowed value of a user defined priority is {HIGHEST}"
        )));
    }
    At::top(object, "preemptionPolicy").one_of(&["PreemptLowerPriority", "Never"], out);
}

fn claim(spec: &At<'_>, old: Option<&Value>, out: &mut Findings) {
    let modes = spec.field("accessModes");
    if modes.is_empty() {
        out.push(modes.required("at least 1 access mode is required"));
    }
    let known = [
        "ReadOnlyMany",
        "ReadWriteMany",
        "ReadWriteOnce",
        "ReadWriteOncePod",
    ];
    for mode in modes.items() {
        if !known.contains(&mode.text()) {
            // Upstream names the list, not its member.
            let at = At {
                value: mode.value,
                path: modes.path.clone(),
            };
            out.push(at.unsupported(&known));
        }
    }
    // Upstream's path leaves out `requests`.
    let size = At {
        value: spec.down(&["resources", "requests", "storage"]).value,
        path: "spec.resources[storage]".to_owned(),
    };
    if !size.is_set() {
        out.push(size.required(""));
    } else if quantity::parse(size.text()).is_some_and(|size| size <= 0) {
        out.push(size.invalid("must be greater than zero"));
    }
    let fixed = |spec: &Value| {
        let mut spec = spec.clone();
        if let Some(fields) = spec.as_object_mut() {
            fields.remove("resources");
            fields.remove("volumeAttributesClassName");
            fields.remove("volumeName");
        }
        spec
    };
    if old.is_some_and(|old| fixed(&old["spec"]) != fixed(spec.value)) {
        out.push(spec.forbidden("spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"));
    }
}

/// Is the quota on a number of objects, and not on an amount?
fn is_counted(name: &str) -> bool {
    !["cpu", "memory", "storage", "ephemeral-storage"]
        .iter()
        .any(|amount| name.ends_with(amount))
}
