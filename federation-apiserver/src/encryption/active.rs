//! The configuration in effect, and its file followed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apiserver::http::HealthCheck;
use apiserver_store::{Seals, Secret};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::{
    EncryptionError,
    build::build,
    document::{Document, parse},
    error::chain,
    own,
};

/// How often the file is looked at. kube-apiserver is told by the system and looks once a minute besides.
const LOOK: Duration = Duration::from_secs(2);
/// How long a start waits for plugins that are started together with the hub.
const PLUGIN_PATIENCE: Duration = Duration::from_secs(10);

/// An encryption configuration in effect: what to open a store with. Follows its file for as long as it lives.
#[derive(Debug)]
pub struct Encryption {
    seals: Seals,
    path: PathBuf,
    trouble: Trouble,
    following: Option<JoinHandle<()>>,
}

/// Why the file as it is now is not in effect.
type Trouble = Arc<Mutex<Option<String>>>;

impl Encryption {
    /// Takes the configuration from a file that the operator wrote; if `follow` is set, also its later contents.
    ///
    /// # Errors
    /// If the file cannot be used. A plugin that is not there is waited for some seconds, and then no error: what needs it fails.
    pub async fn from_file(path: &Path, follow: bool) -> Result<Self, EncryptionError> {
        let text = read(path)?;
        let seals = Seals::new(build(document(path, &text)?, &[]).await?);
        wait_for_plugins(&seals).await;
        let trouble = Trouble::default();
        let following = follow.then(|| {
            let follower = Follower {
                path: path.to_owned(),
                text: Secret::new(text.into_bytes()),
                seals: seals.clone(),
                trouble: trouble.clone(),
            };
            tokio::spawn(follower.run())
        });
        Ok(Self {
            seals,
            path: path.to_owned(),
            trouble,
            following,
        })
    }

    /// Takes the configuration from the hub's own file in its data directory, and follows it. If there is no such file it is made, with
    /// a new key, unless `in_use` says that others store in the database already, with another key.
    ///
    /// # Errors
    /// If the file cannot be made or used; [`EncryptionError::Shared`].
    pub async fn own(data_dir: &Path, in_use: bool) -> Result<Self, EncryptionError> {
        let path = own::path(data_dir);
        if in_use && !path.exists() {
            return Err(EncryptionError::Shared { path });
        }
        own::ensure(&path)?;
        Self::from_file(&path, true).await
    }

    /// How to seal, for [`StoreOptions`](apiserver_store::StoreOptions).
    pub fn seals(&self) -> Seals {
        self.seals.clone()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why the file as it is now is not in effect; `None` if it is.
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.clone()
    }

    /// Checks for `/readyz`: `kms-providers`, of the same name as kube-apiserver's, and `encryption-config`, whether the file as it is
    /// now is in effect.
    ///
    /// They keep the configuration alive.
    pub fn checks(self: Arc<Self>) -> Vec<HealthCheck> {
        let seals = self.seals.clone();
        vec![
            HealthCheck::readiness("kms-providers", move || plugins_are_well(&seals)),
            HealthCheck::readiness("encryption-config", move || {
                self.trouble().map_or(Ok(()), Err)
            }),
        ]
    }
}

impl Drop for Encryption {
    fn drop(&mut self) {
        if let Some(following) = &self.following {
            following.abort();
        }
    }
}

fn plugins_are_well(seals: &Seals) -> Result<(), String> {
    for plugin in seals.rules().plugins() {
        plugin
            .health()
            .map_err(|error| format!("KMS plugin {:?}: {error}", plugin.name()))?;
    }
    Ok(())
}

async fn wait_for_plugins(seals: &Seals) {
    let deadline = Instant::now() + PLUGIN_PATIENCE;
    for plugin in seals.rules().plugins() {
        while plugin.health().is_err() && Instant::now() < deadline {
            sleep(Duration::from_millis(200)).await;
            plugin.ask().await;
        }
    }
}

struct Follower {
    path: PathBuf,
    /// What is in effect.
    text: Secret,
    seals: Seals,
    trouble: Trouble,
}

impl Follower {
    async fn run(mut self) {
        loop {
            sleep(LOOK).await;
            let outcome = self.look().await;
            let told = outcome.as_ref().err().map(|error| chain(error));
            let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
            if *trouble != told
                && let Some(error) = &told
            {
                tracing::error!(error, "the encryption configuration stays as it was");
            }
            *trouble = told;
        }
    }

    async fn look(&mut self) -> Result<(), EncryptionError> {
        let text = read(&self.path)?;
        if text.as_bytes() == self.text.expose() {
            return Ok(());
        }
        let running = self.seals.rules().plugins();
        let rules = build(document(&self.path, &text)?, &running).await?;
        for plugin in rules.plugins() {
            plugin
                .health()
                .map_err(|source| EncryptionError::NotReady {
                    name: plugin.name().to_owned(),
                    source,
                })?;
        }
        self.seals.replace(rules);
        self.text = Secret::new(text.into_bytes());
        tracing::info!(path = %self.path.display(), "the encryption configuration has changed");
        Ok(())
    }
}

fn read(path: &Path) -> Result<String, EncryptionError> {
    std::fs::read_to_string(path).map_err(|source| EncryptionError::Read {
        path: path.to_owned(),
        source,
    })
}

fn document(path: &Path, text: &str) -> Result<Document, EncryptionError> {
    parse(text).map_err(|complaints| EncryptionError::Invalid {
        path: path.to_owned(),
        complaints,
    })
}
