//! From the command line to an agent's parts.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use federation_tunnel::identity::{Pin, Trust, TrustError};
use federation_tunnel::konnectivity::IdentifiersError;
use federation_tunnel::{
    AddressError, AgentConfig, AgentParts, AllowList, HostPort, IdentityStore, ProxyError, Seams,
    TcpConnector, TcpUpstream,
};

use crate::cli::Cli;
use crate::state::{FileIdentity, GivenFiles, TokenSource};

/// The agent was told too little, or something wrong.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No hub.
    #[error("no hub is given: --hub, --proxy-server-host, or a file `hub` in --bootstrap-dir")]
    NoHub,
    /// A host that is none.
    #[error("the hub's address cannot be used")]
    Address(#[source] AddressError),
    /// A flag that --protocol=konnectivity needs.
    #[error("--protocol=konnectivity needs {0}")]
    Konnectivity(&'static str),
    /// Identifiers that are none.
    #[error("--agent-identifiers cannot be used")]
    Identifiers(#[source] IdentifiersError),
    /// Nothing to know the hub by.
    #[error(
        "nothing is given to know the hub by: --ca-cert, --ca-hash, or `ca.crt` or `ca-hash` in --bootstrap-dir"
    )]
    NoTrust,
    /// A proxy that is none.
    #[error("the proxy on the way to the hub cannot be used")]
    Proxy(#[source] ProxyError),
    /// A bundle that cannot be used.
    #[error("the hub's certificate authority cannot be used")]
    Trust(#[source] TrustError),
    /// A hash that is none.
    #[error("the hash of the hub's certificate authority cannot be used")]
    Pin(#[source] federation_tunnel::identity::PinError),
    /// A file cannot be read, or the state directory cannot be made.
    #[error("{path} cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// All that an agent is made of.
#[derive(Debug)]
pub struct Setup {
    /// How it behaves.
    pub config: AgentConfig,
    /// What it meets the world through.
    pub parts: AgentParts,
    /// What to tell the operator about flags without effect.
    pub remarks: Vec<String>,
}

impl Setup {
    /// Reads what the flags name.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn from_cli(cli: &Cli) -> Result<Self, SetupError> {
        let allow = allowed(cli);
        let mut hubs = hubs(cli)?;
        let mut config = AgentConfig::new(hubs.remove(0), trust(cli)?);
        config.hubs.append(&mut hubs);
        if let Some(name) = &cli.server_name {
            config.server_name.clone_from(name);
        }
        config.connections = cli.connections.into();
        config.grace = Duration::from_secs(cli.grace_seconds);
        config.allow = allow.clone();
        let mut remarks = Vec::new();
        config.clusters = clusters(cli, &mut remarks);
        if cli.service_account_token_path.is_some() {
            remarks.push("--service-account-token-path has no effect: the hub knows its agents by certificate".to_owned());
        }
        Ok(Self {
            config,
            parts: AgentParts {
                connector: Arc::new(connector(cli)?),
                upstream: Arc::new(upstream(cli, &allow)?),
                store: store(cli)?,
                seams: Seams::system(),
            },
            remarks,
        })
    }
}

/// What may be dialled: the API server, and what the flags add.
pub(crate) fn allowed(cli: &Cli) -> AllowList {
    let mut allow = AllowList::default();
    for rule in &cli.allow {
        allow.push(rule.clone());
    }
    allow
}

/// How targets are reached.
pub(crate) fn upstream(cli: &Cli, allow: &AllowList) -> Result<TcpUpstream, SetupError> {
    let upstream = TcpUpstream::new(allow.clone());
    Ok(match api_server(cli)? {
        Some(address) => upstream.alias(HostPort::api_server(), address),
        None => upstream,
    })
}

fn file<T>(path: &Path, result: io::Result<T>) -> Result<T, SetupError> {
    result.map_err(|source| SetupError::File {
        path: path.to_owned(),
        source,
    })
}

/// The way out. An empty variable means no proxy, as elsewhere.
pub(crate) fn connector(cli: &Cli) -> Result<TcpConnector, SetupError> {
    match cli.https_proxy.as_deref().map(str::trim) {
        None | Some("") => Ok(TcpConnector::default()),
        Some(proxy) => proxy
            .parse()
            .map(TcpConnector::through)
            .map_err(SetupError::Proxy),
    }
}

/// A file of the bootstrap directory, if both are there.
fn handed_out(cli: &Cli, name: &str) -> Result<Option<String>, SetupError> {
    let Some(directory) = &cli.bootstrap_dir else {
        return Ok(None);
    };
    let path = directory.join(name);
    match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => file(&path, read).map(Some),
    }
}

fn hubs(cli: &Cli) -> Result<Vec<HostPort>, SetupError> {
    if !cli.hub.is_empty() {
        return Ok(cli.hub.clone());
    }
    if let Some(host) = &cli.proxy_server_host {
        let host = host.parse().map_err(SetupError::Address)?;
        let hub = HostPort::new(host, cli.proxy_server_port).map_err(SetupError::Address)?;
        return Ok(vec![hub]);
    }
    let given = handed_out(cli, "hub")?.unwrap_or_default();
    let hubs: Vec<HostPort> = given
        .split([',', '\n'])
        .map(str::trim)
        .filter(|hub| !hub.is_empty())
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(SetupError::Address)?;
    if hubs.is_empty() {
        return Err(SetupError::NoHub);
    }
    Ok(hubs)
}

fn trust(cli: &Cli) -> Result<Trust, SetupError> {
    if let Some(path) = &cli.ca_cert {
        let bundle = file(path, std::fs::read(path))?;
        return Trust::from_pem(&bundle).map_err(SetupError::Trust);
    }
    if !cli.ca_hash.is_empty() {
        return Ok(Trust::Pins(cli.ca_hash.clone()));
    }
    if let Some(bundle) = handed_out(cli, "ca.crt")? {
        return Trust::from_pem(bundle.as_bytes()).map_err(SetupError::Trust);
    }
    let hashes = handed_out(cli, "ca-hash")?.unwrap_or_default();
    let pins: Vec<Pin> = hashes
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(SetupError::Pin)?;
    if pins.is_empty() {
        return Err(SetupError::NoTrust);
    }
    Ok(Trust::Pins(pins))
}

/// The clusters to narrow to. Of konnectivity's identifiers only `cluster` says something here.
fn clusters(cli: &Cli, remarks: &mut Vec<String>) -> Vec<String> {
    let mut clusters = cli.cluster.clone();
    for pair in cli
        .agent_identifiers
        .iter()
        .flat_map(|text| text.split('&'))
    {
        match pair.split_once('=') {
            Some(("cluster", name)) => clusters.push(name.to_owned()),
            _ if pair.is_empty() => {}
            _ => remarks.push(format!(
                "identifier {pair:?} has no effect: the certificate says which clusters are served"
            )),
        }
    }
    clusters
}

/// Where the API server is, if it is not to be asked of DNS.
fn api_server(cli: &Cli) -> Result<Option<HostPort>, SetupError> {
    if cli.api_server.is_some() {
        return Ok(cli.api_server.clone());
    }
    let Some(host) = &cli.kubernetes_service_host else {
        return Ok(None);
    };
    let host = host.parse().map_err(SetupError::Address)?;
    HostPort::new(host, cli.kubernetes_service_port)
        .map(Some)
        .map_err(SetupError::Address)
}

fn store(cli: &Cli) -> Result<Arc<dyn IdentityStore>, SetupError> {
    if let (Some(certificate), Some(key)) = (&cli.agent_cert, &cli.agent_key) {
        return Ok(Arc::new(GivenFiles {
            certificate: certificate.clone(),
            key: key.clone(),
        }));
    }
    let handed_out = cli.bootstrap_dir.as_ref().map(|dir| dir.join("token"));
    let token = TokenSource {
        given: cli.bootstrap_token.clone(),
        files: cli
            .bootstrap_token_file
            .clone()
            .into_iter()
            .chain(handed_out)
            .collect(),
    };
    let store = FileIdentity::with_token(&cli.state_dir, token);
    let store = file(&cli.state_dir, store)?;
    Ok(match &cli.member_account_dir {
        Some(account) => Arc::new(store.with_account(account)),
        None => Arc::new(store),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn setup(arguments: &[&str], state: &Path) -> Result<Setup, SetupError> {
        let state = format!("--state-dir={}", state.display());
        let all = ["proxy-agent", &state]
            .into_iter()
            .chain(arguments.iter().copied());
        Setup::from_cli(&Cli::try_parse_from(all).unwrap())
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let hash = format!("--ca-hash=sha256:{}", "ab".repeat(32));
        assert!(matches!(
            setup(&[&hash], directory.path()),
            Err(SetupError::NoHub)
        ));
        assert!(matches!(
            setup(&["--hub=h:1"], directory.path()),
            Err(SetupError::NoTrust)
        ));
        assert!(matches!(
            setup(&["--hub=h:1", "--ca-cert=/nowhere"], directory.path()),
            Err(SetupError::File { .. })
        ));
        assert!(matches!(
            setup(&["--proxy-server-host=a b", &hash], directory.path()),
            Err(SetupError::Address(_))
        ));
        assert!(Cli::try_parse_from(["proxy-agent", "--hub=nohost"]).is_err());
        assert!(Cli::try_parse_from(["proxy-agent", "--connections=5"]).is_err());
        assert!(Cli::try_parse_from(["proxy-agent", "--agent-cert=x"]).is_err());
    }

    #[test]
    fn a_mounted_secret_is_enough() {
        let directory = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write("hub", "hub-0.example:8091\nhub-1.example:8091\n");
        write("ca-hash", &format!("sha256:{}\n", "ab".repeat(32)));
        let given = format!("--bootstrap-dir={}", directory.path().display());
        let state = directory.path().join("state");
        let setup = setup(&[&given, "--agent-identifiers=cluster=hz-1&host=x"], &state).unwrap();
        assert_eq!(setup.config.hubs.len(), 2);
        assert_eq!(setup.config.clusters, ["hz-1"]);
        assert_eq!(setup.remarks.len(), 1);
        assert!(matches!(&setup.config.trust, Trust::Pins(pins) if pins.len() == 1));
    }
}
