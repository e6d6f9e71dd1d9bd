//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError, HiddenUrl, LogFormat, Settings};
use crate::tunnel::TunnelSettings;
use crate::webhook::{self, WebhookArgs};
use crate::{backup, logging, rewrite, serve};

/// Koinon's hub: a Kubernetes API server for federation objects, on SQLite, PostgreSQL or MySQL.
#[derive(Clone, Debug, Parser)]
#[command(name = "federation-apiserver", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Serve the hub until SIGINT or SIGTERM.
    Serve(ServeArgs),
    /// Seal everything in the database again, with the first provider of its resource and that one's first key.
    ///
    /// Takes the same settings as `serve`. Hubs on a shared database may run. A hub on SQLite must not: have it do this itself then, with
    /// `kubectl create --raw /koinon/v1/rewrite -f /dev/null`.
    Rewrite(RewriteArgs),
    /// Write all objects into a file, while hubs on a shared database run. A hub on SQLite must be stopped.
    ///
    /// Sealed objects stay sealed in it: keep the encryption keys too, elsewhere.
    Backup(FileArgs),
    /// Read a backup into an empty database of any kind. Clients of the hub then list everything anew.
    Restore(FileArgs),
    /// Serve conversion and admission for a hub that is an ordinary Kubernetes cluster, until SIGINT or SIGTERM.
    Webhook(WebhookArgs),
}

/// Flags of `serve`. What is not given is taken from the environment, then from the config file, then the default.
#[derive(Clone, Debug, Default, Args)]
pub struct ServeArgs {
    /// YAML file with settings: the names of these flags in camelCase, such as `dataDir`.
    #[arg(long, env = "KOINON_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory for certificates, and for objects if there is no database URL [default: /var/lib/koinon].
    #[arg(long, env = "KOINON_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Database for objects: postgres://user:password@host/database?sslmode=verify-full&sslrootcert=FILE, mysql://… (MySQL,
    /// MariaDB, OceanBase) or sqlite:DIRECTORY. Several hubs may share one PostgreSQL or MySQL database
    /// [default: sqlite:<data-dir>/store].
    #[arg(
        long,
        env = "KOINON_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    database_url: Option<HiddenUrl>,
    /// Address and port to listen on [default: 0.0.0.0:6443].
    #[arg(long, env = "KOINON_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Name or address under which clients reach the hub, for its certificate; may be repeated [localhost always].
    #[arg(
        long = "host",
        env = "KOINON_HOSTS",
        value_delimiter = ',',
        value_name = "HOST"
    )]
    hosts: Option<Vec<String>>,
    /// URL that the kubeconfig names [default: https://<listen>].
    #[arg(long, env = "KOINON_ADVERTISE_URL", value_name = "URL")]
    advertise_url: Option<String>,
    /// Where to write the administrator's kubeconfig [default: <data-dir>/kubeconfig].
    #[arg(long, env = "KOINON_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// File of static bearer tokens: lines of token,user,uid,"group1,group2".
    #[arg(long, env = "KOINON_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File with an EncryptionConfiguration, as kube-apiserver takes it: what is sealed in the database, and with which keys [default:
    /// <data-dir>/encryption.yaml, made with a new key for Secrets].
    #[arg(long, env = "KOINON_ENCRYPTION_PROVIDER_CONFIG", value_name = "FILE")]
    encryption_provider_config: Option<PathBuf>,
    /// Follow changes of that file [default: false].
    #[arg(
        long,
        env = "KOINON_ENCRYPTION_PROVIDER_CONFIG_AUTOMATIC_RELOAD",
        value_name = "BOOL",
        num_args = 0..=1,
        default_missing_value = "true"
    )]
    encryption_provider_config_automatic_reload: Option<bool>,
    /// How log lines look [default: text].
    #[arg(long, env = "KOINON_LOG_FORMAT", value_enum)]
    log_format: Option<LogFormat>,
    /// Which log lines there are: a level (error, warn, info, debug, trace) or a filter such as apiserver=debug
    /// [default: info].
    #[arg(long, env = "KOINON_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// Seconds for which /readyz fails at shutdown before connections are refused, for load balancers [default: 0].
    #[arg(long, env = "KOINON_SHUTDOWN_DELAY_SECONDS", value_name = "SECONDS")]
    shutdown_delay_seconds: Option<u64>,
    #[command(flatten)]
    tunnel: TunnelSettings,
}

/// Flags of `rewrite`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RewriteArgs {
    /// Instead: delete an object whose value nobody can open any more, because its key is lost, or what is stored is damaged. Name
    /// it as the hub's error does, such as '/secrets default/words'; may be repeated. Finalizers and what belongs to it are not
    /// regarded. What can be read, or only waits for a KMS plugin, is not deleted.
    #[arg(long, value_name = "OBJECT")]
    delete_unreadable: Vec<String>,
    #[command(flatten)]
    settings: ServeArgs,
}

/// Flags of `backup` and `restore`.
#[derive(Clone, Debug, Args)]
pub(crate) struct FileArgs {
    /// The backup.
    file: PathBuf,
    #[command(flatten)]
    settings: ServeArgs,
}

