//! `fedctl grant`.

use anyhow::Context;
use federation_api::annotations;
use federation_api::kinds::KubeFedCluster;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;

use super::rules::least_privilege;
use crate::cli::{Global, Grant};
use crate::hub::Hub;
use crate::registration::{Member, all_rules};
use crate::resolve;

/// Replaces the rules of the hub's account in a member: with least privilege, those that the enabled kinds need now.
pub(crate) async fn grant(global: &Global, args: &Grant) -> anyhow::Result<()> {
    let hub = Hub::connect(global).await?;
    let clusters = hub.clusters();
    let cluster = hub.cluster(&args.member.name).await?;
    let member = Member::connect(&args.member).await?;
    member.is_hub(&hub.hub_client).await?;
    let least = args.least_privilege || is_least(&cluster);
    let rules = if least {
        least_privilege(&resolve::type_configs(&hub).await?, &[])?
    } else {
        all_rules()
    };
    if args.dry_run {
        outln!("{rules:#}");
        return Ok(());
    }
    member.grant(&rules).await?;
    if least && !is_least(&cluster) {
        let mark = json!({annotations::GRANTS: annotations::GRANTS_LEAST_PRIVILEGE});
        let patch = Patch::Merge(json!({"metadata": {"annotations": mark}}));
        clusters
            .patch(&args.member.name, &PatchParams::default(), &patch)
            .await
            .with_context(|| format!("cannot note it on cluster {}", args.member.name))?;
    }
    let what = match least {
        true => "the kinds that are enabled now",
        false => "everything",
    };
    outln!("cluster {} grants the hub {what}", args.member.name);
    Ok(())
}

/// Says on standard error which members have to be granted anew after the enabled kinds changed.
///
/// # Errors
/// The hub does not tell its clusters.
pub(super) async fn remind(hub: &Hub) -> anyhow::Result<()> {
    let all = hub
        .clusters()
        .list(&ListParams::default())
        .await
        .context("cannot ask the hub for its clusters")?;
    for cluster in all.items.iter().filter(|cluster| is_least(cluster)) {
        let name = cluster.metadata.name.as_deref().unwrap_or_default();
        eprintln!(
            "note: cluster {name} grants the hub only the kinds that were enabled before: bring it in step with `fedctl grant {name} --cluster-kubeconfig FILE`"
        );
    }
    Ok(())
}

fn is_least(cluster: &KubeFedCluster) -> bool {
    let annotations = cluster.metadata.annotations.as_ref();
    annotations.is_some_and(|all| {
        all.get(annotations::GRANTS)
            .is_some_and(|value| value == annotations::GRANTS_LEAST_PRIVILEGE)
    })
}
