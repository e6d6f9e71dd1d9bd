//! `fedctl kubeconfig`: a kubeconfig with a context for the hub, every cluster and every cell, all through the hub's cluster
//! proxy and as the same user.

mod file;
mod targets;
mod tree;

use anyhow::{Context, bail};
use federation_api::kinds::Cell;
use kube::api::{Api, ListParams};
use kube::config::Kubeconfig;
use serde_json::{Value, json};

use crate::cli::{Global, KubeconfigArgs, Output};
use crate::hub::{self, Hub};
use crate::print;

use targets::{Target, targets};
use tree::{HubEntries, merge};

/// Writes or prints it.
pub(crate) async fn kubeconfig(global: &Global, args: &KubeconfigArgs) -> anyhow::Result<()> {
    let entries = hub_entries(global)?;
    let hub = Hub::connect(global).await?;
    let found = look_up(&hub).await?;
    let base = match &args.file {
        Some(file) if file.exists() => {
            if !args.merge {
                bail!(
                    "{} exists: add to it with --merge, or choose another file",
                    file.display()
                );
            }
            file::read(file)?
        }
        _ => json!({"apiVersion": "v1", "kind": "Config"}),
    };
    let (merged, contexts) = merge(base, &entries, &found);
    let Some(file) = &args.file else {
        let form = match global.output {
            Some(Output::Json) => Output::Json,
            _ => Output::Yaml,
        };
        return print::object(Some(form), &merged).map(drop);
    };
    file::write(file, &merged)?;
    outln!("{}: {}", file.display(), contexts.join(", "));
    if let Some(last) = contexts.last() {
        outln!(
            "try `kubectl --kubeconfig {} --context {last} get pods`",
            file.display()
        );
    }
    Ok(())
}

/// The hub's cluster and user as the kubeconfig in use has them.
fn hub_entries(global: &Global) -> anyhow::Result<HubEntries> {
    let kubeconfig = hub::read_kubeconfig(global.kubeconfig.as_deref(), true)?;
    from_kubeconfig(&kubeconfig, global.context.as_deref())
}

fn from_kubeconfig(kubeconfig: &Kubeconfig, context: Option<&str>) -> anyhow::Result<HubEntries> {
    let name = context
        .or(kubeconfig.current_context.as_deref())
        .context("the kubeconfig has no current context: name one with --context")?;
    let context = kubeconfig
        .contexts
        .iter()
        .find(|c| c.name == name)
        .and_then(|c| c.context.as_ref())
        .with_context(|| format!("the kubeconfig has no context \"{name}\""))?;
    let cluster = kubeconfig
        .clusters
        .iter()
        .find(|c| c.name == context.cluster)
        .and_then(|c| c.cluster.as_ref())
        .with_context(|| format!("the kubeconfig has no cluster \"{}\"", context.cluster))?;
    let user_name = context
        .user
        .clone()
        .with_context(|| format!("the kubeconfig's context \"{name}\" has no user"))?;
    let user = kubeconfig
        .auth_infos
        .iter()
        .find(|u| u.name == user_name)
        .and_then(|u| u.auth_info.as_ref())
        .with_context(|| format!("the kubeconfig has no user \"{user_name}\""))?;
    let server = cluster.server.as_deref().unwrap_or_default();
    if server.is_empty() {
        bail!(
            "the kubeconfig's cluster \"{}\" has no server",
            context.cluster
        );
    }
    Ok(HubEntries {
        context: name.to_owned(),
        namespace: context.namespace.clone(),
        cluster_name: context.cluster.clone(),
        server: server.trim_end_matches('/').to_owned(),
        cluster: value(cluster)?,
        user_name,
        user: value(user)?,
    })
}

fn value(entry: &impl serde::Serialize) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(entry).context("the kubeconfig cannot be copied")?;
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, field| !field.is_null());
    }
    Ok(value)
}

/// What the caller may see: all clusters or none of them, the cells of all namespaces or those of one.
async fn look_up(hub: &Hub) -> anyhow::Result<Vec<Target>> {
    let everything = ListParams::default();
    let clusters = match hub.clusters().list(&everything).await {
        Ok(list) => list.items,
        Err(error) if is_forbidden(&error) => {
            eprintln!("note: you may not list clusters, so there are contexts for cells only");
            Vec::new()
        }
        Err(error) => return Err(error).context("cannot read the clusters from the hub"),
    };
    let cells = match Api::<Cell>::all(hub.hub_client.clone())
        .list(&everything)
        .await
    {
        Err(error) if is_forbidden(&error) => {
            eprintln!(
                "note: you may not list the cells of all namespaces, so there are contexts for those of {} only",
                hub.namespace
            );
            Api::<Cell>::namespaced(hub.hub_client.clone(), &hub.namespace)
                .list(&everything)
                .await
        }
        listed => listed,
    };
    let cells = cells.context("cannot read the cells from the hub")?.items;
    Ok(targets(&clusters, &cells))
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}