impl ServeArgs {
    /// The settings in effect.
    ///
    /// # Errors
    /// If the config file or the database URL cannot be used, or the tunnel's settings do not fit together.
    pub fn into_config(self) -> Result<Config, ConfigError> {
        let file = match &self.config {
            Some(path) => Settings::from_file(path)?,
            None => Settings::default(),
        };
        let flags = Settings {
            data_dir: self.data_dir,
            database_url: self.database_url,
            listen: self.listen,
            hosts: self.hosts,
            advertise_url: self.advertise_url,
            kubeconfig: self.kubeconfig,
            token_file: self.token_file,
            encryption_provider_config: self.encryption_provider_config,
            encryption_provider_config_automatic_reload: self
                .encryption_provider_config_automatic_reload,
            log_format: self.log_format,
            log: self.log,
            shutdown_delay_seconds: self.shutdown_delay_seconds,
            tunnel: self.tunnel,
        };
        let settings = flags.or(file);
        let database = settings.database_url.as_ref().map(HiddenUrl::read);
        let database = database.transpose().map_err(ConfigError::Database)?;
        let mut config = settings.complete()?;
        if let Some(database) = database {
            config.database = database;
        }
        Ok(config)
    }
}

/// The whole program: 0 after a clean shutdown, 2 for settings that cannot be used, 1 for everything else.
pub async fn main(cli: Cli) -> ExitCode {
    match cli.command {
        Command::Serve(arguments) => hub(arguments).await,
        Command::Rewrite(arguments) => seal_again(arguments).await,
        Command::Backup(arguments) => {
            let (settings, file) = (arguments.settings, arguments.file);
            with_config(settings, async |config| {
                backup::backup(&config, &file).await
            })
            .await
        }
        Command::Restore(arguments) => {
            let (settings, file) = (arguments.settings, arguments.file);
            with_config(settings, async |config| {
                backup::restore(&config, &file).await
            })
            .await
        }
        Command::Webhook(arguments) => webhook(arguments).await,
    }
}

async fn hub(arguments: ServeArgs) -> ExitCode {
    let config = match arguments.into_config() {
        Ok(config) => config,
        Err(error) => return failed(&error, 2),
    };
    if let Err(error) = logging::init(config.log_format, &config.log) {
        return failed(&*error, 2);
    }
    match serve::serve(config, serve::signal()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error, 1),
    }
}

async fn seal_again(arguments: RewriteArgs) -> ExitCode {
    let config = match arguments.settings.into_config() {
        Ok(config) => config,
        Err(error) => return failed(&error, 2),
    };
    if let Err(error) = logging::init(config.log_format, &config.log) {
        return failed(&*error, 2);
    }
    let done = match arguments.delete_unreadable.as_slice() {
        [] => rewrite::rewrite(&config).await,
        names => rewrite::delete_unreadable(&config, names).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error, 1),
    }
}

async fn with_config(
    arguments: ServeArgs,
    work: impl AsyncFnOnce(Config) -> Result<(), backup::BackupCommandError>,
) -> ExitCode {
    let config = match arguments.into_config() {
        Ok(config) => config,
        Err(error) => return failed(&error, 2),
    };
    if let Err(error) = logging::init(config.log_format, &config.log) {
        return failed(&*error, 2);
    }
    match work(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error, 1),
    }
}

async fn webhook(arguments: WebhookArgs) -> ExitCode {
    if let Err(error) = logging::init(arguments.log_format, &arguments.log) {
        return failed(&*error, 2);
    }
    let (config, client) = match arguments.into_config().await {
        Ok(settled) => settled,
        Err(error) => return failed(&error, 2),
    };
    match webhook::serve(config, client, serve::signal()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error, 1),
    }
}

/// Tells an error with all its causes, once, on standard error.
fn failed(error: &dyn std::error::Error, code: u8) -> ExitCode {
    let mut text = format!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let told = cause.to_string();
        // Errors of others repeat their causes.
        if !text.ends_with(&told) {
            text.push_str(&format!(": {told}"));
        }
        source = cause.source();
    }
    eprintln!("{text}");
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        let help = Cli::command()
            .find_subcommand_mut("serve")
            .unwrap()
            .render_long_help()
            .to_string();
        for flag in [
            "--data-dir",
            "--database-url",
            "--listen",
            "--config",
            "--kubeconfig",
            "KOINON_LOG",
        ] {
            assert!(help.contains(flag), "{flag}");
        }
    }

    #[test]
    fn a_database_url_replaces_sqlite_and_never_shows_its_password() {
        let read = |url: &str| {
            let cli = Cli::parse_from(["federation-apiserver", "serve", "--database-url", url]);
            assert!(!format!("{cli:?}").contains("hunter2"));
            let Command::Serve(arguments) = cli.command else {
                panic!()
            };
            arguments.into_config()
        };
        let config = read("postgres://hub:hunter2@db.example/koinon").unwrap();
        assert!(config.database.is_shared());
        assert!(!format!("{config:?}").contains("hunter2"));
        let error = read("postgres://hub:hunter2@db.example/koinon?x=y").unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn flags_win_over_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("hub.yaml");
        std::fs::write(&file, "dataDir: /a\nlisten: 127.0.0.1:1\n").unwrap();
        let cli = Cli::parse_from([
            "federation-apiserver",
            "serve",
            "--config",
            file.to_str().unwrap(),
            "--data-dir",
            "/b",
        ]);
        let Command::Serve(arguments) = cli.command else {
            panic!("another command")
        };
        let config = arguments.into_config().unwrap();
        assert_eq!(config.data_dir, PathBuf::from("/b"));
        assert_eq!(config.listen.port(), 1);
    }
}
