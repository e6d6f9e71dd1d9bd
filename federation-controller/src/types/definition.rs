//! Keeps the definition of a `Federated<Kind>` on the hub.

use std::hash::{DefaultHasher, Hash, Hasher};

use base64::Engine;
use federation_api::FederatedTypeConfig;
use federation_api::crd::{ConversionStrategy, TargetFacts, federated_crd};
use federation_api::names::{SECRET_CA_KEY, WEBHOOK_CA};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::facts::definitions;
use crate::clients::Failure;
use crate::hub::JsonObject;

/// On a definition made here: a fingerprint of what was generated, so that it is rewritten only when the generator's
/// answer changes, and definitions of others are told apart.
const GENERATED: &str = "koinon.io/generated";

/// Where a definition says how its webhook is reached.
const CLIENT_CONFIG: &str = "/spec/conversion/webhook/clientConfig";

/// What to do about the definition.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Create(Value),
    Replace(Value),
    Leave,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ensured {
    /// The definition is as it should be.
    Done,
    /// Conversion is by a webhook that has not published its CA yet: a definition made now could not be read in v1.
    NoAuthority,
}

/// Where the definition goes, and what about it does not depend on the type.
pub(super) struct Place<'a> {
    pub(super) hub_client: &'a kube::Client,
    /// The system namespace, in which the webhook publishes its CA.
    pub(super) namespace: &'a str,
    pub(super) conversion: &'a ConversionStrategy,
}

/// Creates or updates the definition. Without facts an existing one is left alone, and a missing one is made without
/// the optional parts, which follow when somebody knows the target.
///
/// The webhook's CA is the webhook's to keep up to date: here it is only carried over, or filled in from what the webhook
/// published, so that no definition is ever without.
///
/// # Errors
/// If the hub refuses; a lost race is healed by the next reconcile.
pub(super) async fn ensure(
    place: &Place<'_>,
    config: &FederatedTypeConfig,
    facts: Option<&TargetFacts>,
) -> Result<Ensured, kube::Error> {
    let api = JsonObject::api(place.hub_client.clone(), &definitions(), None);
    let known = facts.cloned().unwrap_or_default();
    let wanted = federated_crd(config, &known, place.conversion);
    let name = wanted["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let stored = api.get_opt(&name).await?;
    let stored = stored.as_ref().map(JsonObject::value);
    let mut next = step(wanted, stored, facts.is_some());
    if let Step::Create(definition) | Step::Replace(definition) = &mut next
        && let Some(client_config) = definition.pointer_mut(CLIENT_CONFIG)
        && client_config.get("caBundle").is_none()
    {
        let Some(authority) = authority(place, stored).await? else {
            return Ok(Ensured::NoAuthority);
        };
        client_config["caBundle"] = authority;
    }
    match next {
        Step::Leave => {}
        Step::Create(definition) => {
            let definition = JsonObject::new(definition);
            let created = api.create(&PostParams::default(), &definition).await;
            match created {
                Err(error) if Failure::of(&error) == Failure::AlreadyExists => {}
                other => drop(other?),
            }
        }
        Step::Replace(definition) => {
            let definition = JsonObject::new(definition);
            api.replace(&name, &PostParams::default(), &definition)
                .await?;
        }
    }
    Ok(Ensured::Done)
}

/// The CA that the stored definition has, or that the webhook published, as base64.
async fn authority(
    place: &Place<'_>,
    stored: Option<&Value>,
) -> Result<Option<Value>, kube::Error> {
    let held = stored.and_then(|stored| stored.pointer(CLIENT_CONFIG)?.get("caBundle"));
    if let Some(held) = held {
        return Ok(Some(held.clone()));
    }
    let config_maps: Api<ConfigMap> = Api::namespaced(place.hub_client.clone(), place.namespace);
    let published = config_maps.get_opt(WEBHOOK_CA).await?;
    let bundle = published.and_then(|published| published.data?.remove(SECRET_CA_KEY));
    let encode = |bundle| base64::engine::general_purpose::STANDARD.encode(bundle);
    Ok(bundle.map(|bundle| encode(bundle).into()))
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
            if let Some(labels) = wanted["metadata"]["labels"].as_object() {
                for (key, value) in labels {
                    next["metadata"]["labels"][key] = value.clone();
                }
            }
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
