//! `fedctl init`: installs the add-on form on an existing cluster.

use std::time::Duration;

use anyhow::{Context, bail};
use federation_api::install::{Images, Options, Programs, objects};
use kube::Client;
use serde_json::Value;

use super::install::{apply, ready};
use crate::cli::{DryRun, Global, Init, Output};
use crate::hub::Hub;
use crate::print;

/// How long definitions may take to be served.
const DEFINITIONS_PATIENCE: Duration = Duration::from_secs(60);

/// Installs or upgrades.
pub(crate) async fn init(global: &Global, args: &Init) -> anyhow::Result<()> {
    let options = options(global, args)?;
    let objects = objects(&options);
    if args.dry_run == DryRun::Client {
        return print_objects(global.output, &objects);
    }
    let hub = Hub::connect(global).await?;
    check(&hub.hub_client).await?;
    let is_dry = args.dry_run == DryRun::Server;
    for (index, object) in objects.iter().enumerate() {
        let is_definition = |object: &Value| object["kind"] == "CustomResourceDefinition";
        let applied = apply::apply(&hub.hub_client, object, is_dry).await?;
        outln!("{applied}{}", if is_dry { " (server dry run)" } else { "" });
        let was_last = !objects.get(index + 1).is_some_and(is_definition);
        if is_definition(object) && was_last && !is_dry {
            ready::definitions(&hub.hub_client, &objects, DEFINITIONS_PATIENCE).await?;
        }
    }
    if is_dry {
        return Ok(());
    }
    if let Programs::Outside { webhook_url } = &options.programs {
        print_commands(&options.namespace, webhook_url);
    }
    if args.wait {
        let patience = Duration::from_secs(args.timeout);
        ready::wait(&hub.hub_client, &options, patience).await?;
        outln!("Koinon is ready; next: `fedctl join NAME --cluster-kubeconfig FILE`");
    } else {
        outln!("applied; `fedctl init --wait` with the same flags waits until it works");
    }
    Ok(())
}

fn options(global: &Global, args: &Init) -> anyhow::Result<Options> {
    let programs = match &args.external_webhook_url {
        Some(url) => Programs::Outside {
            webhook_url: checked_url(url)?.to_owned(),
        },
        None => Programs::InCluster(Images {
            registry: args.registry.clone(),
            tag: args.tag.clone(),
            webhook_replicas: args.webhook_replicas,
            controller_replicas: args.controller_replicas,
        }),
    };
    Ok(Options {
        namespace: global.kubefed_namespace.clone(),
        programs,
    })
}

/// API servers call webhooks by HTTPS only; the paths are ours.
fn checked_url(url: &str) -> anyhow::Result<&str> {
    let url = url.trim_end_matches('/');
    let rest = url
        .strip_prefix("https://")
        .with_context(|| format!("--external-webhook-url {url}: must begin with https://"))?;
    if rest.is_empty() || rest.contains(['/', '?', '#', '@', ' ']) {
        bail!(
            "--external-webhook-url {url}: must be https://HOST or https://HOST:PORT, nothing more"
        );
    }
    Ok(url)
}

/// Is this a cluster to install on?
async fn check(hub_client: &Client) -> anyhow::Result<()> {
    let version = hub_client
        .apiserver_version()
        .await
        .context("cannot reach the cluster")?;
    if version.git_version.contains("koinon") {
        bail!(
            "this is a Koinon hub already: it converts and admits by itself, and needs only a controller"
        );
    }
    let minor = version.minor.trim_end_matches('+').parse().unwrap_or(0);
    if (version.major.as_str(), minor) < ("1", 25) {
        bail!(
            "the cluster runs Kubernetes {}: 1.25 or newer is needed",
            version.git_version
        );
    }
    Ok(())
}

/// As documents that kubectl can apply, or as a list.
fn print_objects(output: Option<Output>, objects: &[Value]) -> anyhow::Result<()> {
    match output {
        Some(Output::Json) => print::list(output, objects).map(|_| ()),
        _ => {
            for object in objects {
                outln!("---");
                print::object(Some(Output::Yaml), object)?;
            }
            Ok(())
        }
    }
}

fn print_commands(namespace: &str, url: &str) {
    let authority = url.trim_start_matches("https://");
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "443"));
    outln!("run outside the cluster:");
    outln!(
        "  federation-apiserver webhook --kubeconfig FILE --namespace {namespace} --listen 0.0.0.0:{port} --host {host}"
    );
    outln!(
        "  federation-controller --kubeconfig FILE --kubefed-namespace {namespace} --conversion-webhook-url {url}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_https_urls_are_taken() {
        assert_eq!(checked_url("https://a:9443/").unwrap(), "https://a:9443");
        for url in [
            "http://a",
            "a:9443",
            "https://",
            "https://a/convert",
            "https://u@a",
        ] {
            assert!(checked_url(url).is_err(), "{url}");
        }
    }
}
