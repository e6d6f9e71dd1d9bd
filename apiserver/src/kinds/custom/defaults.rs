//! What is filled in in a CRD that leaves it open (`apiextensions/v1/defaults.go`).

use serde_json::{Value, json};

use super::definition::text;

/// Fills in names, the conversion strategy and the port of the conversion service.
pub(super) fn fill(crd: &mut Value) {
    if !crd.get("spec").is_some_and(Value::is_object) {
        return;
    }
    let kind = text(crd, &["spec", "names", "kind"]).to_owned();
    if crd["spec"]["names"].is_object() && !kind.is_empty() {
        let names = &mut crd["spec"]["names"];
        if text(names, &["singular"]).is_empty() {
            names["singular"] = kind.to_lowercase().into();
        }
        if text(names, &["listKind"]).is_empty() {
            names["listKind"] = format!("{kind}List").into();
        }
    }
    let conversion = &mut crd["spec"]["conversion"];
    if conversion.is_null() {
        *conversion = json!({"strategy": "None"});
    }
    if let Some(service) = conversion.pointer_mut("/webhook/clientConfig/service")
        && service.is_object()
        && service["port"].is_null()
    {
        service["port"] = 443.into();
    }
    if crd["spec"]["preserveUnknownFields"] == false
        && let Some(spec) = crd["spec"].as_object_mut()
    {
        spec.remove("preserveUnknownFields");
    }
}
