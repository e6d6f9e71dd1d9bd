//! `fedctl join` and `fedctl unjoin`.

use anyhow::{Context, bail};
use federation_api::annotations;
use federation_api::kinds::KubeFedCluster;
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;

use super::cell::pairs;
use super::rules::least_privilege;
use crate::cli::{Global, Join, Unjoin};
use crate::hub::Hub;
use crate::objects::delete;
use crate::registration::{Member, Registration, all_rules};
use crate::{print, resolve};

/// Registers the member.
pub(crate) async fn join(global: &Global, args: &Join) -> anyhow::Result<()> {
    if args.member.name.contains('.') {
        bail!("a cluster's name has no dot: names with one belong to cells");
    }
    let hub = Hub::connect(global).await?;
    let member = Member::connect(&args.member).await?;
    member.is_hub(&hub.hub_client).await?;
    let clusters: Api<KubeFedCluster> =
        Api::namespaced(hub.hub_client.clone(), &hub.system_namespace);
    if clusters
        .get_opt(&args.member.name)
        .await
        .context("cannot ask the hub for its clusters")?
        .is_some()
    {
        bail!(
            "the hub already has a cluster \"{0}\": `fedctl unjoin {0}` first, or choose another name",
            args.member.name
        );
    }
    let rules = if args.least_privilege {
        least_privilege(&resolve::type_configs(&hub).await?, &args.proxy_as)?
    } else {
        all_rules()
    };
    if args.dry_run {
        outln!(
            "would make in {}: namespace {}, service account {}, its token, cluster role and binding {}",
            member.endpoint,
            hub.system_namespace,
            member.account,
            member.role()
        );
        outln!(
            "would make on the hub: secret and kubefedcluster {}",
            args.member.name
        );
        return Ok(());
    }
    let registration = Registration {
        name: args.member.name.clone(),
        secret_name: args.secret_name.clone(),
        labels: pairs(&args.labels, "labels")?,
        annotations: args
            .least_privilege
            .then(|| {
                let least = annotations::GRANTS_LEAST_PRIVILEGE;
                (annotations::GRANTS.to_owned(), least.to_owned())
            })
            .into_iter()
            .collect(),
        tunnel_endpoint: None,
        rules,
    };
    let made = member
        .register(&hub.hub_client, &hub.system_namespace, registration)
        .await?;
    if !print::object(global.output, &made)? {
        outln!(
            "cluster {} joined ({}); make a cell in it with `fedctl cell create NAME --cluster {} -n NAMESPACE`",
            args.member.name,
            member.endpoint,
            args.member.name
        );
    }
    Ok(())
}

/// Takes the member away from the hub, and fedctl's objects out of the member.
pub(crate) async fn unjoin(global: &Global, args: &Unjoin) -> anyhow::Result<()> {
    let hub = Hub::connect(global).await?;
    let clusters: Api<KubeFedCluster> =
        Api::namespaced(hub.hub_client.clone(), &hub.system_namespace);
    let Some(cluster) = clusters
        .get_opt(&args.member.name)
        .await
        .context("cannot ask the hub for its clusters")?
    else {
        bail!("the hub has no cluster \"{}\"", args.member.name);
    };
    let member = match Member::connect(&args.member).await {
        Ok(member) => {
            let is_hub = member.is_hub(&hub.hub_client).await?;
            Some((member, is_hub))
        }
        Err(error) if args.force => {
            eprintln!(
                "warning: the member's own objects stay: {}",
                print::chain(&error)
            );
            None
        }
        Err(error) => {
            return Err(
                error.context("cannot reach the member to clean up (go on without with --force)")
            );
        }
    };
    if args.dry_run {
        outln!(
            "would delete on the hub: kubefedcluster {} and its secret {}",
            args.member.name,
            cluster.spec.secret_ref.name
        );
        return Ok(());
    }
    if let Some((member, is_hub)) = &member
        && let Err(error) = member.clean(&hub.system_namespace, *is_hub).await
    {
        if !args.force {
            return Err(error.context("cannot clean up the member (go on without with --force)"));
        }
        eprintln!("warning: {}", print::chain(&error));
    }
    delete::<KubeFedCluster>(&clusters, &args.member.name).await?;
    let secrets: Api<Secret> = Api::namespaced(hub.hub_client.clone(), &hub.system_namespace);
    delete::<Secret>(&secrets, &cluster.spec.secret_ref.name).await?;
    outln!(
        "cluster {} unjoined; what was propagated to it stays there",
        args.member.name
    );
    Ok(())
}
