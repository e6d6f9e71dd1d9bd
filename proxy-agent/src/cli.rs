//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use federation_tunnel::identity::Pin;
use federation_tunnel::{AllowRule, HostPort};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// What the agent connects to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// A hub of Koinon's.
    #[default]
    Koinon,
    /// The proxy-server of apiserver-network-proxy, as a konnectivity-agent.
    Konnectivity,
}

/// Connects a member cluster to its hub. The agent dials out; nothing needs to reach it.
///
/// At its first start it shows a one-time bootstrap token and gets a certificate, which it renews by itself. Flags of konnectivity-agent that mean
/// the same here are taken too.
#[derive(Clone, Debug, Parser)]
#[command(name = "proxy-agent", version)]
pub struct Cli {
    /// What is at the other end. konnectivity needs --proxy-server-host, --ca-cert and either --agent-cert with --agent-key or --service-account-token-path
    #[arg(long, value_enum, default_value_t)]
    pub protocol: Protocol,
    /// As konnectivity-agent's, for --protocol=konnectivity; default: a new one for each process
    #[arg(long)]
    pub agent_id: Option<String>,
    /// The hub's tunnel endpoint, host:port. May be given several times, once per hub process
    #[arg(long, env = "KOINON_HUB", value_delimiter = ',')]
    pub hub: Vec<HostPort>,
    /// Host of the hub's tunnel endpoint, where --hub is not given
    #[arg(long, conflicts_with = "hub")]
    pub proxy_server_host: Option<String>,
    /// Port of the hub's tunnel endpoint, where --hub is not given
    #[arg(long, default_value_t = 8091)]
    pub proxy_server_port: u16,
    /// HTTP proxy on the way to the hub, http://[user:password@]host:port
    #[arg(long, env = "HTTPS_PROXY", hide_env_values = true)]
    pub https_proxy: Option<String>,
    /// The name that the hub's certificate must carry, where it is not the tunnel's own
    #[arg(long)]
    pub server_name: Option<String>,
    /// File with the certificate authority of the hub's tunnel endpoint, PEM
    #[arg(long, conflicts_with = "ca_hash")]
    pub ca_cert: Option<PathBuf>,
    /// Hash of that authority's public key, sha256:<hex>, instead of its certificate
    #[arg(long, env = "KOINON_CA_HASH", value_delimiter = ',')]
    pub ca_hash: Vec<Pin>,
    /// Directory with what the hub's operator handed out (a mounted Secret): `hub`, `token`, and `ca.crt` or `ca-hash`. Flags win over it
    #[arg(long)]
    pub bootstrap_dir: Option<PathBuf>,
    /// File with the one-time bootstrap token
    #[arg(long)]
    pub bootstrap_token_file: Option<PathBuf>,
    /// The one-time bootstrap token itself; better in the environment than on the command line
    #[arg(long, env = "KOINON_BOOTSTRAP_TOKEN", hide_env_values = true)]
    pub bootstrap_token: Option<String>,
    /// Directory with the account that the hub is to use in this cluster (a mounted Secret of a service account: `token` and `ca.crt`). The hub
    /// gets it with every request for a certificate, so that nobody has to carry it there
    #[arg(long)]
    pub member_account_dir: Option<PathBuf>,
    /// Directory for the agent's key and certificate, made if needed, readable by its owner only
    #[arg(long, default_value = "/var/lib/koinon-agent")]
    pub state_dir: PathBuf,
    /// Get a certificate into --state-dir, or renew it if that is due, and exit: for konnectivity-agent, which cannot do so. `identity.pem` there holds
    /// key and chain, `authorities.pem` whom to trust. Run it again before the agent starts, and from time to time
    #[arg(long, conflicts_with = "agent_cert")]
    pub certificate_only: bool,
    /// File with a certificate chain that someone else issues and renews, PEM; together with --agent-key
    #[arg(long, requires = "agent_key")]
    pub agent_cert: Option<PathBuf>,
    /// File with the key of --agent-cert, PEM
    #[arg(long, requires = "agent_cert")]
    pub agent_key: Option<PathBuf>,
    /// Serve only this one of the clusters in the certificate. May be given several times
    #[arg(long)]
    pub cluster: Vec<String>,
    /// As konnectivity-agent's: cluster=<name> serves only this one of the clusters in the certificate; other keys have no meaning here
    #[arg(long)]
    pub agent_identifiers: Option<String>,
    /// Token of a service account, for hubs that know agents by it. Koinon's do not: they know agents by certificate
    #[arg(long)]
    pub service_account_token_path: Option<PathBuf>,
    /// Where the member's API server is, host:port; default: where Pods find it, or else what kubernetes.default.svc resolves to
    #[arg(long)]
    pub api_server: Option<HostPort>,
    /// Set in every Pod.
    #[arg(long, hide = true, env = "KUBERNETES_SERVICE_HOST")]
    pub kubernetes_service_host: Option<String>,
    /// Set in every Pod.
    #[arg(
        long,
        hide = true,
        env = "KUBERNETES_SERVICE_PORT",
        default_value_t = 443
    )]
    pub kubernetes_service_port: u16,
    /// A target besides the API server that the hub may connect to: host:port, *.domain:port or network/bits:port; the port may be *
    #[arg(long)]
    pub allow: Vec<AllowRule>,
    /// Connections to each hub process, 1 to 4
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub connections: u8,
    /// Seconds that open streams get to end after SIGTERM
    #[arg(long, default_value_t = 30)]
    pub grace_seconds: u64,
    /// Address for /healthz, /readyz and /metrics
    #[arg(long, default_value = "0.0.0.0")]
    pub health_bind_address: IpAddr,
    /// Port for /healthz, /readyz and /metrics; 0 turns it off
    #[arg(long, default_value_t = 8093)]
    pub health_server_port: u16,
    /// What to log, as tracing's filters say it
    #[arg(long, env = "KOINON_LOG", default_value = "info")]
    pub log: String,
    /// How log lines look
    #[arg(long, value_enum, default_value_t)]
    pub log_format: LogFormat,
}
