//! Upstream's proxy-server, proxy-agent and test client.

use std::path::{Path, PathBuf};
use std::process::Command;

use federation_tests::Guarded;
use federation_tests::upstream::{Authority, Identity, free_port, upstream_program};

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

    fn flag(&self, flag: &str, file: &str) -> String {
        format!("--{flag}={}", self.path(file).display())
    }

    fn start(&self, command: &mut Command, log: &str) -> Guarded {
        let log = std::fs::File::create(self.path(log)).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        Guarded::start(command, self.directory.path()).unwrap()
    }
}

/// Starts upstream's agent towards a hub on loopback.
pub(crate) fn start_agent(program: &Path, keys: &Keys, port: u16, identifiers: &str) -> Guarded {
    let mut command = Command::new(program);
    command.args([
        keys.flag("ca-cert", "ca.crt"),
        keys.flag("agent-cert", "agent.crt"),
        keys.flag("agent-key", "agent.key"),
        "--proxy-server-host=127.0.0.1".to_owned(),
        format!("--proxy-server-port={port}"),
        format!("--health-server-port={}", free_port()),
        format!("--admin-server-port={}", free_port()),
        format!("--agent-identifiers={identifiers}"),
        "--sync-interval=100ms".to_owned(),
        "--sync-interval-cap=500ms".to_owned(),
        "--probe-interval=200ms".to_owned(),
        "--v=2".to_owned(),
    ]);
    keys.start(&mut command, "agent.log")
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

/// Upstream's test client asks a URL through a server's socket and must succeed.
pub(crate) fn run_client(program: &Path, socket: &Path, mode: &str, port: u16) {
    let output = Command::new(program)
        .args([
            format!("--proxy-uds={}", socket.display()),
            "--proxy-host=".to_owned(),
            "--proxy-port=0".to_owned(),
            format!("--mode={mode}"),
            "--request-proto=http".to_owned(),
            "--request-host=127.0.0.1".to_owned(),
            format!("--request-port={port}"),
            "--request-path=success".to_owned(),
            "--test-requests=5".to_owned(),
            "--v=4".to_owned(),
            "--logtostderr=true".to_owned(),
        ])
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
