//! Upstream's proxy-server, proxy-agent and test client.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use federation_tests::Guarded;
use federation_tests::upstream::{Authority, Identity, free_port, upstream_program};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Finds a program, or says why the test is skipped.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let found = upstream_program(name);
    if found.is_none() {
        federation_tests::skip(&format!("{name} is missing: cargo xtask upstream"));
    }
    found
}

/// A certificate authority with its files.
pub(crate) struct Keys {
    pub(crate) authority: Authority,
    pub(crate) directory: tempfile::TempDir,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("koinon-konnectivity-")
            .tempdir()
            .unwrap();
        let authority = Authority::new(directory.path());
        let keys = Self {
            authority,
            directory,
        };
        keys.write("server", &keys.authority.server(&["localhost"]));
        keys.write("agent", &keys.authority.client("agent", None));
        keys
    }

    fn write(&self, name: &str, identity: &Identity) {
        std::fs::write(self.path(&format!("{name}.crt")), &identity.certificate_pem).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), &identity.key_pem).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn flag(&self, flag: &str, file: &str) -> String {
        format!("--{flag}={}", self.path(file).display())
    }

    /// TLS of a client, under the certificate `agent` or none.
    pub(crate) fn client_tls(&self, named: bool) -> ClientConfig {
        self.client_tls_to(&self.path("ca.crt"), named)
    }

    /// The same towards a server of another authority.
    pub(crate) fn client_tls_to(&self, authority: &Path, named: bool) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(authority).unwrap();
        roots.add(ca).unwrap();
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        if !named {
            return config.with_no_client_auth();
        }
        let chain = CertificateDer::pem_file_iter(self.path("agent.crt")).unwrap();
        let chain = chain.collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(self.path("agent.key")).unwrap();
        config.with_client_auth_cert(chain, key).unwrap()
    }

    fn start(&self, command: &mut Command, log: &str) -> Guarded {
        let log = std::fs::File::create(self.path(log)).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        Guarded::start(command, self.directory.path()).unwrap()
    }
}

/// Upstream's server; its agents' port, and the socket of its clients.
pub(crate) struct Server {
    pub(crate) process: Guarded,
    pub(crate) agent_port: u16,
    pub(crate) socket: PathBuf,
}

pub(crate) fn start_server(
    program: &Path,
    keys: &Keys,
    mode: &str,
    id: &str,
    count: usize,
) -> Server {
    let (agent_port, socket) = (free_port(), keys.path(&format!("{id}.sock")));
    let mut command = Command::new(program);
    command.args([
        keys.flag("cluster-cert", "server.crt"),
        keys.flag("cluster-key", "server.key"),
        keys.flag("cluster-ca-cert", "ca.crt"),
        format!("--uds-name={}", socket.display()),
        "--server-port=0".to_owned(),
        format!("--agent-port={agent_port}"),
        format!("--health-port={}", free_port()),
        format!("--admin-port={}", free_port()),
        format!("--mode={mode}"),
        format!("--server-id={id}"),
        format!("--server-count={count}"),
        "--v=2".to_owned(),
    ]);
    let process = keys.start(&mut command, &format!("{id}.log"));
    Server {
        process,
        agent_port,
        socket,
    }
}

/// Where a client comes in.
pub(crate) enum Front<'a> {
    Unix(&'a Path),
    /// TCP on loopback, with certificates.
    Tls(&'a Keys, u16),
}

/// Upstream's test client asks for a URL through a front of a server and must succeed.
pub(crate) fn run_client(program: &Path, front: &Front<'_>, mode: &str, target: &str) {
    let (host, port) = target.rsplit_once(':').unwrap();
    let mut command = Command::new(program);
    match front {
        Front::Unix(socket) => command.args([
            format!("--proxy-uds={}", socket.display()),
            "--proxy-host=".to_owned(),
            "--proxy-port=0".to_owned(),
        ]),
        Front::Tls(keys, port) => command.args([
            "--proxy-host=127.0.0.1".to_owned(),
            format!("--proxy-port={port}"),
            keys.flag("ca-cert", "ca.crt"),
            keys.flag("client-cert", "agent.crt"),
            keys.flag("client-key", "agent.key"),
        ]),
    };
    let output = command
        .args([
            format!("--mode={mode}"),
            "--request-proto=http".to_owned(),
            format!("--request-host={host}"),
            format!("--request-port={port}"),
            "--request-path=success".to_owned(),
            "--test-requests=5".to_owned(),
            "--v=4".to_owned(),
            "--logtostderr=true".to_owned(),
        ])
        // It takes any signal for the end, also those by which Go's scheduler interrupts a thread that runs for long.
        .env("GODEBUG", "asyncpreemptoff=1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("hello from the target").count(), 5, "{said}");
}

/// Starts our agent as upstream's, with its flags. Its only target is the API server, which is said to be at an address.
pub(crate) fn start_our_agent(program: &Path, keys: &Keys, port: u16, target: &str) -> Guarded {
    let mut command = Command::new(program);
    command.args([
        "--protocol=konnectivity".to_owned(),
        keys.flag("ca-cert", "ca.crt"),
        keys.flag("agent-cert", "agent.crt"),
        keys.flag("agent-key", "agent.key"),
        "--proxy-server-host=127.0.0.1".to_owned(),
        format!("--proxy-server-port={port}"),
        "--health-server-port=0".to_owned(),
        "--agent-identifiers=host=member".to_owned(),
        "--sync-interval=100ms".to_owned(),
        format!("--api-server={target}"),
    ]);
    keys.start(&mut command, "our-agent.log")
}
