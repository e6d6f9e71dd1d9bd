//! Jobs: the selector that they get, and their rules.

use serde_json::{Value, json};

use super::super::at::{At, Findings};
use super::super::{immutable, map, pod};
use super::validate::{mismatch, selects};

const UID: &str = "batch.kubernetes.io/controller-uid";

/// A Job selects its Pods by its own uid (`generateSelector`); without labels of its own it gets those of its Pods.
pub(super) fn own_selector(object: &mut Value) {
    if object["spec"]["manualSelector"] != true {
        let uid = crate::object::meta_str(object, "uid").to_owned();
        let name = crate::object::name(object).to_owned();
        let spec = map(object, "spec");
        let selector = spec.entry("selector").or_insert_with(|| json!({}));
        map(selector, "matchLabels").insert(UID.to_owned(), uid.clone().into());
        let template = spec.entry("template").or_insert(Value::Null);
        map(template, "metadata");
        let labels = map(&mut template["metadata"], "labels");
        for prefix in ["", "batch.kubernetes.io/"] {
            labels.insert(format!("{prefix}controller-uid"), uid.clone().into());
            labels.insert(format!("{prefix}job-name"), name.clone().into());
        }
    }
    let labels = object.pointer("/spec/template/metadata/labels").cloned();
    let own = object["metadata"]["labels"].as_object();
    if let Some(labels) = labels
        && own.is_none_or(serde_json::Map::is_empty)
    {
        object["metadata"]["labels"] = labels;
    }
}

pub(super) fn validate(object: &Value, old: Option<&Value>, out: &mut Findings) {
    let at = At::top(object, "spec");
    let selector = at.field("selector");
    if *at.field("manualSelector").value != true {
        let uid = crate::object::meta_str(object, "uid");
        let own = json!({"matchLabels": {UID: uid}});
        if *selector.value != own {
            out.push(selector.invalid("`selector` not auto-generated"));
        }
    }
    selector.label_selector(out);
    numbers(&at, out);
    if !selects(&at) {
        out.push(mismatch(&at));
    }
    template(&at, out);
    if let Some(old) = old {
        for field in ["completions", "completionMode"] {
            let path = format!("spec.{field}");
            out.extend(immutable(
                object,
                Some(old),
                &format!("/spec/{field}"),
                &path,
            ));
        }
        out.extend(immutable(
            object,
            Some(old),
            "/spec/template",
            "spec.template",
        ));
    }
}

/// The rules of a Job's spec that hold in a CronJob too.
pub(super) fn spec(at: &At<'_>, out: &mut Findings) {
    numbers(at, out);
    template(at, out);
}

fn numbers(spec: &At<'_>, out: &mut Findings) {
    for field in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
    ] {
        spec.field(field).not_negative(out);
    }
    spec.field("completionMode")
        .one_of_if_set(&["NonIndexed", "Indexed"], out);
}

fn template(spec: &At<'_>, out: &mut Findings) {
    let template = spec.field("template");
    pod::template(&template, out);
    let restart = template.down(&["spec", "restartPolicy"]);
    match restart.text() {
        "" | "Always" => out.push(restart.required("valid values: \"OnFailure\", \"Never\"")),
        "OnFailure" | "Never" => {}
        _ => out.push(restart.unsupported(&["OnFailure", "Never"])),
    }
}
