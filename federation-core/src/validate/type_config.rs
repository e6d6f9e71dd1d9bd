//! Rules of FederatedTypeConfig.

use federation_api::names;
use serde_json::Value;

use super::{Verdict, name, text};
use crate::field::{FieldError, Path, text as rules};

const SWITCH: [&str; 2] = ["Enabled", "Disabled"];
/// Groups whose kinds live on the hub only. Federating one would make federated objects of federated objects.
const OWN_GROUPS: [&str; 3] = [names::TYPES_GROUP, names::CORE_GROUP, names::KOINON_GROUP];
const STATES: [&str; 2] = ["Running", "NotRunning"];

/// Validates a FederatedTypeConfig's name and spec.
#[must_use]
pub fn federated_type_config(object: &Value) -> Verdict {
    let mut verdict = Verdict::default();
    let path = Path::new("spec");
    let spec = &object["spec"];
    let target = &spec["targetType"];
    if names::type_config(text(target, "pluralName"), text(target, "group")) != name(object) {
        let detail = "name must be 'TARGET_PLURAL_NAME(.TARGET_GROUP_NAME)'";
        verdict.error(FieldError::invalid(
            &Path::new("name"),
            name(object),
            detail,
        ));
    }
    resource(target, &path.child("targetType"), &mut verdict);
    if OWN_GROUPS.contains(&text(target, "group")) {
        verdict.error(FieldError::invalid(
            &path.child("targetType").child("group"),
            text(target, "group"),
            "kinds of the federation itself cannot be federated",
        ));
    }
    verdict.word(
        text(spec, "propagation"),
        &path.child("propagation"),
        &SWITCH,
    );
    federated_resource(
        &spec["federatedType"],
        &path.child("federatedType"),
        &mut verdict,
    );
    if !spec["statusType"].is_null() {
        federated_resource(&spec["statusType"], &path.child("statusType"), &mut verdict);
    }
    if !spec["statusCollection"].is_null() {
        verdict.word(
            text(spec, "statusCollection"),
            &path.child("statusCollection"),
            &SWITCH,
        );
    }
    if !spec["updateStrategy"].is_null() {
        let strategies = ["Update", "ServerSideApply", "CreateOnly"];
        verdict.word(
            text(spec, "updateStrategy"),
            &path.child("updateStrategy"),
            &strategies,
        );
    }
    for (index, glob) in spec["propagatingAnnotations"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let path = path.child("propagatingAnnotations").index(index);
        let glob = glob.as_str().unwrap_or_default();
        if glob.is_empty() {
            verdict.error(FieldError::required(&path));
        } else if glob.contains(char::is_whitespace) {
            verdict.error(FieldError::invalid(
                &path,
                glob,
                "an annotation key has no spaces",
            ));
        }
    }
    verdict
}

fn federated_resource(object: &Value, path: &Path, verdict: &mut Verdict) {
    match text(object, "group") {
        "" => verdict.error(FieldError::required(&path.child("group"))),
        group if !group.contains('.') => {
            verdict.error(FieldError::invalid(
                &path.child("group"),
                group,
                "should be a domain with at least one dot",
            ));
        }
        _ => {}
    }
    resource(object, path, verdict);
}

fn resource(object: &Value, path: &Path, verdict: &mut Verdict) {
    let group = text(object, "group");
    if let (false, Some(message)) = (group.is_empty(), rules::dns1123_subdomain(group)) {
        verdict.error(FieldError::invalid(&path.child("group"), group, message));
    }
    verdict.name(object, path, "version", rules::dns1035_label);
    verdict.name(object, path, "kind", |kind| {
        rules::dns1035_label(&kind.to_lowercase())
    });
    verdict.name(object, path, "pluralName", rules::dns1035_label);
    verdict.word(
        text(object, "scope"),
        &path.child("scope"),
        &["Cluster", "Namespaced"],
    );
}

/// Validates a FederatedTypeConfig's status.
#[must_use]
pub fn federated_type_config_status(object: &Value) -> Verdict {
    let mut verdict = Verdict::default();
    let path = Path::new("status");
    let status = &object["status"];
    if let Some(generation @ ..0) = status["observedGeneration"].as_i64() {
        let detail = "must be greater than or equal to 0";
        verdict.error(FieldError::invalid(
            &path.child("observedGeneration"),
            generation,
            detail,
        ));
    }
    verdict.word(
        text(status, "propagationController"),
        &path.child("propagationController"),
        &STATES,
    );
    if !status["statusController"].is_null() {
        verdict.word(
            text(status, "statusController"),
            &path.child("statusController"),
            &STATES,
        );
    }
    verdict
}
