//! What an API server keeps its objects in, where that is not its own process. Everything that is acknowledged is on the disk: etcd syncs
//! its log, PostgreSQL has `fsync` and `synchronous_commit` on, MariaDB flushes its log at each commit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use apiserver_store::conformance::databases::{DatabaseServer, Engine};
use bench::Process;
use federation_tests::upstream::{free_port, upstream_program};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::Kind;
use super::program::Program;

const PATIENCE: Duration = Duration::from_secs(60);

/// The processes behind an API server.
pub(super) struct Backing {
    /// etcd, or kine.
    program: Option<Program>,
    database: Option<DatabaseServer>,
    url: Option<String>,
}

impl Backing {
    /// Starts an empty one, and waits until it serves.
    pub(super) async fn start(kind: Kind, directory: &Path) -> Result<Self> {
        let engine = match kind {
            Kind::KoinonSqlite | Kind::UpstreamEtcd => None,
            Kind::KoinonPostgres | Kind::UpstreamKine => Some(Engine::Postgres),
            Kind::KoinonMariadb => Some(Engine::MariaDb),
        };
        let database = match engine {
            Some(engine) => Some(
                DatabaseServer::start(engine, true)
                    .with_context(|| format!("{engine:?} is not installed"))?,
            ),
            None => None,
        };
        let mut url = database.as_ref().map(DatabaseServer::create_database);
        let mut program = None;
        let port = free_port();
        let command = match (kind, &url) {
            (Kind::UpstreamEtcd, _) => Some(etcd(port, directory)?),
            (Kind::UpstreamKine, Some(database)) => Some(kine(port, database)?),
            _ => None,
        };
        if let Some(mut command) = command {
            let mut started = Program::start("backing", &mut command, directory)?;
            listening(port, &mut started).await?;
            program = Some(started);
            url = Some(format!("http://127.0.0.1:{port}"));
        }
        Ok(Self {
            program,
            database,
            url,
        })
    }

    /// Where the API server finds it; nothing if its own process is all it needs.
    pub(super) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// All of its processes.
    pub(super) fn processes(&self) -> Result<Vec<Process>> {
        let mut processes = Vec::new();
        if let Some(program) = &self.program {
            processes.extend(program.process().family()?);
        }
        if let Some(database) = &self.database {
            let file = database.directory().join("server.pid");
            let id = fs::read_to_string(file).context("the database's process")?;
            processes.extend(Process::new(id.trim().parse()?).family()?);
        }
        Ok(processes)
    }

    pub(super) fn log(&self) -> String {
        self.program.as_ref().map(Program::log).unwrap_or_default()
    }
}

/// A program that `cargo xtask upstream` builds.
pub(super) fn tool(name: &str) -> Result<PathBuf> {
    upstream_program(name).with_context(|| format!("no {name}: cargo xtask upstream {name}"))
}

fn etcd(port: u16, directory: &Path) -> Result<Command> {
    let mut command = Command::new(tool("etcd")?);
    let clients = format!("http://127.0.0.1:{port}");
    command
        .arg(format!("--data-dir={}", directory.join("etcd").display()))
        .arg(format!("--listen-client-urls={clients}"))
        .arg(format!("--advertise-client-urls={clients}"))
        .args([
            "--listen-peer-urls=http://127.0.0.1:0",
            "--log-level=warn",
            // More than the default: the bench writes faster than it is compacted.
            "--quota-backend-bytes=8589934592",
        ]);
    Ok(command)
}

fn kine(port: u16, database: &str) -> Result<Command> {
    let mut command = Command::new(tool("kine")?);
    command
        .arg(format!("--endpoint={database}"))
        .arg(format!("--listen-address=tcp://127.0.0.1:{port}"))
        .arg("--metrics-bind-address=0");
    Ok(command)
}

async fn listening(port: u16, program: &mut Program) -> Result<()> {
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        program.check()?;
        ensure!(start.elapsed() < PATIENCE, "nobody listens on port {port}");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
