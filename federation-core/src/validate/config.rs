//! Rules of KubeFedConfig.

use std::collections::BTreeSet;
use std::time::Duration;

use federation_api::GoDuration;
use federation_api::kinds::KubeFedConfigSpec;
use serde_json::Value;

use super::{Verdict, text};
use crate::field::{FieldError, Path};

/// Validates a KubeFedConfig after defaulting; `old` is the stored one on an update.
#[must_use]
pub fn kubefed_config(object: &Value, old: Option<&Value>) -> Verdict {
    let mut verdict = Verdict::default();
    let path = Path::new("spec");
    let spec = &object["spec"];
    verdict.word(
        text(spec, "scope"),
        &path.child("scope"),
        &["Cluster", "Namespaced"],
    );
    if let Some(old) = old {
        verdict.immutable(&path.child("scope"), &spec["scope"], &old["spec"]["scope"]);
    }
    block(
        &mut verdict,
        spec,
        &path,
        "controllerDuration",
        &["availableDelay", "unavailableDelay"],
        &[],
    );
    let times = ["leaseDuration", "renewDeadline", "retryPeriod"];
    if let Some(elect) = block(&mut verdict, spec, &path, "leaderElect", &times, &[]) {
        leader_election(&mut verdict, elect, &path.child("leaderElect"));
    }
    feature_gates(
        &mut verdict,
        &spec["featureGates"],
        &path.child("featureGates"),
    );
    let thresholds = ["failureThreshold", "successThreshold"];
    block(
        &mut verdict,
        spec,
        &path,
        "clusterHealthCheck",
        &["period", "timeout"],
        &thresholds,
    );
    if let Some(sync) = block(&mut verdict, spec, &path, "syncController", &[], &[]) {
        let field = path.child("syncController").child("adoptResources");
        verdict.word(
            text(sync, "adoptResources"),
            &field,
            &["Enabled", "Disabled"],
        );
    }
    for key in ["syncController", "statusController"] {
        if let Some(number @ ..1) = spec[key]["maxConcurrentReconciles"].as_i64() {
            let field = path.child(key).child("maxConcurrentReconciles");
            verdict.error(FieldError::invalid(
                &field,
                number,
                "should be greater than 0",
            ));
        }
    }
    verdict
}

/// Requires a block with durations and numbers above zero.
fn block<'a>(
    verdict: &mut Verdict,
    spec: &'a Value,
    path: &Path,
    key: &str,
    times: &[&str],
    numbers: &[&str],
) -> Option<&'a Value> {
    let (block, path) = (&spec[key], path.child(key));
    if block.is_null() {
        verdict.error(FieldError::required(&path));
        return None;
    }
    for key in times {
        match (block[*key].is_null(), duration(block, key)) {
            (true, _) => verdict.error(FieldError::required(&path.child(key))),
            (false, Some(time)) if time > Duration::ZERO => {}
            (false, _) => verdict.error(FieldError::invalid(
                &path.child(key),
                block[*key].clone(),
                "should be greater than 0",
            )),
        }
    }
    for key in numbers {
        match block[*key].as_i64() {
            None => verdict.error(FieldError::required(&path.child(key))),
            Some(number @ ..1) => verdict.error(FieldError::invalid(
                &path.child(key),
                number,
                "should be greater than 0",
            )),
            Some(_) => {}
        }
    }
    Some(block)
}

fn duration(block: &Value, key: &str) -> Option<Duration> {
    block[key]
        .as_str()?
        .parse::<GoDuration>()
        .ok()
        .map(GoDuration::get)
}

fn leader_election(verdict: &mut Verdict, elect: &Value, path: &Path) {
    let [lease, renew, retry] =
        ["leaseDuration", "renewDeadline", "retryPeriod"].map(|key| duration(elect, key));
    if let (Some(lease), Some(renew)) = (lease, renew)
        && lease <= renew
    {
        let detail = "leaseDuration must be greater than renewDeadline";
        verdict.error(FieldError::invalid(
            &path.child("leaseDuration"),
            elect["leaseDuration"].clone(),
            detail,
        ));
    }
    if let (Some(renew), Some(retry)) = (renew, retry)
        && renew <= retry.mul_f64(1.2)
    {
        let detail = "renewDeadline must be greater than retryPeriod*JitterFactor(1.2)";
        verdict.error(FieldError::invalid(
            &path.child("renewDeadline"),
            elect["renewDeadline"].clone(),
            detail,
        ));
    }
    verdict.word(
        text(elect, "resourceLock"),
        &path.child("resourceLock"),
        &["configmaps", "endpoints"],
    );
}

fn feature_gates(verdict: &mut Verdict, gates: &Value, path: &Path) {
    let Some(gates) = gates.as_array() else {
        return verdict.error(FieldError::required(path));
    };
    let known = KubeFedConfigSpec::FEATURE_GATES.map(|(name, _)| name);
    let mut seen = BTreeSet::new();
    for gate in gates {
        let name = text(gate, "name");
        if !seen.insert(name) {
            verdict.error(FieldError::duplicate(&path.child("name"), name));
            continue;
        }
        verdict.word(name, &path.child("name"), &known);
        verdict.word(
            text(gate, "configuration"),
            &path.child("configuration"),
            &["Enabled", "Disabled"],
        );
    }
}
