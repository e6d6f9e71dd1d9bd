//! What the tunnel can be told: flags, and the section `tunnel` of the config file.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgAction, Args, ValueEnum};
use federation_tunnel::konnectivity::Front;
use federation_tunnel::{AddressError, ClusterError, ClusterName, HostPort};
use serde::{Deserialize, Deserializer};

use super::fronts::{Fronts, Socket, TlsFront};

/// How clients of the front ends ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// As konnectivity-client does, over gRPC.
    #[default]
    Grpc,
    /// HTTP CONNECT.
    HttpConnect,
}

/// The tunnel's settings as one source gives them: each may be missing. The file's keys are these in camelCase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[command(next_help_heading = "Tunnel")]
pub(crate) struct TunnelSettings {
    /// Address and port that members' agents connect to, such as 0.0.0.0:8091. Without it there is no tunnel.
    #[arg(
        id = "tunnel-listen",
        long = "tunnel-listen",
        env = "KOINON_TUNNEL_LISTEN",
        value_name = "ADDRESS:PORT"
    )]
    pub(crate) listen: Option<SocketAddr>,
    /// What agents are told to connect to: this process, all processes of the hub, or a load balancer that passes TLS through; may be repeated
    /// [default: --host or the listening address].
    #[arg(
        id = "tunnel-advertise",
        long = "tunnel-advertise",
        env = "KOINON_TUNNEL_ADVERTISE",
        value_delimiter = ',',
        value_name = "HOST:PORT"
    )]
    #[serde(deserialize_with = "addresses")]
    pub(crate) advertise: Option<Vec<HostPort>>,
    /// What other processes of the hub connect to, to reach agents of this one [default: --tunnel-listen, if it is one address].
    #[arg(
        id = "tunnel-peer-address",
        long = "tunnel-peer-address",
        env = "KOINON_TUNNEL_PEER_ADDRESS",
        value_name = "HOST:PORT"
    )]
    #[serde(deserialize_with = "address")]
    pub(crate) peer_address: Option<HostPort>,
    /// Names this process to agents and to the hub's other processes; no two may share a name [default: a new one at every start].
    #[arg(
        id = "tunnel-id",
        long = "tunnel-id",
        alias = "server-id",
        env = "KOINON_TUNNEL_ID",
        value_name = "NAME"
    )]
    pub(crate) id: Option<String>,
    /// konnectivity's agents are told that there are so many servers [default: 1].
    #[arg(long, value_name = "N")]
    pub(crate) server_count: Option<usize>,
    /// As konnectivity-server's, instead of --tunnel-listen.
    #[arg(long, value_name = "PORT", conflicts_with = "tunnel-listen")]
    pub(crate) agent_port: Option<u16>,
    /// As konnectivity-server's, with --agent-port [default: 0.0.0.0].
    #[arg(long, value_name = "ADDRESS", requires = "agent_port")]
    pub(crate) agent_bind_address: Option<IpAddr>,
    /// Unix socket for kube-apiserver's egress selector and other clients. With a cluster's name everything goes there; without, targets name the
    /// cluster (<cluster>:<port>, <host>.<cluster><suffix>:<port>). Whoever can open it reaches what is behind it. May be repeated.
    #[arg(long, value_name = "[CLUSTER=]FILE", value_delimiter = ',')]
    pub(crate) uds_name: Option<Vec<Socket>>,
    /// How clients ask on --uds-name and --server-port [default: grpc].
    #[arg(long, value_enum)]
    pub(crate) mode: Option<Mode>,
    /// Replace a socket that is there already [default: true].
    #[arg(long, value_name = "BOOL", action = ArgAction::Set)]
    pub(crate) delete_existing_uds_file: Option<bool>,
    /// What follows a cluster's name in a target's host [default: .cluster.fed].
    #[arg(long, value_name = "SUFFIX")]
    pub(crate) cluster_suffix: Option<String>,
    /// TCP port for such clients, with mutual TLS; needs --server-cert, --server-key and --server-ca-cert.
    #[arg(long, value_name = "PORT")]
    pub(crate) server_port: Option<u16>,
    /// Address of --server-port [default: 0.0.0.0].
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) server_bind_address: Option<IpAddr>,
    /// File with the certificate chain of --server-port, PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) server_cert: Option<PathBuf>,
    /// File with its key, PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) server_key: Option<PathBuf>,
    /// File with the authority that vouches for clients of --server-port, PEM: all of them reach all clusters.
    #[arg(long, value_name = "FILE")]
    pub(crate) server_ca_cert: Option<PathBuf>,
}

