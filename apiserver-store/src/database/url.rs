//! Database URLs, read once into what cannot be wrong.

use std::{fmt, io, path::PathBuf, str::FromStr, time::Duration};

use percent_encoding::percent_decode_str;
use sqlx::{
    mysql::{MySqlConnectOptions, MySqlSslMode},
    postgres::{PgConnectOptions, PgSslMode},
};
use url::Url;

use super::parameters::{KNOWN, Parameters, TlsMode};
use crate::{RemoteOptions, SqliteOptions, remote::Server};

/// Reading connections, unless the URL says otherwise: the hub reads from memory.
const CONNECTIONS: u16 = 4;
/// As libpq's and MySQL's tools are usually told.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where a store is:
///
/// - `sqlite:<directory>`, for one process;
/// - `postgres://user:password@host:port/database?sslmode=verify-full&sslrootcert=/etc/db-ca.pem`;
/// - `mysql://user:password@host:port/database?ssl-mode=VERIFY_IDENTITY&ssl-ca=/etc/db-ca.pem`, also for MariaDB and,
///   with `prepared=false`, OceanBase.
///
/// Parameters of both servers: `sslmode` (`disable`, `prefer`, `require`, `verify-ca`, `verify-full`, or MySQL's words),
/// `sslrootcert`, `sslcert`, `sslkey` (or `ssl-ca`, `ssl-cert`, `ssl-key`): PEM files; `passwordfile`: a file with the
/// password; `socket`: a Unix socket (PostgreSQL: its directory); `connections`: for reading, 4 by default;
/// `connect_timeout` in seconds, 5 by default; `prepared`: false for MySQL-like servers that do not prepare statements.
///
/// Neither `Display` nor `Debug` shows the password.
#[derive(Clone)]
pub struct DatabaseUrl {
    shown: String,
    place: Place,
}

#[derive(Clone)]
pub(super) enum Place {
    Sqlite(SqliteOptions),
    Remote(Box<RemoteOptions>),
}

/// Why a text is not a database URL. No message repeats the text: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseUrlError {
    /// It is no URL.
    #[error(
        "not a URL such as postgres://user:password@host/database; special characters of a password must be percent-encoded"
    )]
    Malformed(#[source] url::ParseError),
    /// It is for something else.
    #[error("unknown database {0:?}; it may be postgres, mysql or sqlite")]
    Scheme(String),
    /// Something is not there.
    #[error("the database URL lacks {0}")]
    Missing(&'static str),
    /// A parameter that nobody reads.
    #[error("unknown parameter {0:?}; known are {KNOWN}")]
    Unknown(String),
    /// A parameter that does not apply.
    #[error("parameter {name} does not apply to {to}")]
    Misplaced {
        /// Which one.
        name: &'static str,
        /// Which kind of database.
        to: &'static str,
    },
    /// A parameter with a value that makes no sense.
    #[error("parameter {name} must be {expected}")]
    Value {
        /// Which one.
        name: &'static str,
        /// What it may be.
        expected: String,
    },
    /// A file that cannot be read.
    #[error("the {name} {} cannot be read", path.display())]
    File {
        /// Which parameter.
        name: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl DatabaseUrl {
    /// A store in SQLite, in a directory of its own.
    pub fn sqlite(directory: impl Into<PathBuf>) -> Self {
        let options = SqliteOptions::new(directory);
        Self {
            shown: format!("sqlite:{}", options.directory.display()),
            place: Place::Sqlite(options),
        }
    }

    /// Whether several processes can use that database at the same time.
    pub fn is_shared(&self) -> bool {
        matches!(self.place, Place::Remote(_))
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(DatabaseUrlError::Malformed(
                url::ParseError::RelativeUrlWithoutBase,
            ));
        };
        match scheme {
            "sqlite" => {
                let directory = rest.strip_prefix("//").unwrap_or(rest);
                if directory.is_empty() {
                    return Err(DatabaseUrlError::Missing("a directory"));
                }
                Ok(Self::sqlite(directory))
            }
            "postgres" | "postgresql" | "mysql" | "mariadb" => {
                read_remote(&Url::parse(text).map_err(DatabaseUrlError::Malformed)?)
            }
            other => Err(DatabaseUrlError::Scheme(other.to_owned())),
        }
    }
}

/// Who connects to what.
struct Target {
    host: Option<String>,
    port: Option<u16>,
    user: String,
    password: Option<String>,
    database: String,
}

fn read_remote(url: &Url) -> Result<DatabaseUrl, DatabaseUrlError> {
    let parameters = Parameters::read(url.query_pairs())?;
    let database = decoded(url.path().trim_start_matches('/'));
    if database.is_empty() {
        return Err(DatabaseUrlError::Missing("the database's name"));
    }
    if url.username().is_empty() {
        return Err(DatabaseUrlError::Missing("a user name"));
    }
    let host = url.host_str().filter(|host| !host.is_empty());
    if host.is_none() && parameters.socket.is_none() {
        return Err(DatabaseUrlError::Missing("a host (or a socket parameter)"));
    }
    let target = Target {
        host: host.map(|host| decoded(host.trim_matches(['[', ']']))),
        port: url.port(),
        user: decoded(url.username()),
        password: password(url, &parameters)?,
        database,
    };
    let mut shown = url.clone();
    // Neither can fail on a URL that has a user name.
    let _ = shown.set_password(url.password().map(|_| "redacted"));
    shown.set_query(None);
    let server = match url.scheme() {
        "postgres" | "postgresql" => postgres(target, &parameters)?,
        _ => mysql(target, &parameters),
    };
    let options = RemoteOptions {
        server,
        readers: parameters.connections.unwrap_or(CONNECTIONS),
        timeout: parameters.timeout.unwrap_or(TIMEOUT),
    };
    Ok(DatabaseUrl {
        shown: shown.to_string(),
        place: Place::Remote(Box::new(options)),
    })
}

fn password(url: &Url, parameters: &Parameters) -> Result<Option<String>, DatabaseUrlError> {
    let Some(path) = &parameters.password_file else {
        return Ok(url.password().map(decoded));
    };
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned())),
        Err(source) => Err(DatabaseUrlError::File {
            name: "passwordfile",
            path: path.clone(),
            source,
        }),
    }
}

