//! `fedctl cell create|delete|list`.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use federation_api::kinds::{Cell, CellSpec, ClusterRef, PodPlacement};
use kube::api::{Api, DeleteParams, ListParams, PostParams};

use crate::cli::{CellCommand, CellCreate, Global, Output};
use crate::hub::Hub;
use crate::print;

/// Runs the subcommand.
pub(crate) async fn cell(global: &Global, command: &CellCommand) -> anyhow::Result<()> {
    let hub = Hub::connect(global).await?;
    match command {
        CellCommand::Create(args) => create(&hub, global, args).await,
        CellCommand::Delete { name } => delete(&hub, name).await,
        CellCommand::List { all_namespaces } => list(&hub, global, *all_namespaces).await,
    }
}

/// `key=value` words as a map.
pub(crate) fn pairs(words: &[String], flag: &str) -> anyhow::Result<BTreeMap<String, String>> {
    words
        .iter()
        .map(|word| match word.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => bail!("--{flag} takes KEY=VALUE, not \"{word}\""),
        })
        .collect()
}

async fn create(hub: &Hub, global: &Global, args: &CellCreate) -> anyhow::Result<()> {
    hub.cluster(&args.cluster).await?;
    let node_selector = pairs(&args.node_selector, "node-selector")?;
    let mut cell = Cell::new(
        &args.name,
        CellSpec {
            cluster_ref: ClusterRef {
                name: args.cluster.clone(),
            },
            member_namespace: args.member_namespace.clone(),
            pod_placement: (!node_selector.is_empty()).then(|| PodPlacement {
                node_selector,
                ..PodPlacement::default()
            }),
        },
    );
    let labels = pairs(&args.labels, "labels")?;
    cell.metadata.labels = (!labels.is_empty()).then_some(labels);
    let cells: Api<Cell> = Api::namespaced(hub.hub_client.clone(), &hub.namespace);
    let made = cells
        .create(&PostParams::default(), &cell)
        .await
        .with_context(|| {
            format!(
                "cannot create cell \"{}\" in namespace \"{}\"",
                args.name, hub.namespace
            )
        })?;
    if !print::object(global.output, &made)? {
        outln!(
            "cell/{} created in cluster {} (namespace {})",
            args.name,
            args.cluster,
            member_namespace(&made, &hub.namespace)
        );
    }
    Ok(())
}

fn member_namespace(cell: &Cell, namespace: &str) -> String {
    let mut cell = cell.clone();
    cell.metadata
        .namespace
        .get_or_insert_with(|| namespace.to_owned());
    cell.member_namespace()
}

async fn delete(hub: &Hub, name: &str) -> anyhow::Result<()> {
    let cells: Api<Cell> = Api::namespaced(hub.hub_client.clone(), &hub.namespace);
    // Why not, and what to do about objects that are still placed in it, is in the hub's answer.
    cells
        .delete(name, &DeleteParams::default())
        .await
        .with_context(|| {
            format!(
                "cannot delete cell \"{name}\" in namespace \"{}\"",
                hub.namespace
            )
        })?;
    outln!("cell/{name} deleted");
    Ok(())
}

async fn list(hub: &Hub, global: &Global, all_namespaces: bool) -> anyhow::Result<()> {
    let cells: Api<Cell> = if all_namespaces {
        Api::all(hub.hub_client.clone())
    } else {
        Api::namespaced(hub.hub_client.clone(), &hub.namespace)
    };
    let items = cells
        .list(&ListParams::default())
        .await
        .context("cannot read the cells from the hub")?
        .items;
    if print::list(global.output, &items)? {
        return Ok(());
    }
    if items.is_empty() {
        eprintln!(
            "No cells found{}.",
            if all_namespaces {
                String::new()
            } else {
                format!(" in {} namespace", hub.namespace)
            }
        );
        return Ok(());
    }
    let wide = global.output == Some(Output::Wide);
    let mut headings = vec!["NAMESPACE", "NAME", "CLUSTER", "MEMBER NAMESPACE", "READY"];
    if wide {
        headings.extend(["REASON", "LABELS"]);
    }
    let rows: Vec<Vec<String>> = items.iter().map(|cell| row(cell, wide)).collect();
    print::table(&headings, &rows);
    Ok(())
}

fn row(cell: &Cell, wide: bool) -> Vec<String> {
    let ready = cell.status.as_ref().and_then(|status| {
        status
            .conditions
            .iter()
            .find(|c| c.type_ == federation_api::conditions::READY)
    });
    let mut row = vec![
        cell.metadata.namespace.clone().unwrap_or_default(),
        cell.metadata.name.clone().unwrap_or_default(),
        cell.spec.cluster_ref.name.clone(),
        cell.member_namespace(),
        ready.map_or_else(|| "Unknown".to_owned(), |c| c.status.clone()),
    ];
    if wide {
        row.push(ready.and_then(|c| c.reason.clone()).unwrap_or_default());
        let labels = cell.metadata.labels.clone().unwrap_or_default();
        row.push(
            labels
                .iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect::<Vec<_>>()
                .join(","),
        );
    }
    row
}
