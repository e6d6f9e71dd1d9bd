//! The processes that are measured: a hub or an agent, of either system. Each prints a line once it is ready, and runs until it is killed.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use federation_tunnel::identity::{
    AgentIdentity, AgentKey, Authority, MemoryDirectory, MemoryTokens, Trust,
};
use federation_tunnel::konnectivity::bind_unix;
use federation_tunnel::{
    Agent, AgentConfig, AgentParts, AllowList, Class, ClusterId, HUB_SERVER_NAME, HostPort,
    HubConfig, MemoryIdentity, Seams, StoredIdentity, TcpConnector, TcpUpstream, Tunnels,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

/// Copy buffers of the raw system, as large as the tunnel's.
const BUFFER: usize = 64 * 1024;
/// Names of the front ends in the directory of the authority, one for each class; where there are no classes, the first is all.
pub(crate) const INTERACTIVE: &str = "interactive.sock";
pub(crate) const BULK: &str = "bulk.sock";
/// How long certificates last: longer than any bench.
pub(crate) const LIFE: Duration = Duration::from_secs(24 * 3600);

/// Runs the role that the arguments name: `<system> <hub|agent> <directory of the authority> <address to go to>`.
pub(crate) async fn run(arguments: Vec<String>) -> Result<()> {
    let [system, role, directory, to] = arguments.as_slice() else {
        bail!("a role wants a system, a part, a directory and an address");
    };
    let directory = Path::new(directory);
    match (system.as_str(), role.as_str()) {
        ("koinon", "hub") => hub(directory, to).await,
        ("koinon", "agent") => agent(directory, to).await,
        ("raw-tls", "hub") => raw_hub(directory, to).await,
        ("raw-tls", "agent") => raw_agent(directory, to).await,
        _ => bail!("no role {system} {role}"),
    }
}

/// The one cluster of the comparison.
pub(crate) fn cluster(number: usize) -> Result<ClusterId> {
    Ok(ClusterId::new(
        format!("c-{number}").parse()?,
        &format!("uid-{number}"),
    )?)
}

/// Makes an authority in a directory.
pub(crate) fn make_authority(directory: &Path) -> Result<()> {
    let authority = Authority::generate(&Seams::system())?;
    std::fs::write(directory.join("ca.crt"), authority.certificate_pem())?;
    std::fs::write(directory.join("ca.key"), authority.key_pem())?;
    Ok(())
}

pub(crate) fn authority(directory: &Path) -> Result<Authority> {
    let certificate = std::fs::read_to_string(directory.join("ca.crt"))?;
    let key = std::fs::read_to_string(directory.join("ca.key"))?;
    Ok(Authority::from_pem(&certificate, &key, &Seams::system())?)
}

/// An agent's identity, without the exchange for a token.
pub(crate) fn identity(authority: &Authority, cluster: ClusterId) -> Result<StoredIdentity> {
    let key = AgentKey::generate()?;
    let leaf = authority.issue_agent(&key.request()?, &[cluster], LIFE)?;
    let identity = AgentIdentity::new(vec![leaf], &key)?;
    Ok(StoredIdentity {
        key_pem: key.to_pem(),
        chain_pem: identity.chain_pem().to_owned(),
        authorities_pem: authority.certificate_pem().to_owned(),
        ..StoredIdentity::default()
    })
}

/// An agent of a cluster.
pub(crate) fn make_agent(
    authority: &Authority,
    cluster: ClusterId,
    hub: HostPort,
    target: HostPort,
) -> Result<Agent> {
    let trust = Trust::Pins(vec![authority.pin()]);
    let upstream = TcpUpstream::new(AllowList::default()).alias(HostPort::api_server(), target);
    let parts = AgentParts {
        connector: Arc::new(TcpConnector::default()),
        upstream: Arc::new(upstream),
        store: Arc::new(MemoryIdentity::with_identity(identity(authority, cluster)?)),
        seams: Seams::system(),
    };
    Ok(Agent::new(AgentConfig::new(hub, trust), parts))
}

/// Tunnel on the address given (port 0 for any); two front ends, one per class. Prints `ready <tunnel>`.
async fn hub(directory: &Path, at: &str) -> Result<()> {
    let clusters = MemoryDirectory::default();
    for number in 0..10_000 {
        clusters.insert(&cluster(number)?);
    }
    let tunnels = Tunnels::new(
        HubConfig::default(),
        Arc::new(authority(directory)?),
        Arc::new(clusters),
        Arc::new(MemoryTokens::default()),
        &Seams::system(),
    )?;
    let listener = TcpListener::bind(at).await?;
    let address = listener.local_addr()?;
    for (name, class) in [(INTERACTIVE, Class::Interactive), (BULK, Class::Bulk)] {
        let front = bind_unix(&directory.join(name), true)?;
        tokio::spawn(serve_front(front, tunnels.clone(), class));
    }
    println!("ready {address}");
    tunnels.serve(listener, CancellationToken::new()).await;
    Ok(())
}

async fn serve_front(front: UnixListener, tunnels: Tunnels, class: Class) {
    let Ok(id) = cluster(0) else { return };
    while let Ok((socket, _)) = front.accept().await {
        let (tunnels, name) = (tunnels.clone(), id.name().clone());
        tokio::spawn(async move {
            match tunnels
                .dial_local(&name, &HostPort::api_server(), class)
                .await
            {
                Ok(stream) => drop(stream.splice(socket).await),
                Err(error) => eprintln!("bench: {error}"),
            }
        });
    }
}

/// Prints `ready` once a connection to the hub is up. `to` is `<hub>,<target>`.
async fn agent(directory: &Path, to: &str) -> Result<()> {
    let (hub, target) = to.split_once(',').context("hub,target")?;
    let agent = make_agent(
        &authority(directory)?,
        cluster(0)?,
        hub.parse()?,
        target.parse()?,
    )?;
    let handle = agent.handle();
    tokio::spawn(async move {
        while handle.stats().connections < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        println!("ready");
    });
    agent.run(CancellationToken::new()).await;
    Ok(())
}

fn roots(authority: &Authority) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone())?;
    Ok(roots)
}

