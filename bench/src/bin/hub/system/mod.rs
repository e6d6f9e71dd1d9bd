//! The systems that are compared: an API server, and what it keeps its objects in.

mod backing;
mod program;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bench::Process;
use federation_tests::upstream::{Authority, free_port};
use tokio::time::{sleep, timeout};

use crate::access::Access;
use crate::client::{Call, Client};

use backing::Backing;
use program::Program;

/// Between two looks at whether a server is ready.
const LOOK: Duration = Duration::from_millis(5);
/// A server that is not ready by then never will be.
const PATIENCE: Duration = Duration::from_secs(120);

/// Which system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Ours, in a database of its own process.
    KoinonSqlite,
    /// Ours on PostgreSQL.
    KoinonPostgres,
    /// Ours on MariaDB.
    KoinonMariadb,
    /// kube-apiserver on etcd.
    UpstreamEtcd,
    /// kube-apiserver on kine on PostgreSQL.
    UpstreamKine,
}

impl Kind {
    /// All of them; the first two are compared unless something else is asked for.
    pub(crate) const ALL: [Self; 5] = [
        Self::KoinonSqlite,
        Self::UpstreamEtcd,
        Self::KoinonPostgres,
        Self::KoinonMariadb,
        Self::UpstreamKine,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::KoinonSqlite => "koinon-sqlite",
            Self::KoinonPostgres => "koinon-postgres",
            Self::KoinonMariadb => "koinon-mariadb",
            Self::UpstreamEtcd => "upstream-etcd",
            Self::UpstreamKine => "upstream-kine-postgres",
        }
    }

    pub(crate) fn is_ours(self) -> bool {
        !matches!(self, Self::UpstreamEtcd | Self::UpstreamKine)
    }
}

/// What a system has used so far, in CPU seconds.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cpu {
    /// The API server.
    pub(crate) server: f64,
    /// What it keeps its objects in, if that is other processes.
    pub(crate) backing: f64,
    /// This process, which makes the load.
    pub(crate) load: f64,
}

impl Cpu {
    /// What was used since an earlier moment.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            server: self.server - earlier.server,
            backing: self.backing - earlier.backing,
            load: self.load - earlier.load,
        }
    }
}

/// One system with an empty store. Its processes end with it.
pub(crate) struct System {
    pub(crate) kind: Kind,
    // Before what it needs: dropped in this order.
    server: Option<Program>,
    backing: Backing,
    access: Option<Access>,
    /// Makes the certificates of upstream's servers; ours makes its own.
    authority: Authority,
    port: u16,
    directory: PathBuf,
}

impl System {
    /// Starts what the API server needs, and waits until that serves.
    pub(crate) async fn prepare(kind: Kind, directory: &Path) -> Result<Self> {
        let directory = directory.join(kind.name());
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
        let backing = Backing::start(kind, &directory).await?;
        let authority = Authority::new(&directory);
        Ok(Self {
            kind,
            server: None,
            backing,
            access: None,
            authority,
            port: free_port(),
            directory,
        })
    }

    /// Starts the API server, and returns how long it took from before its process was made until `/readyz` said yes.
    pub(crate) async fn start(&mut self) -> Result<Duration> {
        let kubeconfig = self.directory.join("kubeconfig");
        if kubeconfig.exists() {
            fs::remove_file(&kubeconfig)?;
        }
        let mut command = match self.kind.is_ours() {
            true => server::ours(self.backing.url(), self.port, &self.directory)?,
            false => {
                let etcd = self.backing.url().context("kube-apiserver needs an etcd")?;
                server::prepare(&self.authority, self.port, &self.directory)?;
                server::upstream(etcd, self.port, &self.directory)?
            }
        };
        let start = Instant::now();
        let program = self
            .server
            .insert(Program::start("server", &mut command, &self.directory)?);
        let ready = async {
            loop {
                program.check()?;
                // Ours writes the file once it is ready.
                if kubeconfig.exists()
                    && let Ok(access) = Access::read(&kubeconfig)
                    && is_ready(&access).await
                {
                    return anyhow::Ok(access);
                }
                sleep(LOOK).await;
            }
        };
        match timeout(PATIENCE, ready).await {
            Ok(access) => self.access = Some(access?),
            Err(_) => bail!("it is not ready after {PATIENCE:?}:\n{}", program.log()),
        }
        Ok(start.elapsed())
    }

    /// Asks the API server to end, and waits for it; its store stays.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.access = None;
        match self.server.take() {
            Some(server) => server.stop(),
            None => Ok(()),
        }
    }

    /// How to reach the API server.
    pub(crate) fn access(&self) -> Result<&Access> {
        self.access.as_ref().context("the server is not running")
    }

    pub(crate) fn cpu(&self) -> Result<Cpu> {
        Ok(Cpu {
            server: self.server()?.cpu_seconds()?,
            backing: sum(&self.backing.processes()?, Process::cpu_seconds)?,
            load: Process::own().cpu_seconds()?,
        })
    }

    /// Resident memory of the API server, in MB.
    pub(crate) fn resident(&self) -> Result<f64> {
        self.server()?.resident()
    }

    /// Memory of everything, in MB; what processes share counts once.
    pub(crate) fn memory(&self) -> Result<f64> {
        let backing = sum(&self.backing.processes()?, Process::proportional)?;
        Ok(self.server()?.proportional()? + backing)
    }

    /// What the processes said last.
    pub(crate) fn log(&self) -> String {
        let server = self.server.as_ref().map(Program::log);
        format!("{}\n{}", server.unwrap_or_default(), self.backing.log())
    }

    fn server(&self) -> Result<Process> {
        let server = self.server.as_ref().context("the server is not running")?;
        Ok(server.process())
    }
}

fn sum(processes: &[Process], of: impl Fn(Process) -> Result<f64>) -> Result<f64> {
    let mut sum = 0.0;
    for process in processes {
        // A database's process for one connection may just have ended.
        sum += of(*process).unwrap_or_default();
    }
    ensure!(sum.is_finite(), "odd numbers in /proc");
    Ok(sum)
}

async fn is_ready(access: &Access) -> bool {
    let Ok(mut client) = Client::connect(access).await else {
        return false;
    };
    client.call(Call::get("/readyz")).await.is_ok()
}
