//! The command line of the binary: KubeFed's flags, and ours.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use federation_api::crd::ConversionStrategy;
use federation_api::names;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::runtime::{self, ControllerConfig};
use crate::work::RateLimit;

/// How long the hub may take to say what it is.
const VERSION_PATIENCE: Duration = Duration::from_secs(10);

/// Koinon's reconcilers: type configs, cluster health, cells, propagation and status return.
///
/// Reads everything from the hub's API. Several processes may run; one leads, the others stand by.
#[derive(Debug, Parser)]
#[command(name = "federation-controller", version, about)]
pub struct Cli {
    /// Kubeconfig of the hub. Default: $KUBECONFIG, ~/.kube/config, or the service account of the pod.
    #[arg(long, env = "KUBECONFIG")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig. Default: its current one.
    #[arg(long)]
    context: Option<String>,
    /// Address of the hub's API server; overrides the kubeconfig's.
    #[arg(long)]
    master: Option<http::Uri>,
    /// Namespace that holds clusters, their Secrets, type configs and the KubeFedConfig.
    #[arg(long, default_value = names::SYSTEM_NAMESPACE)]
    kubefed_namespace: String,
    /// Address of /healthz and /readyz.
    #[arg(long, default_value = "0.0.0.0:8080")]
    healthz_addr: SocketAddr,
    /// Address of /metrics.
    #[arg(long, default_value = "0.0.0.0:9090")]
    metrics_addr: SocketAddr,
    /// Requests per second to the hub; 0 means no limit.
    #[arg(long, default_value_t = RateLimit::HUB.per_second)]
    rest_config_qps: f64,
    /// Requests to the hub that may go out at once.
    #[arg(long, default_value_t = RateLimit::HUB.burst)]
    rest_config_burst: u32,
    /// Requests per second to each member; 0 means no limit.
    #[arg(long, default_value_t = RateLimit::MEMBER.per_second)]
    member_qps: f64,
    /// Requests to each member that may go out at once.
    #[arg(long, default_value_t = RateLimit::MEMBER.burst)]
    member_burst: u32,
    /// Seconds that a request to the hub or a member may take.
    #[arg(long, default_value_t = 15)]
    request_timeout: u64,
    /// Do not elect a leader: for a single process only.
    #[arg(long)]
    no_leader_elect: bool,
    /// URL of the conversion webhook, for a hub that is an ordinary Kubernetes cluster and a webhook outside of it, such as
    /// https://10.0.0.7:9443.
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "conversion_webhook_service"
    )]
    conversion_webhook_url: Option<String>,
    /// Service of the conversion webhook, for a hub that is an ordinary Kubernetes cluster. With neither of the two the hub
    /// must be federation-apiserver, which converts by itself.
    #[arg(long, value_name = "NAMESPACE/NAME[:PORT]")]
    conversion_webhook_service: Option<String>,
}

impl Cli {
    /// Runs the controller until SIGINT or SIGTERM, or until leadership is lost.
    ///
    /// # Errors
    /// If settings are unusable, the hub cannot be configured, or leadership is lost: the process should then exit, and
    /// whoever runs it starts it again.
    pub async fn run(self) -> anyhow::Result<()> {
        let hub_config = self.hub_config().await?;
        let config = self.controller_config()?;
        if config.conversion == ConversionStrategy::InProcess {
            refuse_foreign_hub(&hub_config).await?;
        }
        let shutdown = CancellationToken::new();
        tokio::spawn(cancel_on_signal(shutdown.clone()));
        runtime::run(config, hub_config, shutdown).await?;
        Ok(())
    }

