//! Where a Pod may run: affinity, tolerations, spreading.

use serde_json::Value;

use super::super::at::{At, Findings};
use crate::verbs::qualified_name_problems;

const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// A Pod's `affinity`.
pub(super) fn affinity(affinity: &At<'_>, out: &mut Findings) {
    let nodes = affinity.field("nodeAffinity");
    let required = nodes.field(REQUIRED);
    if required.is_set() {
        let terms = required.field("nodeSelectorTerms");
        if terms.is_empty() {
            out.push(terms.required("must have at least one node selector term"));
        }
        terms.items().for_each(|term| node_term(&term, out));
    }
    for preferred in nodes.field(PREFERRED).items() {
        weight(&preferred, out);
        node_term(&preferred.field("preference"), out);
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        let kind = affinity.field(kind);
        for term in kind.field(REQUIRED).items() {
            pod_term(&term, out);
        }
        for preferred in kind.field(PREFERRED).items() {
            weight(&preferred, out);
            pod_term(&preferred.field("podAffinityTerm"), out);
        }
    }
}

fn weight(preferred: &At<'_>, out: &mut Findings) {
    let weight = preferred.field("weight");
    if !(1..=100).contains(&weight.number().unwrap_or(0)) {
        let value = Value::from(weight.number().unwrap_or(0));
        out.push(weight.invalid_value(&value, "must be in the range 1-100"));
    }
}

fn node_term(term: &At<'_>, out: &mut Findings) {
    for expression in term.field("matchExpressions").items() {
        let (operator, values) = (expression.field("operator"), expression.field("values"));
        match operator.text() {
            "In" | "NotIn" if values.is_empty() => {
                out.push(values.required("must be specified when `operator` is 'In' or 'NotIn'"))
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                out.push(values.forbidden(
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                ))
            }
            "Gt" | "Lt" if values.items().count() != 1 => out.push(
                values.required("must be specified single value when `operator` is 'Lt' or 'Gt'"),
            ),
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            other => {
                out.push(operator.invalid_value(&other.into(), "not a valid selector operator"));
            }
        }
        expression.field("key").qualified(out);
    }
}

fn pod_term(term: &At<'_>, out: &mut Findings) {
    term.field("labelSelector").label_selector(out);
    let topology = term.field("topologyKey");
    if topology.text().is_empty() {
        out.push(topology.required("can not be empty"));
    }
    topology.qualified(out);
}

/// A Pod's `tolerations`.
pub(super) fn tolerations(tolerations: &At<'_>, out: &mut Findings) {
    for toleration in tolerations.items() {
        let key = toleration.field("key");
        let (operator, value) = (toleration.field("operator"), toleration.field("value"));
        if !key.text().is_empty() {
            let problems = qualified_name_problems(key.text()).into_iter();
            out.extend(problems.map(|problem| key.invalid(problem)));
        } else if operator.text() != "Exists" {
            let said = Value::from(operator.text());
            out.push(operator.invalid_value(&said, "operator must be Exists when `key` is empty, which means \"match all values and all keys\""));
        }
        let seconds = toleration.field("tolerationSeconds");
        let effect = toleration.field("effect");
        if seconds.is_set() && effect.text() != "NoExecute" {
            let said = Value::from(effect.text());
            out.push(effect.invalid_value(
                &said,
                "effect must be 'NoExecute' when `tolerationSeconds` is set",
            ));
        }
        match operator.text() {
            "" | "Equal" => {}
            "Exists" if value.text().is_empty() => {}
            "Exists" => out.push(operator.invalid_value(
                value.value,
                "value must be empty when `operator` is 'Exists'",
            )),
            _ => out.push(operator.unsupported(&["Equal", "Exists"])),
        }
        if !effect.text().is_empty() {
            effect.one_of(&["NoSchedule", "PreferNoSchedule", "NoExecute"], out);
        }
    }
}

/// A Pod's `topologySpreadConstraints`.
pub(super) fn spread(constraints: &At<'_>, out: &mut Findings) {
    for constraint in constraints.items() {
        let skew = constraint.field("maxSkew");
        if skew.number().unwrap_or(0) <= 0 {
            let value = Value::from(skew.number().unwrap_or(0));
            out.push(skew.invalid_value(&value, "must be greater than zero"));
        }
        let key = constraint.field("topologyKey");
        if key.text().is_empty() {
            out.push(key.required("can not be empty"));
        } else {
            key.qualified(out);
        }
        constraint
            .field("whenUnsatisfiable")
            .one_of(&["DoNotSchedule", "ScheduleAnyway"], out);
        constraint.field("labelSelector").label_selector(out);
    }
}
