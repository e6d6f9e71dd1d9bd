//! `fedctl join --tunnel`: a member that only its agent connects to the hub.
//!
//! Standard output is what the member gets, so that it can be piped; everything said about it goes to standard error.

use std::io::IsTerminal;

use anyhow::{Context, bail};
use federation_api::KubeFedCluster;
use federation_api::install::{AgentOptions, HubAccess, agent_objects};
use federation_tunnel::identity::BootstrapToken;
use federation_tunnel::{HostPort, Seams};
use serde_json::Value;

use super::join::{registration, rules, taken};
use crate::bootstrap::{self, HubTunnel};
use crate::cli::{AgentForm, Global, Join};
use crate::hub::Hub;
use crate::print;
use crate::registration::{Member, register_for_agent};

/// Registers the member on the hub, with what its agent needs to be known.
pub(super) async fn join(global: &Global, hub: &Hub, args: &Join) -> anyhow::Result<()> {
    let name = &args.member.name;
    let hub_tunnel = HubTunnel::of(&hub.hub_client, &hub.system_namespace).await?;
    let held = hub.find_cluster(name).await?;
    let known = registered(name, held, args.agent.new_token)?;
    if args.dry_run {
        match known {
            Some(_) => outln!("would make on the hub: a one-time token for the agent of {name}"),
            None => outln!(
                "would make on the hub: kubefedcluster {name} (reached through its agent), and a one-time token for its agent"
            ),
        }
        return Ok(());
    }
    let account = account(args);
    let (cluster, access) = match known {
        Some(cluster) => (cluster, chosen(hub, args).await?),
        None => register(hub, args).await?,
    };
    let life = args.agent.token_life.get();
    let token = bootstrap::issue(&hub.hub_client, &hub.system_namespace, &cluster, life).await?;
    if print::object(global.output, &cluster)? {
        // Whoever wants the object asks for the agent's part separately.
        eprintln!("token for the agent: {}", token.expose());
        return Ok(());
    }
    eprintln!(
        "cluster {name} is registered; it is ready as soon as its agent is connected. The agent's token is good once, for {}.",
        args.agent.token_life
    );
    match args.agent.agent {
        AgentForm::Manifest => {
            let access = access.map(|rules| HubAccess { account, rules });
            manifest(args, hub, &hub_tunnel, &token, access)
        }
        AgentForm::Command => {
            command(args, &hub_tunnel, &token, access.is_some());
            Ok(())
        }
        AgentForm::Konnectivity => konnectivity(args, &hub_tunnel, &token, access.is_some()),
    }
}

/// The cluster for which a new token is wanted, or `None` for one that is to be registered; nothing is registered by mistake.
fn registered(
    name: &str,
    held: Option<KubeFedCluster>,
    new_token: bool,
) -> anyhow::Result<Option<KubeFedCluster>> {
    match held {
        Some(cluster) if new_token && cluster.wants_tunnel() => Ok(Some(cluster)),
        Some(_) if new_token => {
            bail!("cluster {name} is not reached through an agent: it needs no token")
        }
        Some(_) => Err(taken(name)),
        None if new_token => bail!(
            "the hub has no cluster \"{name}\" that could need a new token: `kubectl get kubefedclusters -A` shows those that it has; \
             without --new-token it is registered"
        ),
        None => Ok(None),
    }
}

/// Name of the hub's account in the member: `kubefedctl`'s.
fn account(args: &Join) -> String {
    format!("{}-{}", args.member.name, args.member.host_cluster_name)
}

/// Whether the user gave a kubeconfig of the member: then the hub's account is made with it, here and now.
fn is_reachable(args: &Join) -> bool {
    args.member.cluster_kubeconfig.is_some() || args.member.cluster_context.is_some()
}

/// The rules of the account that the agent is to hand in; `None` if that is not the agent's part.
async fn chosen(hub: &Hub, args: &Join) -> anyhow::Result<Option<Value>> {
    match is_reachable(args) {
        true => Ok(None),
        false => rules(hub, args).await.map(Some),
    }
}

async fn register(hub: &Hub, args: &Join) -> anyhow::Result<(KubeFedCluster, Option<Value>)> {
    let rules = rules(hub, args).await?;
    let wanted = registration(args, rules.clone())?;
    if is_reachable(args) {
        let member = Member::connect(&args.member).await?;
        member.is_hub(&hub.hub_client).await?;
        let made = member
            .register(&hub.hub_client, &hub.system_namespace, wanted)
            .await?;
        return Ok((made, None));
    }
    let secret = args.secret_name.clone().unwrap_or_else(|| {
        let random = format!("{:032x}", Seams::system().random());
        format!("{}-{}", args.member.name, &random[..5])
    });
    let made = register_for_agent(&hub.hub_client, &hub.system_namespace, wanted, secret).await?;
    Ok((made, Some(rules)))
}

