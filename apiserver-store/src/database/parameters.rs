//! What stands after the `?` of a database URL.

use std::{fs, path::PathBuf, time::Duration};

use super::url::DatabaseUrlError;

/// How the connection is protected. Both servers' words mean the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TlsMode {
    Disable,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// The parameters, read; all are optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) tls: TlsMode,
    pub(super) ca: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) password_file: Option<PathBuf>,
    /// A directory (PostgreSQL) or a file (MySQL).
    pub(super) socket: Option<PathBuf>,
    pub(super) connections: Option<u16>,
    pub(super) timeout: Option<Duration>,
    pub(super) prepared: Option<bool>,
}

/// For error messages.
pub(super) const KNOWN: &str = "sslmode (ssl-mode), sslrootcert (ssl-ca), sslcert (ssl-cert), sslkey (ssl-key), \
     passwordfile, socket, connections, connect_timeout, prepared";

impl Parameters {
    /// Reads decoded names and values.
    pub(super) fn read<'a>(
        pairs: impl Iterator<Item = (impl AsRef<str>, impl Into<String>)> + 'a,
    ) -> Result<Self, DatabaseUrlError> {
        let mut read = Self::default();
        for (name, value) in pairs {
            read.set(name.as_ref(), value.into())?;
        }
        Ok(read)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), DatabaseUrlError> {
        match name {
            "sslmode" | "ssl-mode" => self.tls = tls_mode(&value)?,
            "sslrootcert" | "ssl-ca" => self.ca = Some(readable("sslrootcert", value)?),
            "sslcert" | "ssl-cert" => self.certificate = Some(readable("sslcert", value)?),
            "sslkey" | "ssl-key" => self.key = Some(readable("sslkey", value)?),
            "passwordfile" => self.password_file = Some(readable("passwordfile", value)?),
            "socket" => self.socket = Some(value.into()),
            "connections" => {
                self.connections = Some(number("connections", &value, 1..=1000)?);
            }
            "connect_timeout" => {
                let seconds = number("connect_timeout", &value, 1..=60)?;
                self.timeout = Some(Duration::from_secs(u64::from(seconds)));
            }
            "prepared" => {
                self.prepared = Some(
                    value
                        .parse()
                        .map_err(|_| bad("prepared", "true or false"))?,
                );
            }
            other => return Err(DatabaseUrlError::Unknown(other.to_owned())),
        }
        Ok(())
    }
}

fn tls_mode(value: &str) -> Result<TlsMode, DatabaseUrlError> {
    match value.to_ascii_lowercase().replace('_', "-").as_str() {
        "disable" | "disabled" => Ok(TlsMode::Disable),
        "prefer" | "preferred" => Ok(TlsMode::Prefer),
        "require" | "required" => Ok(TlsMode::Require),
        "verify-ca" => Ok(TlsMode::VerifyCa),
        "verify-full" | "verify-identity" => Ok(TlsMode::VerifyFull),
        _ => {
            let expected = "disable, prefer, require, verify-ca or verify-full";
            Err(bad("sslmode", expected))
        }
    }
}

/// A file that can be read: better told now than by a failing handshake.
fn readable(name: &'static str, value: String) -> Result<PathBuf, DatabaseUrlError> {
    let path = PathBuf::from(value);
    match fs::File::open(&path) {
        Ok(_) => Ok(path),
        Err(source) => Err(DatabaseUrlError::File { name, path, source }),
    }
}

fn number(
    name: &'static str,
    value: &str,
    range: std::ops::RangeInclusive<u16>,
) -> Result<u16, DatabaseUrlError> {
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| DatabaseUrlError::Value {
        name,
        expected: format!("a number from {} to {}", range.start(), range.end()),
    })
}

fn bad(name: &'static str, expected: &str) -> DatabaseUrlError {
    DatabaseUrlError::Value {
        name,
        expected: expected.to_owned(),
    }
}