/// For each connection a TLS session with the agent, which listens at `to`. There are no classes: one front end.
async fn raw_hub(directory: &Path, to: &str) -> Result<()> {
    let authority = authority(directory)?;
    let identity = identity(&authority, cluster(0)?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots(&authority)?)
        .with_client_auth_cert(
            CertificateDer::pem_slice_iter(identity.chain_pem.as_bytes())
                .collect::<Result<_, _>>()?,
            PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes())?,
        )?;
    config.resumption = rustls::client::Resumption::disabled();
    let connector = TlsConnector::from(Arc::new(config));
    let to: SocketAddr = to.parse()?;
    let front = bind_unix(&directory.join(INTERACTIVE), true)?;
    println!("ready {to}");
    loop {
        let (mut socket, _) = front.accept().await?;
        let connector = connector.clone();
        tokio::spawn(async move {
            let carried = async {
                let agent = TcpStream::connect(to).await?;
                agent.set_nodelay(true)?;
                let name = HUB_SERVER_NAME.try_into()?;
                let mut agent = connector.connect(name, agent).await?;
                copy_bidirectional_with_sizes(&mut socket, &mut agent, BUFFER, BUFFER).await?;
                anyhow::Ok(())
            };
            let _ = carried.await;
        });
    }
}

/// Prints `ready <address>`. `to` is the target.
async fn raw_agent(directory: &Path, to: &str) -> Result<()> {
    let authority = authority(directory)?;
    let identity = authority.issue_server(&[], LIFE)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots(&authority)?.into(), provider.clone())
            .build()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain, identity.key)?;
    config.send_tls13_tickets = 0;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let target: SocketAddr = to.parse()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ready {}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let carried = async {
                socket.set_nodelay(true)?;
                let mut hub = acceptor.accept(socket).await?;
                let mut target = TcpStream::connect(target).await?;
                target.set_nodelay(true)?;
                copy_bidirectional_with_sizes(&mut hub, &mut target, BUFFER, BUFFER).await?;
                anyhow::Ok(())
            };
            let _ = carried.await;
        });
    }
}