/// Prints the objects for the member: bare for a pipe, as a command for a person.
fn manifest(
    args: &Join,
    hub: &Hub,
    hub_tunnel: &HubTunnel,
    token: &BootstrapToken,
    access: Option<HubAccess>,
) -> anyhow::Result<()> {
    let objects = agent_objects(&AgentOptions {
        namespace: hub.system_namespace.clone(),
        image: args.agent.agent_image.clone(),
        hubs: hub_tunnel.hubs.clone(),
        authority: hub_tunnel.authority.clone(),
        token: token.expose(),
        access,
    });
    let mut text = String::new();
    for object in &objects {
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(object).context("cannot print as YAML")?);
    }
    if std::io::stdout().is_terminal() {
        eprintln!("Run this in the member:\n");
        outln!("kubectl apply -f - <<'END'\n{text}END");
    } else {
        eprintln!("Apply standard output in the member, with kubectl apply -f -");
        out!("{text}");
    }
    Ok(())
}

/// Where the printed command lines keep an agent's identity.
const STATE: &str = "/var/lib/koinon-agent";

/// The command line of our agent as far as it gets a certificate.
fn enrolling(hub_tunnel: &HubTunnel, token: &BootstrapToken, hands_in: bool) -> String {
    format!(
        "KOINON_BOOTSTRAP_TOKEN={} proxy-agent --hub={} --ca-hash={} --state-dir={STATE}{}",
        token.expose(),
        hub_tunnel.hubs.join(","),
        hub_tunnel.hash,
        if hands_in {
            " --member-account-dir=DIR"
        } else {
            ""
        },
    )
}

/// Prints the command lines of upstream's agent: ours gets the certificate for it.
fn konnectivity(
    args: &Join,
    hub_tunnel: &HubTunnel,
    token: &BootstrapToken,
    hands_in: bool,
) -> anyhow::Result<()> {
    let first = hub_tunnel.hubs.first().context("the hub is nowhere")?;
    let hub: HostPort = first.parse().context("the hub's address cannot be used")?;
    eprintln!(
        "Run these in the member. The first gets the agent's certificate. Run it once a week (without the token), and restart konnectivity-agent when that has renewed \
         the certificate{}:\n",
        if hands_in {
            ". DIR holds the token (`token`) and the authority (`ca.crt`) of an account for the hub"
        } else {
            ""
        }
    );
    outln!(
        "{} --certificate-only",
        enrolling(hub_tunnel, token, hands_in)
    );
    outln!(
        "konnectivity-agent --ca-cert={STATE}/authorities.pem --agent-cert={STATE}/identity.pem --agent-key={STATE}/identity.pem \
         --proxy-server-host={} --proxy-server-port={} --agent-identifiers=host={}",
        hub.host(),
        hub.port(),
        args.member.name,
    );
    Ok(())
}

/// Prints the command line of an agent that runs beside the member.
fn command(args: &Join, hub_tunnel: &HubTunnel, token: &BootstrapToken, hands_in: bool) {
    eprintln!(
        "Run this beside the member; --api-server is where the agent finds its API server{}:\n",
        if hands_in {
            ", DIR holds the token (`token`) and the authority (`ca.crt`) of an account for the hub"
        } else {
            ""
        }
    );
    let mut line = enrolling(hub_tunnel, token, hands_in) + " --api-server=HOST:PORT";
    let default = federation_api::tunnel::API_ENDPOINT;
    if args.agent.api_endpoint != default {
        let target = args.agent.api_endpoint.trim_start_matches("https://");
        line.push_str(&format!(" --allow={target}"));
    }
    outln!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_token_is_for_clusters_that_there_are() {
        let spec = r#"{"apiEndpoint": "https://m", "secretRef": {"name": "m"}}"#;
        let direct = KubeFedCluster::new("m", serde_json::from_str(spec).unwrap());
        let mut behind = direct.clone();
        behind.metadata.annotations = Some(
            [(
                federation_api::annotations::CONNECTION.to_owned(),
                federation_api::annotations::CONNECTION_TUNNEL.to_owned(),
            )]
            .into(),
        );
        let of = |held: &KubeFedCluster, new_token| registered("m", Some(held.clone()), new_token);
        assert!(of(&behind, true).unwrap().is_some());
        assert!(of(&behind, false).is_err());
        assert!(of(&direct, true).is_err());
        assert!(registered("m", None, true).is_err());
        assert!(registered("m", None, false).unwrap().is_none());
    }
}
