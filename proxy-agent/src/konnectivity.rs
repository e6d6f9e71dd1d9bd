//! The agent as a konnectivity-agent: towards apiserver-network-proxy's own server.

use std::sync::Arc;
use std::time::Duration;

use federation_tunnel::Seams;
use federation_tunnel::konnectivity::{
    AgentConfig, AgentState, FileServers, ListedDial, run_agent,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::admin::Probed;
use crate::cli::Cli;
use crate::run::{RunError, serve_admin};
use crate::setup::{SetupError, allowed, connector, upstream};

impl Probed for watch::Receiver<AgentState> {
    fn is_ready(&self) -> bool {
        self.borrow().connected > 0
    }

    /// Under upstream's names.
    fn metrics(&self) -> String {
        let AgentState { connected, wanted } = *self.borrow();
        let gauge = |name: &str, help: &str, value: usize| {
            let name = format!("konnectivity_network_proxy_agent_{name}");
            format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n")
        };
        let open = "Servers that the agent is connected to.";
        let known = "Servers that there are, as one of them said.";
        gauge("open_server_connections", open, connected)
            + &gauge("known_server_count", known, wanted)
    }
}

/// Runs until `stop`.
pub(crate) async fn run(cli: &Cli, stop: CancellationToken) -> Result<(), RunError> {
    let seams = Seams::system();
    let (config, servers, dial) = setup(cli, &seams).map_err(RunError::Setup)?;
    let (send, state) = watch::channel(AgentState::default());
    let admin = serve_admin(cli, state).await?;
    let unit = move || seams.unit();
    run_agent(config, Arc::new(servers), Arc::new(dial), unit, send, stop).await;
    if let Some(admin) = admin {
        admin.abort();
    }
    Ok(())
}

fn setup(cli: &Cli, seams: &Seams) -> Result<(AgentConfig, FileServers, ListedDial), SetupError> {
    let missing = SetupError::Konnectivity;
    let host = cli.proxy_server_host.clone();
    let host = host.ok_or(missing("--proxy-server-host"))?;
    let authority = cli.ca_cert.clone().ok_or(missing("--ca-cert"))?;
    let identity = cli.agent_cert.clone().zip(cli.agent_key.clone());
    if identity.is_none() && cli.service_account_token_path.is_none() {
        return Err(missing("--agent-cert or --service-account-token-path"));
    }
    let fresh = || format!("{:032x}", seams.random());
    let authority_of_calls = match host.contains(':') {
        true => format!("[{host}]"),
        false => host.clone(),
    };
    let agent_id = cli.agent_id.clone().unwrap_or_else(fresh);
    let mut config = AgentConfig::new(&agent_id, &authority_of_calls);
    let identifiers = cli.agent_identifiers.as_deref().unwrap_or_default();
    config.identifiers = identifiers.parse().map_err(SetupError::Identifiers)?;
    config.token.clone_from(&cli.service_account_token_path);
    config.timing.drain = Duration::from_secs(cli.grace_seconds);
    let allow = allowed(cli);
    let dial = ListedDial {
        upstream: Arc::new(upstream(cli, &allow)?),
        allow,
    };
    let servers = FileServers {
        host,
        port: cli.proxy_server_port,
        authority,
        identity,
        connector: connector(cli)?,
    };
    Ok((config, servers, dial))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let all = [
            "--proxy-server-host=h",
            "--ca-cert=ca",
            "--service-account-token-path=t",
        ];
        let outcome = |flags: &[&str]| {
            let flags = ["proxy-agent", "--protocol=konnectivity"]
                .iter()
                .chain(flags);
            setup(&Cli::try_parse_from(flags).unwrap(), &Seams::system())
        };
        for (place, flag) in ["--proxy-server-host", "--ca-cert", "--agent-cert"]
            .iter()
            .enumerate()
        {
            let error = outcome(&all[..place]).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains(flag), "{error}");
        }
        let (config, ..) = outcome(&all).unwrap();
        assert_eq!(config.agent_id.len(), 32);
        let odd = [all[0], all[1], all[2], "--agent-identifiers=ipv4=x"];
        assert!(matches!(outcome(&odd), Err(SetupError::Identifiers(_))));
    }

    #[tokio::test]
    async fn servers_are_reached_through_the_proxy() {
        use federation_tunnel::konnectivity::Servers;
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!(
            "--https-proxy=http://me:secret@{}",
            listener.local_addr().unwrap()
        );
        let directory = tempfile::tempdir().unwrap();
        let authority = directory.path().join("ca.crt");
        let made = federation_tunnel::identity::Authority::generate(&Seams::system()).unwrap();
        std::fs::write(&authority, made.certificate_pem()).unwrap();
        let cli = Cli::try_parse_from([
            "proxy-agent",
            "--protocol=konnectivity",
            "--proxy-server-host=hub.example",
            &format!("--ca-cert={}", authority.display()),
            "--service-account-token-path=t",
            &proxy,
        ])
        .unwrap();
        let (_, servers, _) = setup(&cli, &Seams::system()).unwrap();
        let asked = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(socket.read_u8().await.unwrap());
            }
            let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
            socket.write_all(refusal).await.unwrap();
            String::from_utf8(asked).unwrap()
        });
        let error = servers.connect().await.map(drop).unwrap_err();
        assert!(error.to_string().contains("407"), "{error}");
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("CONNECT hub.example:8091 HTTP/1.1\r\n"));
        assert!(asked.contains("Proxy-Authorization: Basic bWU6c2VjcmV0"));
    }
}
