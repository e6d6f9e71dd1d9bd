//! `fedctl mask set|add|clear`.

use anyhow::{Context, bail};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use crate::cli::{Global, MaskCommand, ObjectArgs};
use crate::hub::Hub;
use crate::{print, resolve};

/// How often a change is tried again when somebody else changed the object in between.
const TRIES: u32 = 5;

/// What becomes of the mask.
enum Change<'a> {
    Set(&'a [String]),
    Add(&'a [String]),
    Clear,
}

/// Runs the subcommand.
pub(crate) async fn mask(global: &Global, command: &MaskCommand) -> anyhow::Result<()> {
    let (object, change) = match command {
        MaskCommand::Set { object, topologies } => (object, Change::Set(topologies)),
        MaskCommand::Add { object, topologies } => (object, Change::Add(topologies)),
        MaskCommand::Clear { object } => (object, Change::Clear),
    };
    let hub = Hub::connect(global).await?;
    let config = resolve::type_config(&hub, &object.target).await?;
    let api = resolve::objects(&hub, &config, false);
    let kind = &config.spec.federated_type.kind;
    let changed = apply(&api, object, kind, &hub.namespace, &change).await?;
    if !print::object(global.output, &changed)? {
        outln!(
            "{}/{} {}",
            kind.to_lowercase(),
            object.name,
            describe(&changed.data)
        );
    }
    Ok(())
}

async fn apply(
    api: &Api<DynamicObject>,
    object: &ObjectArgs,
    kind: &str,
    namespace: &str,
    change: &Change<'_>,
) -> anyhow::Result<DynamicObject> {
    for _ in 0..TRIES {
        let current = api.get(&object.name).await.with_context(|| {
            format!(
                "cannot read {kind} \"{}\" in namespace \"{namespace}\"",
                object.name
            )
        })?;
        let patch = json!({
            "metadata": {"resourceVersion": current.metadata.resource_version},
            "spec": {"placementMask": next_mask(&current.data, change)?},
        });
        match api
            .patch(&object.name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
        {
            Ok(changed) => return Ok(changed),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => {
                return Err(error).with_context(|| {
                    format!("cannot change the mask of {kind} \"{}\"", object.name)
                });
            }
        }
    }
    bail!(
        "{kind} \"{}\" keeps being changed by somebody else: try again",
        object.name
    )
}

/// The new value of `spec.placementMask`; null takes it away.
fn next_mask(object: &Value, change: &Change<'_>) -> anyhow::Result<Value> {
    let placed = names(object.pointer("/spec/placement/topologies"));
    let known = |wanted: &[String]| -> anyhow::Result<()> {
        // A placement by selector is resolved by the controller; only an explicit list can be checked here.
        if let Some(placed) = &placed
            && let Some(stray) = wanted.iter().find(|name| !placed.contains(name))
        {
            bail!(
                "\"{stray}\" is not in the placement (which has: {})",
                placed.join(", ")
            );
        }
        Ok(())
    };
    match change {
        Change::Clear => Ok(Value::Null),
        Change::Set(wanted) => {
            known(wanted)?;
            Ok(mask_of(wanted.to_vec()))
        }
        Change::Add(wanted) => {
            known(wanted)?;
            let mask = object
                .pointer("/spec/placementMask")
                .filter(|m| !m.is_null());
            let Some(mask) = mask else {
                bail!(
                    "there is no mask, so everything may change already: start one with `fedctl mask set`"
                );
            };
            let Some(mut all) = names(mask.get("topologies")) else {
                bail!(
                    "the mask is a selector: change the object itself, or replace the mask with `fedctl mask set`"
                );
            };
            all.extend(
                wanted
                    .iter()
                    .filter(|name| !all.contains(name))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
            Ok(mask_of(all))
        }
    }
}

/// Null selector: a merge patch must not leave an old one beside the names.
fn mask_of(topologies: Vec<String>) -> Value {
    let entries: Vec<Value> = topologies
        .into_iter()
        .map(|name| json!({"name": name}))
        .collect();
    json!({"topologies": entries, "topologySelector": null})
}

fn names(list: Option<&Value>) -> Option<Vec<String>> {
    let entries = list?.as_array()?;
    Some(
        entries
            .iter()
            .filter_map(|entry| entry.get("name")?.as_str().map(str::to_owned))
            .collect(),
    )
}

fn describe(object: &Value) -> String {
    match object
        .pointer("/spec/placementMask")
        .filter(|m| !m.is_null())
    {
        None => "unmasked: everything may change".to_owned(),
        Some(mask) => match names(mask.get("topologies")) {
            Some(list) if list.is_empty() => "frozen: the mask is empty".to_owned(),
            Some(list) => format!("masked: only {} may change", list.join(", ")),
            None => "masked by a selector".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(mask: Value) -> Value {
        json!({"spec": {"placement": {"topologies": [{"name": "a"}, {"name": "b"}]}, "placementMask": mask}})
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn adding_keeps_what_is_there_and_clearing_takes_all() {
        let added = next_mask(
            &object(json!({"topologies": [{"name": "a"}]})),
            &Change::Add(&words(&["b", "a"])),
        )
        .unwrap();
        assert_eq!(added["topologies"], json!([{"name": "a"}, {"name": "b"}]));
        assert_eq!(
            next_mask(&object(Value::Null), &Change::Clear).unwrap(),
            Value::Null
        );
        let frozen = next_mask(&object(Value::Null), &Change::Set(&[])).unwrap();
        assert_eq!(frozen["topologies"], json!([]));
    }

    #[test]
    fn what_the_placement_lacks_is_refused() {
        let error = next_mask(&object(Value::Null), &Change::Set(&words(&["c"]))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"c\" is not in the placement (which has: a, b)"
        );
        assert!(next_mask(&object(Value::Null), &Change::Add(&words(&["a"]))).is_err());
    }
}
