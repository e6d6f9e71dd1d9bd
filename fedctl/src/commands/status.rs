//! `fedctl status`: object → cells → state, version, reason.

use anyhow::{Context, bail};
use federation_api::federated::MemberEntry;
use federation_api::federated::northbound::Status as ObjectStatus;
use federation_api::kinds::FederatedTypeConfig;
use futures::{StreamExt, TryStreamExt};
use kube::api::{DynamicObject, ListParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::Value;

use crate::cli::{Global, Output, Status};
use crate::hub::Hub;
use crate::{print, resolve};

/// Prints the tree once, or again and again with `--watch`.
pub(crate) async fn status(global: &Global, args: &Status) -> anyhow::Result<()> {
    let hub = Hub::connect(global).await?;
    let configs = match &args.target {
        Some(word) => vec![resolve::type_config(&hub, word).await?],
        None => resolve::type_configs(&hub).await?,
    };
    if args.watch {
        return watch(&hub, global, args, &configs).await;
    }
    let mut found = Vec::new();
    for config in &configs {
        match objects(&hub, config, args).await {
            Ok(items) => found.extend(items),
            // A type that is not served yet has no objects; asked for by name, it is an error.
            Err(error) if args.target.is_none() => tracing::debug!(%error, "type left out"),
            Err(error) => return Err(error),
        }
    }
    if print::list(global.output, &found)? {
        return Ok(());
    }
    if found.is_empty() {
        eprintln!(
            "No federated objects found{}.",
            if args.all_namespaces {
                String::new()
            } else {
                format!(" in {} namespace", hub.namespace)
            }
        );
    }
    for object in &found {
        out!("{}", tree(object, global.output == Some(Output::Wide)));
    }
    Ok(())
}

async fn objects(
    hub: &Hub,
    config: &FederatedTypeConfig,
    args: &Status,
) -> anyhow::Result<Vec<DynamicObject>> {
    let api = resolve::objects(hub, config, args.all_namespaces);
    let kind = &config.spec.federated_type.kind;
    if let Some(name) = &args.name {
        if args.all_namespaces {
            bail!("a name and --all-namespaces do not go together");
        }
        let object = api.get(name).await.with_context(|| {
            format!(
                "cannot read {kind} \"{name}\" in namespace \"{}\"",
                hub.namespace
            )
        })?;
        return Ok(vec![object]);
    }
    let items = api
        .list(&ListParams::default())
        .await
        .with_context(|| format!("cannot list {kind} objects"))?
        .items;
    Ok(items)
}

async fn watch(
    hub: &Hub,
    global: &Global,
    args: &Status,
    configs: &[FederatedTypeConfig],
) -> anyhow::Result<()> {
    let wide = global.output == Some(Output::Wide);
    let streams = configs.iter().map(|config| {
        let mut selection = watcher::Config::default();
        if let Some(name) = &args.name {
            selection = selection.fields(&format!("metadata.name={name}"));
        }
        watcher(
            resolve::objects(hub, config, args.all_namespaces),
            selection,
        )
        .default_backoff()
        .applied_objects()
        .boxed()
    });
    let mut changes = futures::stream::select_all(streams);
    while let Some(object) = changes
        .try_next()
        .await
        .context("the watch on the hub ended")?
    {
        out!("{}", tree(&object, wide));
    }
    Ok(())
}

/// The tree of one object.
fn tree(object: &DynamicObject, wide: bool) -> String {
    let status = print::status(object);
    let entries = status.topologies.clone().unwrap_or_default();
    let mut text = format!("{}\n", heading(object, &status));
    let name_width = entries
        .iter()
        .map(|e| e.name.chars().count())
        .max()
        .unwrap_or(0);
    let state_width = entries
        .iter()
        .map(|e| print::state(e).len())
        .max()
        .unwrap_or(0);
    for (index, entry) in entries.iter().enumerate() {
        let branch = if index + 1 == entries.len() {
            "└─"
        } else {
            "├─"
        };
        let mut line = format!(
            "{branch} {:name_width$}  {:state_width$}  {}",
            entry.name,
            print::state(entry),
            version(entry)
        );
        if let Some(message) = &entry.message {
            line.push_str(&format!("  {message}"));
        }
        if wide && let Some(remote) = &entry.remote_status {
            line.push_str(&format!("  {remote}"));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn heading(object: &DynamicObject, status: &ObjectStatus) -> String {
    let kind = object
        .types
        .as_ref()
        .map_or("Federated", |t| t.kind.as_str());
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let place = object.metadata.namespace.as_deref().map_or_else(
        || name.to_owned(),
        |namespace| format!("{namespace}/{name}"),
    );
    let condition = status.conditions.iter().flatten().next();
    let behind = object
        .metadata
        .generation
        .zip(status.observed_generation)
        .filter(|(written, seen)| seen < written);
    let state = match condition {
        // As `kubectl rollout status`: an old status says nothing about a new spec.
        Some(_) if let Some((written, seen)) = behind => {
            format!("generation {written} is not propagated yet, this is generation {seen}")
        }
        None => "not propagated yet".to_owned(),
        Some(c) if c.status == "True" => "propagated".to_owned(),
        Some(c) => match (&c.reason, &c.message) {
            (Some(reason), Some(message)) => format!("{reason}: {message}"),
            (Some(reason), None) => reason.clone(),
            (None, _) => "not propagated".to_owned(),
        },
    };
    let counts = status.counts.unwrap_or_default();
    let deleting = if object.metadata.deletion_timestamp.is_some() {
        ", deleting"
    } else {
        ""
    };
    format!(
        "{kind} {place}: {state} ({} topologies, {} updated, {} masked, {} failing{}{deleting})",
        counts.topologies,
        counts.updated,
        counts.masked,
        counts.failing,
        mask(&object.data),
    )
}

fn mask(object: &Value) -> String {
    match object
        .pointer("/spec/placementMask")
        .filter(|m| !m.is_null())
    {
        None => String::new(),
        Some(mask) => match mask.get("topologies").and_then(Value::as_array) {
            Some(list) => {
                let names: Vec<&str> = list
                    .iter()
                    .filter_map(|t| t.get("name")?.as_str())
                    .collect();
                format!("; mask: [{}]", names.join(", "))
            }
            None => "; mask: by selector".to_owned(),
        },
    }
}

fn version(entry: &MemberEntry) -> String {
    match (&entry.version, entry.generation) {
        (Some(version), Some(generation)) => format!("version {version} (generation {generation})"),
        (Some(version), None) => format!("version {version}"),
        (None, Some(generation)) => format!("generation {generation}"),
        (None, None) => "not there".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_tree_names_state_version_and_reason() {
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "types.kubefed.io/v1", "kind": "FederatedFoo",
            "metadata": {"name": "foo-01", "namespace": "bank-prod"},
            "spec": {"placementMask": {"topologies": [{"name": "rz00a"}]}},
            "status": {
                "conditions": [{"type": "Propagation", "status": "True"}],
                "counts": {"topologies": 2, "updated": 1, "masked": 1, "failing": 0},
                "topologies": [
                    {"name": "rz00a", "version": "4682012e", "generation": 2},
                    {"name": "rz01a", "reason": "Masked", "version": "2979b753", "generation": 1, "message": "kept as it is"},
                ],
            },
        }))
        .unwrap();
        assert_eq!(
            tree(&object, false),
            "FederatedFoo bank-prod/foo-01: propagated (2 topologies, 1 updated, 1 masked, 0 failing; mask: [rz00a])\n\
             ├─ rz00a  OK      version 4682012e (generation 2)\n\
             └─ rz01a  Masked  version 2979b753 (generation 1)  kept as it is\n"
        );
    }

    #[test]
    fn a_status_older_than_the_spec_is_not_taken_for_its_outcome() {
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "types.kubefed.io/v1", "kind": "FederatedFoo",
            "metadata": {"name": "x", "generation": 2},
            "status": {"observedGeneration": 1, "conditions": [{"type": "Propagation", "status": "True"}]},
        }))
        .unwrap();
        assert!(tree(&object, true).starts_with(
            "FederatedFoo x: generation 2 is not propagated yet, this is generation 1 ("
        ));
    }

    #[test]
    fn an_object_without_status_says_so() {
        let object: DynamicObject =
            serde_json::from_value(json!({"apiVersion": "types.kubefed.io/v1", "kind": "FederatedFoo", "metadata": {"name": "x"}})).unwrap();
        assert!(tree(&object, true).starts_with("FederatedFoo x: not propagated yet"));
    }
}
