//! `fedctl join` and `fedctl unjoin`.

use anyhow::bail;
use federation_api::annotations;
use federation_api::kinds::KubeFedCluster;
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use serde_json::Value;

use super::cell::pairs;
use super::rules::least_privilege;
use crate::cli::{Global, Join, Unjoin};
use crate::hub::Hub;
use crate::objects::delete;
use crate::registration::{Member, Registration, all_rules};
use crate::{bootstrap, print, resolve};

/// Registers the member.
pub(crate) async fn join(global: &Global, args: &Join) -> anyhow::Result<()> {
    if args.member.name.contains('.') {
        bail!("a cluster's name has no dot: names with one belong to cells");
    }
    let hub = Hub::connect(global).await?;
    if args.tunnel {
        return super::join_tunnel::join(global, &hub, args).await;
    }
    let member = Member::connect(&args.member).await?;
    member.is_hub(&hub.hub_client).await?;
    if hub.find_cluster(&args.member.name).await?.is_some() {
        return Err(taken(&args.member.name));
    }
    let rules = rules(&hub, args).await?;
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
    let registration = registration(args, rules)?;
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

pub(super) fn taken(name: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "the hub already has a cluster \"{name}\": `fedctl unjoin {name}` first, or choose another name"
    )
}

/// What the hub's account may do in the member.
pub(super) async fn rules(hub: &Hub, args: &Join) -> anyhow::Result<Value> {
    if args.least_privilege {
        least_privilege(&resolve::type_configs(hub).await?, &args.proxy_as)
    } else {
        Ok(all_rules())
    }
}

/// How the flags want a member to be registered.
pub(super) fn registration(args: &Join, rules: Value) -> anyhow::Result<Registration> {
    let least = annotations::GRANTS_LEAST_PRIVILEGE;
    Ok(Registration {
        name: args.member.name.clone(),
        secret_name: args.secret_name.clone(),
        labels: pairs(&args.labels, "labels")?,
        annotations: args
            .least_privilege
            .then(|| (annotations::GRANTS.to_owned(), least.to_owned()))
            .into_iter()
            .collect(),
        tunnel_endpoint: args.tunnel.then(|| args.agent.api_endpoint.clone()),
        rules,
    })
}

/// Takes the member away from the hub, and fedctl's objects out of the member.
pub(crate) async fn unjoin(global: &Global, args: &Unjoin) -> anyhow::Result<()> {
    let hub = Hub::connect(global).await?;
    let cluster = hub.cluster(&args.member.name).await?;
    let named = args.member.cluster_kubeconfig.is_some() || args.member.cluster_context.is_some();
    let connected = match cluster.wants_tunnel() && !named {
        // The hub's kubeconfig is all there is: it leads to no member.
        true => Err(anyhow::anyhow!(
            "the hub reaches it through its agent only: name its kubeconfig with --cluster-kubeconfig FILE"
        )),
        false => Member::connect(&args.member).await,
    };
    let member = match connected {
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
    delete::<KubeFedCluster>(&hub.clusters(), &args.member.name).await?;
    let secrets: Api<Secret> = Api::namespaced(hub.hub_client.clone(), &hub.system_namespace);
    delete::<Secret>(&secrets, &cluster.spec.secret_ref.name).await?;
    for token in bootstrap::of_cluster(&secrets, &args.member.name).await? {
        delete::<Secret>(&secrets, &token).await?;
    }
    outln!(
        "cluster {} unjoined; what was propagated to it stays there",
        args.member.name
    );
    Ok(())
}
