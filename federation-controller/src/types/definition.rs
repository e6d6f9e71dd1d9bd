//! Keeps the definition of a `Federated<Kind>` on the hub.

use std::hash::{DefaultHasher, Hash, Hasher};

use federation_api::FederatedTypeConfig;
use federation_api::crd::{ConversionStrategy, TargetFacts, federated_crd};
use kube::api::PostParams;
use serde_json::{Value, json};

use super::facts::definitions;
use crate::clients::Failure;
use crate::hub::JsonObject;

/// On a definition made here: a fingerprint of what was generated, so that it is rewritten only when the generator's
/// answer changes, and definitions of others are told apart.
const GENERATED: &str = "koinon.io/generated";

/// What to do about the definition.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Create(Value),
    Replace(Value),
    Leave,
}

/// Creates or updates the definition. Without facts an existing one is left alone, and a missing one is made without
/// the optional parts, which follow when somebody knows the target.
///
/// # Errors
/// If the hub refuses; a lost race is healed by the next reconcile.
pub(super) async fn ensure(
    hub_client: &kube::Client,
    config: &FederatedTypeConfig,
    facts: Option<&TargetFacts>,
    conversion: &ConversionStrategy,
) -> Result<(), kube::Error> {
    let api = JsonObject::api(hub_client.clone(), &definitions(), None);
    let known = facts.cloned().unwrap_or_default();
    let wanted = federated_crd(config, &known, conversion);
    let name = wanted["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let stored = api.get_opt(&name).await?;
    match step(
        wanted,
        stored.as_ref().map(JsonObject::value),
        facts.is_some(),
    ) {
        Step::Leave => Ok(()),
        Step::Create(definition) => {
            let created = api
                .create(&PostParams::default(), &JsonObject::new(definition))
                .await;
            match created {
                Err(error) if Failure::of(&error) == Failure::AlreadyExists => Ok(()),
                other => other.map(|_| ()),
            }
        }
        Step::Replace(definition) => api
            .replace(&name, &PostParams::default(), &JsonObject::new(definition))
            .await
            .map(|_| ()),
    }
}

fn step(mut wanted: Value, stored: Option<&Value>, facts_known: bool) -> Step {
    let fingerprint = fingerprint(&wanted);
    wanted["metadata"]["annotations"] = json!({GENERATED: fingerprint});
    let Some(stored) = stored else {
        return Step::Create(wanted);
    };
    let made_here = stored
        .pointer("/metadata/annotations")
        .and_then(|annotations| annotations.get(GENERATED))
        .and_then(Value::as_str);
    match made_here {
        Some(held) if facts_known && held != fingerprint => {
            let mut next = stored.clone();
            next["spec"] = wanted["spec"].take();
            next["metadata"]["annotations"][GENERATED] = json!(fingerprint);
            Step::Replace(next)
        }
        _ => Step::Leave,
    }
}

/// Stable for equal definitions within and across processes of one build; another build may rewrite once.
fn fingerprint(definition: &Value) -> String {
    let mut hasher = DefaultHasher::new();
    definition["spec"].to_string().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(kind: &str) -> Value {
        json!({"metadata": {"name": "x"}, "spec": {"names": {"kind": kind}}})
    }

    #[test]
    fn definitions_are_made_once_and_follow_the_generator() {
        let Step::Create(created) = step(wanted("A"), None, false) else {
            panic!("not created")
        };
        assert_eq!(step(wanted("A"), Some(&created), true), Step::Leave);
        let Step::Replace(replaced) = step(wanted("B"), Some(&created), true) else {
            panic!("not replaced")
        };
        assert_eq!(replaced["spec"]["names"]["kind"], "B");
        assert_eq!(step(wanted("B"), Some(&replaced), true), Step::Leave);
    }

    #[test]
    fn unknown_facts_and_foreign_definitions_change_nothing() {
        let Step::Create(created) = step(wanted("A"), None, true) else {
            panic!("not created")
        };
        assert_eq!(step(wanted("B"), Some(&created), false), Step::Leave);
        assert_eq!(step(wanted("B"), Some(&wanted("A")), true), Step::Leave);
    }
}
