//! Database servers for tests: started by the tests, from what the system has installed, and gone with them.
//!
//! `apt-get install postgresql mariadb-server` is all it takes; the services that these packages set up are not
//! used. A server runs as an ordinary user on a free port of the loopback interface, in a temporary directory; a
//! small shell waits for the end of the test process, however that ends, and then removes both.

mod mariadb;
mod postgres;
mod process;

use std::{
    env,
    fs::OpenOptions,
    io::Write,
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use process::Process;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    MariaDb,
}

/// How a server is set up.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// It writes to the disk what it acknowledges, which is slower; it survives [`DatabaseServer::kill`] either way, because
    /// what the system has is not lost by that.
    pub durable: bool,
    /// Its files are in a new folder of this one, not of the system's for temporary files, and it takes less than a hundred
    /// mebibytes at first.
    pub parent: Option<PathBuf>,
    /// What it shows to clients that want TLS.
    pub tls: Option<ServerTls>,
}

/// PEM files of a server, of which it takes copies.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// Its certificate.
    pub certificate: PathBuf,
    /// The key of that.
    pub key: PathBuf,
}

/// A running server with a user `hub` that may do everything.
#[derive(Debug)]
pub struct DatabaseServer {
    engine: Engine,
    process: Process,
    databases: AtomicU64,
}

impl DatabaseServer {
    /// Starts a server with [`ServerOptions::durable`] as given.
    ///
    /// `None` and panics: as [`DatabaseServer::start_with`].
    pub fn start(engine: Engine, durable: bool) -> Option<Self> {
        let options = ServerOptions {
            durable,
            ..ServerOptions::default()
        };
        Self::start_with(engine, &options)
    }

    /// Starts a server.
    ///
    /// `None` means that it is not installed and the test must return at once; the skip log then says so.
    ///
    /// # Panics
    /// It does not start; or it is not installed and `KOINON_REQUIRE_TOOLS` is `1`.
    pub fn start_with(engine: Engine, options: &ServerOptions) -> Option<Self> {
        let process = match engine {
            Engine::Postgres => postgres::start(options),
            Engine::MariaDb => mariadb::start(options),
        };
        let Some(process) = process else {
            skip(match engine {
                Engine::Postgres => "PostgreSQL is not installed: apt-get install postgresql",
                Engine::MariaDb => "MariaDB is not installed: apt-get install mariadb-server",
            });
            return None;
        };
        Some(Self {
            engine,
            process,
            databases: AtomicU64::new(0),
        })
    }

    /// The server that all tests of this process share; started by the first who asks.
    pub fn shared(engine: Engine) -> Option<&'static Self> {
        static POSTGRES: OnceLock<Option<DatabaseServer>> = OnceLock::new();
        static MARIADB: OnceLock<Option<DatabaseServer>> = OnceLock::new();
        let place = match engine {
            Engine::Postgres => &POSTGRES,
            Engine::MariaDb => &MARIADB,
        };
        place.get_or_init(|| Self::start(engine, false)).as_ref()
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.process.port()
    }

    /// Where all its files are.
    pub fn directory(&self) -> &std::path::Path {
        self.process.directory()
    }

    /// Makes a new empty database, and returns its URL.
    pub fn create_database(&self) -> String {
        let name = format!("koinon{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE DATABASE {name}"));
        self.url(&name, self.port())
    }

    /// The URL of a database behind a port, which may be that of a proxy.
    pub fn url(&self, database: &str, port: u16) -> String {
        let scheme = match self.engine {
            Engine::Postgres => "postgres",
            Engine::MariaDb => "mysql",
        };
        format!("{scheme}://hub:hub@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// Runs SQL as the administrator, outside of any store's database, and returns what it prints.
    ///
    /// # Panics
    /// It fails.
    pub fn sql(&self, sql: &str) -> String {
        self.sql_in("", sql)
    }

    /// As [`DatabaseServer::sql`], in one database.
    ///
    /// # Panics
    /// It fails.
    pub fn sql_in(&self, database: &str, sql: &str) -> String {
        match self.engine {
            Engine::Postgres => postgres::sql(&self.process, database, sql),
            Engine::MariaDb => mariadb::sql(&self.process, database, sql),
        }
    }

    /// `kill -9`.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Starts it again on the same data and the same port, and waits until it serves.
    pub fn restart(&self) {
        self.process.restart();
    }
}

/// Notes why a test does not run.
fn skip(why: &str) {
    assert!(
        env::var("KOINON_REQUIRE_TOOLS").as_deref() != Ok("1"),
        "{why}"
    );
    eprintln!("skipped: {why}");
    if let Some(log) = env::var_os("KOINON_SKIP_LOG") {
        let logged = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&log)
            .and_then(|mut file| writeln!(file, "{why}"));
        assert!(logged.is_ok(), "{}: {logged:?}", log.to_string_lossy());
    }
}