/// A tunnel's settings, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelConfig {
    /// Where agents connect.
    pub listen: SocketAddr,
    /// What agents are told; empty: the listening address.
    pub advertise: Vec<HostPort>,
    /// What the hub's other processes connect to; `None`: the listening address, if it is one.
    pub peer_address: Option<HostPort>,
    /// Names this process; `None`: a new name at every start.
    pub id: Option<String>,
    /// How many servers konnectivity's agents are told of.
    pub server_count: usize,
    /// Where clients come in besides the hub's API.
    pub fronts: Fronts,
}

/// The tunnel's settings do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TunnelSettingsError {
    /// Front ends need tunnels.
    #[error("front ends (--uds-name, --server-port) need --tunnel-listen")]
    NoTunnel,
    /// A front end on TCP is nobody's without certificates.
    #[error("--server-port needs --server-cert, --server-key and --server-ca-cert")]
    NoCertificates,
}

impl TunnelSettings {
    /// These settings, with `other`'s where these say nothing.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            advertise: self.advertise.or(other.advertise),
            peer_address: self.peer_address.or(other.peer_address),
            id: self.id.or(other.id),
            server_count: self.server_count.or(other.server_count),
            agent_port: self.agent_port.or(other.agent_port),
            agent_bind_address: self.agent_bind_address.or(other.agent_bind_address),
            uds_name: self.uds_name.or(other.uds_name),
            mode: self.mode.or(other.mode),
            delete_existing_uds_file: self
                .delete_existing_uds_file
                .or(other.delete_existing_uds_file),
            cluster_suffix: self.cluster_suffix.or(other.cluster_suffix),
            server_port: self.server_port.or(other.server_port),
            server_bind_address: self.server_bind_address.or(other.server_bind_address),
            server_cert: self.server_cert.or(other.server_cert),
            server_key: self.server_key.or(other.server_key),
            server_ca_cert: self.server_ca_cert.or(other.server_ca_cert),
        }
    }

    /// The tunnel that they describe, if any. `hosts` are the names under which clients reach the hub: agents are told the first.
    pub(crate) fn complete(
        self,
        hosts: &[String],
    ) -> Result<Option<TunnelConfig>, TunnelSettingsError> {
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let from_port = self
            .agent_port
            .map(|port| SocketAddr::new(self.agent_bind_address.unwrap_or(any), port));
        let sockets = self.uds_name.unwrap_or_default();
        let Some(listen) = self.listen.or(from_port) else {
            if !sockets.is_empty() || self.server_port.is_some() {
                return Err(TunnelSettingsError::NoTunnel);
            }
            return Ok(None);
        };
        let tls = match (
            self.server_port.filter(|port| *port > 0),
            self.server_cert,
            self.server_key,
            self.server_ca_cert,
        ) {
            (None, ..) => None,
            (Some(port), Some(certificate), Some(key), Some(authority)) => Some(TlsFront {
                listen: SocketAddr::new(self.server_bind_address.unwrap_or(any), port),
                certificate,
                key,
                authority,
            }),
            _ => return Err(TunnelSettingsError::NoCertificates),
        };
        let named = hosts
            .first()
            .and_then(|host| HostPort::new(host.parse().ok()?, listen.port()).ok());
        Ok(Some(TunnelConfig {
            listen,
            advertise: self
                .advertise
                .unwrap_or_else(|| named.into_iter().collect()),
            peer_address: self.peer_address,
            id: self.id,
            server_count: self.server_count.unwrap_or(1),
            fronts: Fronts {
                sockets,
                tls,
                front: match self.mode.unwrap_or_default() {
                    Mode::Grpc => Front::Grpc,
                    Mode::HttpConnect => Front::Connect,
                },
                replace: self.delete_existing_uds_file.unwrap_or(true),
                suffix: self
                    .cluster_suffix
                    .unwrap_or_else(|| ".cluster.fed".to_owned()),
            },
        }))
    }
}

