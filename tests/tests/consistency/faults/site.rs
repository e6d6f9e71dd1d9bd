//! A hub on a database, with clients at work, and what it says of itself.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use apiserver_store::conformance::databases::{DatabaseServer, Engine, ServerOptions};
use federation_tests::history::check;
use federation_tests::{Endpoint, HubProcess, Moments, Reply};
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::cluster::program;
use crate::run::{Crowd, tell};

/// What does not happen within this never will.
const PATIENCE: Duration = Duration::from_secs(60);
/// A value that takes space.
const HEAVY: usize = 100_000;
const PROBES: &str = "/api/v1/namespaces/default/configmaps";

/// Where the database is.
pub(super) enum Place {
    Sqlite,
    Server(Box<DatabaseServer>, String),
}

/// A hub that can be asked how it is.
pub(super) struct Site {
    pub(super) hub: HubProcess,
    pub(super) place: Place,
    runtime: Runtime,
    probes: usize,
    _directory: Option<TempDir>,
}

/// Clients at work, and since when.
pub(super) struct Work(Crowd);

impl Site {
    /// A hub that is ready, with its database in `parent` if there is one. `None`: something is not installed.
    pub(super) fn start(engine: Option<Engine>, parent: Option<&Path>) -> Option<Self> {
        let program = program()?;
        let place = match engine {
            None => Place::Sqlite,
            Some(engine) => {
                let options = ServerOptions {
                    parent: parent.map(Path::to_owned),
                    ..ServerOptions::default()
                };
                let server = DatabaseServer::start_with(engine, &options)?;
                let url = server.create_database();
                Place::Server(Box::new(server), url)
            }
        };
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut arguments = Vec::new();
        match (&place, parent) {
            (Place::Server(_, url), _) => arguments.extend(["--database-url".into(), url.clone()]),
            (Place::Sqlite, Some(parent)) => {
                let store = parent.join("store");
                let url = format!("sqlite:{}", store.display());
                arguments.extend(["--database-url".to_owned(), url]);
            }
            (Place::Sqlite, None) => {}
        }
        let mut site = Self {
            hub: HubProcess::new(&program, directory.path(), "hub", &arguments),
            place,
            runtime: Runtime::new().expect("a runtime"),
            probes: 0,
            _directory: Some(directory),
        };
        site.hub.start();
        Some(site)
    }

    /// The server; SQLite has none.
    pub(super) fn server(&self) -> &DatabaseServer {
        match &self.place {
            Place::Server(server, _) => server,
            Place::Sqlite => panic!("SQLite has no server"),
        }
    }

    /// Lets clients begin.
    pub(super) fn work(&self) -> Work {
        let kubeconfigs: [PathBuf; 1] = [self.hub.kubeconfig()];
        let moments = Moments::start().1;
        Work(self.runtime.block_on(Crowd::start(&kubeconfigs, &moments)))
    }

    fn endpoint(&self) -> Endpoint {
        self.runtime.block_on(self.hub.endpoint())
    }

    /// Creates a ConfigMap of a hundred kilobytes.
    pub(super) fn write(&mut self) -> anyhow::Result<Reply> {
        self.probes += 1;
        let object = json!({
            "metadata": {"name": format!("probe-{}", self.probes)},
            "data": {"weight": "x".repeat(HEAVY)},
        });
        let endpoint = self.endpoint();
        self.runtime
            .block_on(endpoint.send("POST", PROBES, Some(&object)))
    }

    /// The status code of `/readyz`.
    pub(super) fn readyz(&self) -> anyhow::Result<u16> {
        let endpoint = self.endpoint();
        let reply = self.runtime.block_on(endpoint.send("GET", "/readyz", None));
        Ok(reply?.status)
    }

    /// Waits until writes are refused as they should be, `/readyz` tells, and reads that accept what is in memory go on. Returns
    /// the message of the refusal.
    pub(super) fn is_in_trouble(&mut self) -> String {
        let begun = Instant::now();
        let refusal = loop {
            let reply = self.write().expect("a hub in trouble answers");
            if reply.status != 201 {
                break reply;
            }
            assert!(begun.elapsed() < PATIENCE, "writes still work");
        };
        let told = (refusal.status, refusal.reason());
        assert_eq!(told, (503, "ServiceUnavailable"), "{}", refusal.body);
        assert_eq!(refusal.body["kind"], "Status");
        let again = &refusal.body["details"]["retryAfterSeconds"];
        assert!(
            again.is_u64(),
            "clients are not told to try again: {}",
            refusal.body
        );
        self.until("readyz tells", |site| {
            site.readyz().is_ok_and(|code| code == 500)
        });
        let endpoint = self.endpoint();
        let read = endpoint.send("GET", "/api/v1/namespaces?resourceVersion=0", None);
        let read = self.runtime.block_on(read).expect("an answer from memory");
        assert_eq!(read.status, 200, "{}", read.body);
        refusal.message().to_owned()
    }

    /// Waits until the hub is ready again and takes writes, without anybody's doing. Returns how long it took.
    pub(super) fn recovers(&mut self) -> Duration {
        let begun = Instant::now();
        self.until("it is ready again", |site| {
            site.readyz().is_ok_and(|code| code == 200)
                && site.write().is_ok_and(|reply| reply.status == 201)
        });
        begun.elapsed()
    }

    fn until(&mut self, what: &str, mut reached: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !reached(self) {
            let ended = self.hub.ended();
            assert!(ended.is_none(), "the hub ended: {ended:?}");
            assert!(
                begun.elapsed() < PATIENCE,
                "never: {what}\n{}",
                self.hub.log()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Kills the hub, starts it again on what there is, and judges what the clients saw before and after.
    pub(super) fn judge(&mut self, work: Work) {
        self.hub.kill_9();
        self.hub.start();
        let book = self.runtime.block_on(work.0.finish());
        let summary = check(&book.history).unwrap_or_else(|found| panic!("{}", tell(&found)));
        println!("{summary}; {} reads told to come back", book.unavailable);
        assert_eq!(book.surprises, Vec::<String>::new());
        assert!(summary.acknowledged > 5, "{summary}");
    }
}

/// All three kinds of databases as tests of one function.
macro_rules! on_all {
    ($check:ident) => {
        mod $check {
            use apiserver_store::conformance::databases::Engine;

            #[test]
            fn sqlite() {
                super::$check(None);
            }

            #[test]
            fn postgres() {
                super::$check(Some(Engine::Postgres));
            }

            #[test]
            fn mariadb() {
                super::$check(Some(Engine::MariaDb));
            }
        }
    };
}

/// The servers as tests of one function.
macro_rules! on_servers {
    ($check:ident) => {
        mod $check {
            use apiserver_store::conformance::databases::Engine;

            #[test]
            fn postgres() {
                super::$check(Engine::Postgres);
            }

            #[test]
            fn mariadb() {
                super::$check(Engine::MariaDb);
            }
        }
    };
}

pub(super) use {on_all, on_servers};