fn postgres(target: Target, parameters: &Parameters) -> Result<Server, DatabaseUrlError> {
    if parameters.prepared.is_some() {
        let (name, to) = ("prepared", "PostgreSQL");
        return Err(DatabaseUrlError::Misplaced { name, to });
    }
    let mut options = PgConnectOptions::new_without_pgpass()
        .port(target.port.unwrap_or(5432))
        .username(&target.user)
        .database(&target.database)
        .application_name("koinon")
        .ssl_mode(match parameters.tls {
            TlsMode::Disable => PgSslMode::Disable,
            TlsMode::Prefer => PgSslMode::Prefer,
            TlsMode::Require => PgSslMode::Require,
            TlsMode::VerifyCa => PgSslMode::VerifyCa,
            TlsMode::VerifyFull => PgSslMode::VerifyFull,
        });
    if let Some(host) = &target.host {
        options = options.host(host);
    }
    if let Some(socket) = &parameters.socket {
        options = options.socket(socket);
    }
    if let Some(password) = &target.password {
        options = options.password(password);
    }
    if let Some(ca) = &parameters.ca {
        options = options.ssl_root_cert(ca);
    }
    if let Some(certificate) = &parameters.certificate {
        options = options.ssl_client_cert(certificate);
    }
    if let Some(key) = &parameters.key {
        options = options.ssl_client_key(key);
    }
    Ok(Server::Postgres(options))
}