impl FromStr for Socket {
    type Err = ClusterError;

    /// Takes `FILE` or `CLUSTER=FILE`.
    fn from_str(text: &str) -> Result<Self, ClusterError> {
        let (cluster, path) = match text.split_once('=') {
            Some((cluster, path)) => (Some(cluster.parse::<ClusterName>()?), path),
            None => (None, text),
        };
        Ok(Self {
            cluster: cluster.map(|cluster| cluster.to_string()),
            path: path.into(),
        })
    }
}

impl<'de> Deserialize<'de> for Socket {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn addresses<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<HostPort>>, D::Error> {
    let texts: Option<Vec<String>> = Deserialize::deserialize(deserializer)?;
    let parse = |texts: Vec<String>| -> Result<Vec<HostPort>, AddressError> {
        texts.iter().map(|text| text.parse()).collect()
    };
    texts
        .map(parse)
        .transpose()
        .map_err(serde::de::Error::custom)
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HostPort>, D::Error> {
    let text: Option<String> = Deserialize::deserialize(deserializer)?;
    text.map(|text| text.parse())
        .transpose()
        .map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        tunnel: TunnelSettings,
    }

    fn complete(flags: &[&str]) -> Result<Option<TunnelConfig>, TunnelSettingsError> {
        let all = ["hub"].iter().chain(flags);
        Flags::parse_from(all)
            .tunnel
            .complete(&["hub.example".to_owned()])
    }

    #[test]
    fn without_an_address_there_is_no_tunnel() {
        assert_eq!(complete(&[]), Ok(None));
        assert_eq!(
            complete(&["--uds-name=/a"]),
            Err(TunnelSettingsError::NoTunnel)
        );
        let tunnel = complete(&["--tunnel-listen=127.0.0.1:1"]).unwrap().unwrap();
        assert_eq!(tunnel.advertise, ["hub.example:1".parse().unwrap()]);
        assert_eq!(tunnel.fronts.suffix, ".cluster.fed");
    }

    #[test]
    fn a_proxy_servers_flags_mean_the_same_here() {
        let tunnel = complete(&[
            "--agent-port=8091",
            "--server-id=s",
            "--server-count=3",
            "--uds-name=/run/a.sock,hz-1=/run/b.sock",
            "--mode=http-connect",
            "--delete-existing-uds-file=false",
        ]);
        let tunnel = tunnel.unwrap().unwrap();
        assert_eq!(tunnel.listen, "0.0.0.0:8091".parse().unwrap());
        assert_eq!(tunnel.id.as_deref(), Some("s"));
        assert_eq!(tunnel.fronts.front, Front::Connect);
        assert!(!tunnel.fronts.replace);
        let clusters: Vec<_> = tunnel.fronts.sockets.iter().map(|s| &s.cluster).collect();
        assert_eq!(clusters, [&None, &Some("hz-1".to_owned())]);
        let alone = complete(&["--tunnel-listen=127.0.0.1:1", "--server-port=8090"]);
        assert_eq!(alone, Err(TunnelSettingsError::NoCertificates));
    }

    #[test]
    fn the_file_says_the_same() {
        let read: TunnelSettings = serde_saphyr::from_str(
            "listen: 127.0.0.1:1\nadvertise: [a:1, b:2]\nudsName: [hz-1=/s]\nmode: http-connect\n",
        )
        .unwrap();
        assert_eq!(read.advertise.as_ref().map(Vec::len), Some(2));
        assert_eq!(read.mode, Some(Mode::HttpConnect));
        assert!(serde_saphyr::from_str::<TunnelSettings>("advertise: [nohost]").is_err());
        assert!(serde_saphyr::from_str::<TunnelSettings>("lissten: x").is_err());
    }
}