    async fn hub_config(&self) -> anyhow::Result<kube::Config> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let mut config = match &self.kubeconfig {
            Some(path) => {
                let kubeconfig = Kubeconfig::read_from(path)
                    .with_context(|| format!("cannot read kubeconfig {}", path.display()))?;
                kube::Config::from_custom_kubeconfig(kubeconfig, &options)
                    .await
                    .context("cannot use the kubeconfig")?
            }
            None if self.context.is_some() => kube::Config::from_kubeconfig(&options)
                .await
                .context("cannot use the kubeconfig")?,
            None => kube::Config::infer()
                .await
                .context("no kubeconfig and no service account: give --kubeconfig")?,
        };
        if let Some(master) = &self.master {
            config.cluster_url = master.clone();
        }
        Ok(config)
    }

    fn controller_config(self) -> anyhow::Result<ControllerConfig> {
        let conversion = conversion(
            self.conversion_webhook_url.as_deref(),
            self.conversion_webhook_service.as_deref(),
        )?;
        Ok(ControllerConfig {
            namespace: self.kubefed_namespace,
            leader_elect: !self.no_leader_elect,
            healthz_address: Some(self.healthz_addr),
            metrics_address: Some(self.metrics_addr),
            hub_rate: RateLimit {
                per_second: self.rest_config_qps,
                burst: self.rest_config_burst,
            },
            member_rate: RateLimit {
                per_second: self.member_qps,
                burst: self.member_burst,
            },
            request_timeout: Duration::from_secs(self.request_timeout.max(1)),
            conversion,
            delays: None,
        })
    }
}

/// Without a webhook, an ordinary API server would only rename `apiVersion` and lose what the other version cannot hold. A hub
/// that does not answer now is not refused: nothing can be defined on it either.
async fn refuse_foreign_hub(hub_config: &kube::Config) -> anyhow::Result<()> {
    let hub_client = kube::Client::try_from(hub_config.clone()).context("cannot use the hub")?;
    let asked = tokio::time::timeout(VERSION_PATIENCE, hub_client.apiserver_version());
    if let Ok(Ok(version)) = asked.await {
        anyhow::ensure!(
            version.git_version.contains("koinon"),
            "the hub is Kubernetes {}, which needs a webhook to convert federated objects: install one with `fedctl init`, and give \
             --conversion-webhook-service or --conversion-webhook-url",
            version.git_version
        );
    }
    Ok(())
}

/// How the hub converts, as the flags say.
fn conversion(url: Option<&str>, service: Option<&str>) -> anyhow::Result<ConversionStrategy> {
    let path = names::WEBHOOK_CONVERT;
    let client_config = match (url, service) {
        (None, None) => return Ok(ConversionStrategy::InProcess),
        (Some(url), _) => {
            anyhow::ensure!(
                url.starts_with("https://"),
                "--conversion-webhook-url {url}: API servers call only https://"
            );
            json!({"url": format!("{}{path}", url.trim_end_matches('/'))})
        }
        (None, Some(service)) => {
            let (namespace, name) = service.split_once('/').with_context(|| {
                format!("--conversion-webhook-service {service}: not NAMESPACE/NAME[:PORT]")
            })?;
            let (name, port) = name.split_once(':').unwrap_or((name, "443"));
            let port: u16 = port
                .parse()
                .with_context(|| format!("--conversion-webhook-service {service}: no port"))?;
            json!({"service": {"namespace": namespace, "name": name, "port": port, "path": path}})
        }
    };
    Ok(ConversionStrategy::Webhook { client_config })
}

async fn cancel_on_signal(shutdown: CancellationToken) {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        _ = interrupted => {}
        () = terminated => {}
    }
    shutdown.cancel();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_are_consistent_and_kubefeds_are_known() {
        Cli::command().debug_assert();
        let cli = Cli::try_parse_from([
            "federation-controller",
            "--kubefed-namespace=fed",
            "--healthz-addr=127.0.0.1:0",
            "--metrics-addr=127.0.0.1:0",
            "--rest-config-qps=100",
            "--rest-config-burst=200",
            "--master=http://127.0.0.1:1",
        ])
        .unwrap();
        let config = cli.controller_config().unwrap();
        assert_eq!(config.namespace, "fed");
        assert_eq!(config.hub_rate.burst, 200);
    }

    #[test]
    fn the_webhook_is_a_url_or_a_service() {
        let config = |url, service| match conversion(url, service).unwrap() {
            ConversionStrategy::Webhook { client_config } => client_config,
            ConversionStrategy::InProcess => json!(null),
        };
        assert_eq!(config(None, None), json!(null));
        assert_eq!(
            config(Some("https://a:1/"), None),
            json!({"url": "https://a:1/convert"})
        );
        assert_eq!(
            config(None, Some("ns/web:9443")),
            json!({"service": {"namespace": "ns", "name": "web", "port": 9443, "path": "/convert"}})
        );
        for (url, service) in [
            (Some("http://a"), None),
            (None, Some("web")),
            (None, Some("a/b:x")),
        ] {
            assert!(conversion(url, service).is_err());
        }
    }
}