fn mysql(target: Target, parameters: &Parameters) -> Server {
    let mut options = MySqlConnectOptions::new()
        .port(target.port.unwrap_or(3306))
        .username(&target.user)
        .database(&target.database)
        .ssl_mode(match parameters.tls {
            TlsMode::Disable => MySqlSslMode::Disabled,
            TlsMode::Prefer => MySqlSslMode::Preferred,
            TlsMode::Require => MySqlSslMode::Required,
            TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
            TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
        });
    if let Some(host) = &target.host {
        options = options.host(host);
    }
    if let Some(socket) = &parameters.socket {
        options = options.socket(socket);
    }
    if let Some(password) = &target.password {
        options = options.password(password);
    }
    if let Some(ca) = &parameters.ca {
        options = options.ssl_ca(ca);
    }
    if let Some(certificate) = &parameters.certificate {
        options = options.ssl_client_cert(certificate);
    }
    if let Some(key) = &parameters.key {
        options = options.ssl_client_key(key);
    }
    Server::MySql {
        options,
        prepared: parameters.prepared.unwrap_or(true),
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// As far as they are shown: without password and parameters.
impl PartialEq for DatabaseUrl {
    fn eq(&self, other: &Self) -> bool {
        self.shown == other.shown
    }
}

impl Eq for DatabaseUrl {}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(url: &DatabaseUrl) -> &RemoteOptions {
        match url.place() {
            Place::Remote(options) => options,
            Place::Sqlite(_) => panic!("{url:?}"),
        }
    }

    fn refused(text: &str) -> String {
        text.parse::<DatabaseUrl>().unwrap_err().to_string()
    }

    #[test]
    fn the_three_kinds_are_read() {
        let url: DatabaseUrl = "sqlite:///var/lib/koinon/store".parse().unwrap();
        let Place::Sqlite(options) = url.place() else {
            panic!("{url:?}")
        };
        assert_eq!(options.directory.to_str(), Some("/var/lib/koinon/store"));
        let text = "postgres://hub:p%40ss@db.example:6432/koinon?connections=9&sslmode=require&connect_timeout=2";
        let url: DatabaseUrl = text.parse().unwrap();
        let RemoteOptions {
            server: Server::Postgres(options),
            readers: 9,
            timeout,
        } = remote(&url)
        else {
            panic!("{url:?}")
        };
        assert_eq!(
            (options.get_host(), options.get_port()),
            ("db.example", 6432)
        );
        assert_eq!(options.get_database(), Some("koinon"));
        assert_eq!(*timeout, Duration::from_secs(2));
        assert!(matches!(options.get_ssl_mode(), PgSslMode::Require));
        let text = "mysql://hub@[::1]/koinon?ssl-mode=VERIFY_IDENTITY&prepared=false";
        let url: DatabaseUrl = text.parse().unwrap();
        let RemoteOptions {
            server: Server::MySql { options, prepared },
            ..
        } = remote(&url)
        else {
            panic!("{url:?}")
        };
        assert_eq!((options.get_host(), *prepared), ("::1", false));
        assert!(url.is_shared());
    }

    #[test]
    fn passwords_are_never_shown() {
        let text = "postgres://hub:hunter2@db/koinon?sslmode=disable";
        let url: DatabaseUrl = text.parse().unwrap();
        assert_eq!(url.to_string(), "postgres://hub:redacted@db/koinon");
        assert!(!format!("{url:?}").contains("hunter2"));
        for text in [
            "postgres://hub:hunter2@db",
            "postgres://hub:hunter2@db/koinon?sslmod=require",
            "postgres://hub:hunter2@db/koinon?sslmode=hunter2",
            "postgres://hub:hunter2@db:port/koinon",
            "oracle://hub:hunter2@db/koinon",
        ] {
            let shown = format!(
                "{:?} {}",
                text.parse::<DatabaseUrl>().unwrap_err(),
                refused(text)
            );
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn errors_say_what_to_do() {
        for (text, part) in [
            ("koinon", "not a URL"),
            ("etcd://a/b", "may be postgres, mysql or sqlite"),
            ("sqlite:", "lacks a directory"),
            ("postgres://hub@db", "lacks the database's name"),
            ("postgres://db/koinon", "lacks a user name"),
            (
                "mysql://hub@db/koinon?tls=yes",
                "unknown parameter \"tls\"; known are sslmode",
            ),
            ("mysql://hub@db/koinon?ssl-mode=sure", "verify-full"),
            ("mysql://hub@db/koinon?connections=0", "from 1 to 1000"),
            (
                "mysql://hub@db/koinon?ssl-ca=/nonexistent",
                "/nonexistent cannot be read",
            ),
            (
                "postgres://hub@db/koinon?prepared=false",
                "does not apply to PostgreSQL",
            ),
        ] {
            let refused = refused(text);
            assert!(refused.contains(part), "{text}: {refused}");
        }
    }

    #[test]
    fn a_password_can_stand_in_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("password");
        std::fs::write(&file, "hunter2\n").unwrap();
        let url = Url::parse("postgres://hub@db/koinon").unwrap();
        let parameters = Parameters {
            password_file: Some(file),
            ..Parameters::default()
        };
        assert_eq!(
            password(&url, &parameters).unwrap().as_deref(),
            Some("hunter2")
        );
    }
}
