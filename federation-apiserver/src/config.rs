//! What a hub can be told: by flags, by environment variables, by a file, in that order of precedence.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use apiserver_store::{DatabaseUrl, DatabaseUrlError};
use clap::ValueEnum;
use serde::Deserialize;

use crate::tunnel::{TunnelConfig, TunnelSettings, TunnelSettingsError};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// A hub's settings, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where certificates are kept, and objects unless `database` says otherwise.
    pub data_dir: PathBuf,
    /// Where objects are kept: by default in SQLite, in the folder `store` of the data directory.
    pub database: DatabaseUrl,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Names and addresses under which clients reach the hub, besides localhost: they go into its certificate.
    pub hosts: Vec<String>,
    /// URL that the administrator's kubeconfig names; by default the listening address, or localhost if that is all
    /// addresses.
    pub advertise_url: Option<String>,
    /// Where the administrator's kubeconfig is written.
    pub kubeconfig: PathBuf,
    /// A file of static bearer tokens in the form of kube-apiserver's `--token-auth-file`.
    pub token_file: Option<PathBuf>,
    /// An `EncryptionConfiguration`; without one, the hub makes one of its own in the data directory.
    pub encryption_config: Option<PathBuf>,
    /// Whether changes of that file are followed. Those of the hub's own always are.
    pub encryption_config_reload: bool,
    /// The port for members' agents, and what belongs to it; `None`: no tunnel.
    pub tunnel: Option<TunnelConfig>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines there are: a level or a `tracing` filter.
    pub log: String,
    /// How long `/readyz` fails at shutdown before connections are refused, in seconds.
    pub shutdown_delay_seconds: u64,
}

/// Settings as one source gives them: each may be missing. The file's keys are these in camelCase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) database_url: Option<HiddenUrl>,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) hosts: Option<Vec<String>>,
    pub(crate) advertise_url: Option<String>,
    pub(crate) kubeconfig: Option<PathBuf>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) encryption_provider_config: Option<PathBuf>,
    pub(crate) encryption_provider_config_automatic_reload: Option<bool>,
    pub(crate) tunnel: TunnelSettings,
    pub(crate) log_format: Option<LogFormat>,
    pub(crate) log: Option<String>,
    pub(crate) shutdown_delay_seconds: Option<u64>,
}

/// A database URL before it is read. It may hold a password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct HiddenUrl(String);

impl HiddenUrl {
    pub(crate) fn read(&self) -> Result<DatabaseUrl, DatabaseUrlError> {
        self.0.parse()
    }
}

impl FromStr for HiddenUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for HiddenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<database URL>")
    }
}

/// Settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The tunnel's settings do not fit together.
    #[error("the tunnel cannot be set up")]
    Tunnel(#[source] TunnelSettingsError),
    /// The database URL cannot be used.
    #[error("the database URL cannot be used")]
    Database(#[source] DatabaseUrlError),
    /// It says something that is not a setting.
    #[error("{path} is not a valid configuration")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Settings {
    /// Reads a YAML file.
    pub(crate) fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text).map_err(|source| ConfigError::Parse {
            path: path.to_owned(),
            source,
        })
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let read: Option<Self> = serde_saphyr::from_str(text)?;
        Ok(read.unwrap_or_default())
    }

    /// These settings, with `other`'s where these say nothing.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(other.data_dir),
            database_url: self.database_url.or(other.database_url),
            listen: self.listen.or(other.listen),
            hosts: self.hosts.or(other.hosts),
            advertise_url: self.advertise_url.or(other.advertise_url),
            kubeconfig: self.kubeconfig.or(other.kubeconfig),
            token_file: self.token_file.or(other.token_file),
            encryption_provider_config: self
                .encryption_provider_config
                .or(other.encryption_provider_config),
            encryption_provider_config_automatic_reload: self
                .encryption_provider_config_automatic_reload
                .or(other.encryption_provider_config_automatic_reload),
            tunnel: self.tunnel.or(other.tunnel),
            log_format: self.log_format.or(other.log_format),
            log: self.log.or(other.log),
            shutdown_delay_seconds: self.shutdown_delay_seconds.or(other.shutdown_delay_seconds),
        }
    }

    /// Fills in the defaults.
    pub(crate) fn complete(self) -> Result<Config, ConfigError> {
        let hosts = self.hosts.unwrap_or_default();
        let tunnel = self.tunnel.complete(&hosts).map_err(ConfigError::Tunnel)?;
        let data_dir = self
            .data_dir
            .unwrap_or_else(|| PathBuf::from("/var/lib/koinon"));
        Ok(Config {
            database: DatabaseUrl::sqlite(data_dir.join("store")),
            listen: self
                .listen
                .unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 6443))),
            hosts,
            tunnel,
            advertise_url: self.advertise_url,
            kubeconfig: self
                .kubeconfig
                .unwrap_or_else(|| data_dir.join("kubeconfig")),
            token_file: self.token_file,
            encryption_config: self.encryption_provider_config,
            encryption_config_reload: self
                .encryption_provider_config_automatic_reload
                .unwrap_or(false),
            log_format: self.log_format.unwrap_or_default(),
            log: self.log.unwrap_or_else(|| "info".to_owned()),
            shutdown_delay_seconds: self.shutdown_delay_seconds.unwrap_or(0),
            data_dir,
        })
    }
}

impl Config {
    /// A hub for this machine only, with everything in one directory and on a free port.
    pub fn local(data_dir: impl Into<PathBuf>) -> Self {
        Settings {
            data_dir: Some(data_dir.into()),
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            ..Settings::default()
        }
        .complete()
        .expect("without settings of the tunnel nothing can be at odds")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_sources_win_and_the_rest_is_default() {
        let flags = Settings {
            listen: Some("127.0.0.1:1".parse().unwrap()),
            ..Settings::default()
        };
        let file = Settings::parse(
            "listen: 127.0.0.1:2\ndataDir: /srv/hub\nlogFormat: json\nhosts: [hub.example]\n",
        )
        .unwrap();
        let config = flags.or(file).complete().unwrap();
        assert_eq!(config.listen.port(), 1);
        assert_eq!(config.kubeconfig, Path::new("/srv/hub/kubeconfig"));
        assert_eq!(config.log_format, LogFormat::Json);
        assert_eq!(config.hosts, ["hub.example"]);
        assert_eq!(config.log, "info");
    }

    #[test]
    fn unknown_settings_are_refused_and_an_empty_file_is_fine() {
        assert!(Settings::parse("lissten: 1").is_err());
        assert_eq!(Settings::parse("").unwrap(), Settings::default());
    }
}
