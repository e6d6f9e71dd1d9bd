//! The flags of `federation-apiserver webhook`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use federation_api::{GoDuration, names};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::{WebhookConfig, WebhookError};
use crate::config::LogFormat;

/// Flags of `webhook`. What is not given is taken from the environment, then the default.
#[derive(Clone, Debug, Args)]
pub struct WebhookArgs {
    /// Kubeconfig of the cluster [default: ~/.kube/config, else the service account of the pod].
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Context of that kubeconfig [default: its current one].
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Address and port to listen on.
    #[arg(
        long,
        env = "KOINON_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "0.0.0.0:9443"
    )]
    listen: SocketAddr,
    /// Address and port of /healthz, /readyz and /metrics, in plain HTTP.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8080")]
    health_listen: SocketAddr,
    /// Namespace of the installation.
    #[arg(long, value_name = "NAME", default_value = names::SYSTEM_NAMESPACE)]
    namespace: String,
    /// Name or address under which API servers reach the webhook, for its certificate; may be repeated [the Service's
    /// and localhost always].
    #[arg(long = "host", value_delimiter = ',', value_name = "HOST")]
    hosts: Vec<String>,
    /// Certificate (PEM, the leaf first) to serve with instead of an own one; read again when it changes.
    #[arg(long, value_name = "FILE", requires = "tls_key_file")]
    tls_cert_file: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert_file")]
    tls_key_file: Option<PathBuf>,
    /// The CA (PEM) of that certificate, to be written to where API servers look for it.
    #[arg(long, value_name = "FILE", requires = "tls_cert_file")]
    ca_file: Option<PathBuf>,
    /// How long an own CA lives; the next one is introduced when a third is left.
    #[arg(long, value_name = "DURATION", default_value = "17520h")]
    ca_lifetime: GoDuration,
    /// How long an own serving certificate lives; it is renewed when a third is left.
    #[arg(long, value_name = "DURATION", default_value = "2160h")]
    certificate_lifetime: GoDuration,
    /// Seconds for which /readyz fails at shutdown before connections are refused.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    shutdown_delay_seconds: u64,
    /// How log lines look.
    #[arg(long, env = "KOINON_LOG_FORMAT", value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Which log lines there are: a level or a filter.
    #[arg(
        long,
        env = "KOINON_LOG",
        value_name = "FILTER",
        default_value = "info"
    )]
    pub(crate) log: String,
}

impl WebhookArgs {
    /// The settings, and a client of the cluster.
    ///
    /// # Errors
    /// If it is not said how to reach the cluster.
    pub async fn into_config(self) -> Result<(WebhookConfig, Client), WebhookError> {
        let client = Client::try_from(self.cluster().await?).map_err(WebhookError::Client)?;
        let config = WebhookConfig {
            listen: self.listen,
            health_listen: self.health_listen,
            namespace: self.namespace,
            hosts: self.hosts,
            files: self.tls_cert_file.zip(self.tls_key_file),
            ca_file: self.ca_file,
            ca_lifetime: self.ca_lifetime.get(),
            certificate_lifetime: self.certificate_lifetime.get(),
            shutdown_delay: std::time::Duration::from_secs(self.shutdown_delay_seconds),
        };
        Ok((config, client))
    }

    async fn cluster(&self) -> Result<Config, WebhookError> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let Some(path) = &self.kubeconfig else {
            return match self.context {
                None => Config::infer().await.map_err(unconfigured),
                Some(_) => Config::from_kubeconfig(&options)
                    .await
                    .map_err(unconfigured),
            };
        };
        let kubeconfig = Kubeconfig::read_from(path).map_err(unconfigured)?;
        Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(unconfigured)
    }
}

fn unconfigured(error: impl std::error::Error + Send + Sync + 'static) -> WebhookError {
    WebhookError::Unconfigured(Box::new(error))
}
