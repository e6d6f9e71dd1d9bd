//! Keeps the serving certificate fresh and the CA published.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use apiserver::seams::Seams;
use federation_api::names::WEBHOOK_SECRET;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use tokio::sync::Notify;

use super::certificates::{
    CertificateError, Current, Identity, Keyring, Lives, Situation, decide, perform,
};
use super::inject::Injector;
use crate::chain::chain;

/// Between two looks at certificates, at most.
const PERIOD: Duration = Duration::from_secs(10);
/// Between two looks after a failure.
const RETRY: Duration = Duration::from_secs(1);
/// Between two looks, at least: changes come in bursts.
const PAUSE: Duration = Duration::from_millis(100);

/// Where certificates come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// Made here and kept in a Secret that all replicas share.
    Own { hosts: Vec<String>, lives: Lives },
    /// Given as files that somebody else renews.
    Files {
        certificate: PathBuf,
        key: PathBuf,
        /// The CA that API servers must trust; without one, whoever gives the certificate tells them.
        authority: Option<PathBuf>,
    },
}

/// A turn failed.
#[derive(Debug, thiserror::Error)]
enum TurnError {
    #[error("the API server refused")]
    Api(#[from] kube::Error),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error("cannot read {path}")]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "Secret {WEBHOOK_SECRET} is there but does not hold what this program keeps in it: delete it, or mount it and name its \
         files with --tls-cert-file, --tls-key-file and --ca-file"
    )]
    Foreign,
}

/// Certificate and bundle to use now.
struct Turn {
    serving: Identity,
    bundle: Option<String>,
    is_published: bool,
}

/// The keeper of one process.
pub(super) struct Keeper {
    pub(super) source: Source,
    pub(super) secrets: Api<Secret>,
    pub(super) injector: Injector,
    pub(super) current: Current,
    pub(super) seams: Seams,
    /// Whether API servers can trust this process: it has a certificate, and its CA was published once.
    pub(super) is_ready: Arc<AtomicBool>,
}

impl Keeper {
    /// Runs until dropped. Failures are logged and tried again; what is served with stays meanwhile.
    pub(super) async fn run(self, changed: Arc<Notify>) {
        let mut serving = None;
        loop {
            let wait = match self.turn(&mut serving).await {
                Ok(true) => {
                    self.is_ready.store(true, Ordering::Release);
                    self.period()
                }
                Ok(false) => Duration::ZERO,
                Err(error) => {
                    let cause = chain(&error);
                    tracing::warn!(error = cause, "certificates are not in order");
                    RETRY
                }
            };
            tokio::time::sleep(PAUSE).await;
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = changed.notified() => {}
            }
        }
    }

    fn period(&self) -> Duration {
        match &self.source {
            Source::Own { lives, .. } => PERIOD.min(lives.serving.min(lives.authority) / 20),
            Source::Files { .. } => PERIOD,
        }
    }

    /// Looks and does what is due. True once everything is in place.
    async fn turn(&self, serving: &mut Option<Identity>) -> Result<bool, TurnError> {
        // First what is published, then the bundle: see `Injector::look`.
        let seen = self.injector.look().await?;
        let turn = match &self.source {
            Source::Own { hosts, lives } => {
                let Some(turn) = self.own(hosts, *lives, &seen).await? else {
                    return Ok(false);
                };
                turn
            }
            Source::Files {
                certificate,
                key,
                authority,
            } => {
                let bundle = match authority {
                    Some(path) => Some(read(path).await?),
                    None => None,
                };
                Turn {
                    serving: Identity {
                        certificate_pem: read(certificate).await?,
                        key_pem: read(key).await?,
                    },
                    is_published: bundle
                        .as_ref()
                        .is_none_or(|bundle| seen.is_complete(bundle)),
                    bundle,
                }
            }
        };
        if serving.as_ref() != Some(&turn.serving) {
            self.current.replace(&turn.serving)?;
            tracing::info!("serving with a new certificate");
            *serving = Some(turn.serving);
        }
        if let Some(bundle) = &turn.bundle
            && !turn.is_published
        {
            self.injector.publish(&seen, bundle).await?;
        }
        Ok(true)
    }

    /// What the Secret says, after doing what is due. `None`: somebody else was faster, look again.
    async fn own(
        &self,
        hosts: &[String],
        lives: Lives,
        seen: &super::inject::Published,
    ) -> Result<Option<Turn>, TurnError> {
        let stored = self.secrets.get_opt(WEBHOOK_SECRET).await?;
        let mut keyring = stored.as_ref().map(keyring).transpose()?.flatten();
        let mut situation = Situation {
            now: self.seams.now(),
            lives,
            hosts,
            is_published: false,
        };
        if let Some(keyring) = &keyring {
            situation.is_published = seen.is_complete(&keyring.bundle());
        }
        if let Some(step) = decide(keyring.as_ref(), &situation) {
            let made = perform(step, keyring.as_ref(), &situation, self.seams.random())?;
            if !self.store(stored, &made).await? {
                return Ok(None);
            }
            tracing::info!(?step, "certificates changed");
            keyring = Some(made);
        }
        Ok(keyring.map(|keyring| Turn {
            bundle: Some(keyring.bundle()),
            is_published: seen.is_complete(&keyring.bundle()),
            serving: keyring.serving,
        }))
    }

    /// Writes the Secret over what was read. False: somebody else was faster.
    async fn store(&self, stored: Option<Secret>, made: &Keyring) -> Result<bool, kube::Error> {
        let data = made.to_data().into_iter();
        let data: BTreeMap<_, _> = data.map(|(key, value)| (key, ByteString(value))).collect();
        let params = PostParams::default();
        let written = match stored {
            Some(stored) => {
                let secret = Secret {
                    data: Some(data),
                    ..stored
                };
                self.secrets.replace(WEBHOOK_SECRET, &params, &secret).await
            }
            None => {
                let secret = Secret {
                    metadata: ObjectMeta {
                        name: Some(WEBHOOK_SECRET.to_owned()),
                        ..ObjectMeta::default()
                    },
                    type_: Some("kubernetes.io/tls".to_owned()),
                    data: Some(data),
                    ..Secret::default()
                };
                self.secrets.create(&params, &secret).await
            }
        };
        match written {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The keyring of a Secret; `None` if that is empty.
fn keyring(secret: &Secret) -> Result<Option<Keyring>, TurnError> {
    let data = secret.data.clone().unwrap_or_default();
    if data.is_empty() {
        return Ok(None);
    }
    let data = data
        .into_iter()
        .map(|(key, value)| (key, value.0))
        .collect();
    Keyring::from_data(&data)
        .map(Some)
        .ok_or(TurnError::Foreign)
}

async fn read(path: &PathBuf) -> Result<String, TurnError> {
    tokio::fs::read_to_string(path)
        .await
        .map_err(|source| TurnError::File {
            path: path.clone(),
            source,
        })
}
