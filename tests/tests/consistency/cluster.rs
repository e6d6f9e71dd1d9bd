//! Hubs on one database, and what is done to them.

use std::path::{Path, PathBuf};

use apiserver_store::conformance::databases::{DatabaseServer, Engine};
use federation_tests::{HubProcess, our_program, skip};
use tempfile::TempDir;

/// The hubs and their database.
pub(crate) struct Cluster {
    pub(crate) hubs: Vec<HubProcess>,
    database: Option<(Engine, DatabaseServer)>,
    _directory: TempDir,
}

impl Cluster {
    /// Two hubs on a server of that kind, or one on SQLite, all ready. `None`: something is not installed.
    pub(crate) fn start(engine: Option<Engine>) -> Option<Self> {
        let program = program()?;
        let database = match engine {
            Some(engine) => Some((engine, DatabaseServer::start(engine, false)?)),
            None => None,
        };
        let directory = tempfile::Builder::new()
            .prefix("koinon-consistency-")
            .tempdir()
            .expect("a temporary directory");
        let hubs = hubs(&program, directory.path(), database.as_ref());
        let mut cluster = Self {
            hubs,
            database,
            _directory: directory,
        };
        // The first makes certificates and keys, which the others share.
        for hub in &mut cluster.hubs {
            hub.start();
        }
        Some(cluster)
    }

    pub(crate) fn kubeconfigs(&self) -> Vec<PathBuf> {
        self.hubs.iter().map(HubProcess::kubeconfig).collect()
    }

    /// `kill -9` of the database server, and its return. Does nothing where the hub is the database.
    pub(crate) fn restart_database(&self) -> bool {
        let Some((_, server)) = &self.database else {
            return false;
        };
        server.kill();
        server.restart();
        true
    }

    /// Has the server cut all connections of hubs.
    pub(crate) fn cut_connections(&self) -> bool {
        match &self.database {
            Some((Engine::Postgres, server)) => {
                server.sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname LIKE 'koinon%' AND pid <> pg_backend_pid()",
                );
                true
            }
            Some((Engine::MariaDb, server)) => {
                server.sql("KILL USER hub");
                true
            }
            None => false,
        }
    }
}

/// The hub's program; `None`, and a note, if it was not built.
pub(crate) fn program() -> Option<PathBuf> {
    let program = our_program("federation-apiserver");
    if program.is_none() {
        skip("federation-apiserver is not built: cargo build --workspace --all-targets");
    }
    program
}

fn hubs(
    program: &Path,
    directory: &Path,
    database: Option<&(Engine, DatabaseServer)>,
) -> Vec<HubProcess> {
    let Some((_, server)) = database else {
        return vec![HubProcess::new(program, directory, "hub", &[])];
    };
    let url = server.create_database();
    let arguments = ["--database-url".to_owned(), url];
    ["hub-a", "hub-b"]
        .map(|name| HubProcess::new(program, directory, name, &arguments))
        .into()
}
