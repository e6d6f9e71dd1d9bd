//! Keeps the agent's certificate: gets the first one, renews it, and says when there is a new one.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rustls_pki_types::{CertificateDer, UnixTime};
use tokio::sync::watch;
use tokio::time::sleep;

use super::config::{AgentConfig, AgentParts};
use super::contact::{Contact, ContactError};
use super::rejected::Rejected;
use super::stats::Counters;
use crate::identity::{AgentIdentity, AgentKey, IdentityError, MemberAccount, Trust};
use crate::wire::{Account, EnrollRequest};

/// What an agent keeps across restarts.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StoredIdentity {
    /// The private key, PKCS#8 PEM. Written before it is used, so that a lost answer to a bootstrap token can be asked for again.
    pub key_pem: String,
    /// The key for which a bootstrap token was or is being shown while there is a certificate for the one before; empty otherwise. Written
    /// before it is used, too.
    pub next_key_pem: String,
    /// The chain that was issued for it, PEM; empty before the first.
    pub chain_pem: String,
    /// The authorities that vouch for the hub, PEM; empty before the first certificate.
    pub authorities_pem: String,
}

impl std::fmt::Debug for StoredIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredIdentity")
            .field("chain_pem", &self.chain_pem)
            .finish_non_exhaustive()
    }
}

/// Where an agent keeps its identity.
#[async_trait]
pub trait IdentityStore: Send + Sync + 'static {
    /// Reads what was saved last; `None` at the first start.
    async fn load(&self) -> io::Result<Option<StoredIdentity>>;

    /// Replaces what is saved, all or nothing, so that no one else can read it.
    async fn save(&self, identity: &StoredIdentity) -> io::Result<()>;

    /// The bootstrap token, if there is one. Asked for whenever a certificate is needed and there is none that is valid, or that the hub takes.
    async fn token(&self) -> io::Result<Option<String>>;

    /// The account that the hub is to use in this cluster, if the hub is to learn it from the agent. Asked for with every certificate.
    async fn account(&self) -> io::Result<Option<MemberAccount>> {
        Ok(None)
    }

    /// Whether the agent renews its certificate by itself. If someone else puts certificates there, the store is read again every minute instead.
    fn is_managed(&self) -> bool {
        true
    }
}

/// An identity in memory: a new one at every start. Cheap to clone; all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct MemoryIdentity {
    token: Option<String>,
    stored: Arc<Mutex<Option<StoredIdentity>>>,
}

impl MemoryIdentity {
    /// Begins with a bootstrap token.
    #[must_use]
    pub fn with_token(token: String) -> Self {
        Self {
            token: Some(token),
            stored: Arc::default(),
        }
    }

    /// Begins with an identity.
    #[must_use]
    pub fn with_identity(identity: StoredIdentity) -> Self {
        Self {
            token: None,
            stored: Arc::new(Mutex::new(Some(identity))),
        }
    }

    /// What was saved last.
    #[must_use]
    pub fn stored(&self) -> Option<StoredIdentity> {
        self.stored
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait]
impl IdentityStore for MemoryIdentity {
    async fn load(&self) -> io::Result<Option<StoredIdentity>> {
        Ok(self.stored())
    }

    async fn save(&self, identity: &StoredIdentity) -> io::Result<()> {
        *self.stored.lock().unwrap_or_else(PoisonError::into_inner) = Some(identity.clone());
        Ok(())
    }

    async fn token(&self) -> io::Result<Option<String>> {
        Ok(self.token.clone())
    }
}

/// What connections are made with.
#[derive(Debug)]
pub(crate) struct Material {
    pub(crate) identity: Arc<AgentIdentity>,
    pub(crate) trust: Trust,
}

/// A certificate cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The [`IdentityStore`] fails.
    #[error("the agent's state cannot be read or written")]
    Store(#[source] io::Error),
    /// What is in it is no identity, or none can be made.
    #[error(
        "the agent's key and certificate cannot be used; without them (an empty state directory) a new bootstrap token gets others"
    )]
    Identity(#[source] IdentityError),
    /// Nothing to show to a hub.
    #[error(
        "there is no valid certificate, and no bootstrap token to get one; fedctl join CLUSTER --tunnel --new-token makes one"
    )]
    NoToken,
    /// The hub gave one that has ended already, or is to be renewed already, by this machine's clock.
    #[error(
        "the new certificate is over, or due for renewal, by this machine's clock: compare it with the hub's, one of the two is wrong"
    )]
    Clock,
    /// None of the hubs gave one.
    #[error("no certificate from hub {hub}")]
    Contact {
        /// The last one that was asked.
        hub: String,
        /// What it said.
        #[source]
        source: ContactError,
    },
}

/// How often a wall clock is looked at while waiting for a moment that it will show: it may jump.
const LOOK: Duration = Duration::from_secs(60);

pub(crate) struct Keeper {
    pub(crate) config: Arc<AgentConfig>,
    pub(crate) parts: AgentParts,
    pub(crate) counters: Arc<Counters>,
    pub(crate) rejected: Arc<Rejected>,
    pub(crate) out: watch::Sender<Option<Arc<Material>>>,
}

impl Keeper {
    /// Runs until dropped.
    pub(crate) async fn run(self) {
        let mut failures = 0;
        loop {
            match self.step().await {
                Ok(wait) => {
                    failures = 0;
                    tokio::select! {
                        () = sleep(wait) => {}
                        () = self.rejected.told() => {}
                    }
                }
                Err(error) => {
                    failures += 1;
                    let refused = match &error {
                        CertificateError::Contact { source, .. } => source.is_final(),
                        CertificateError::NoToken
                        | CertificateError::Identity(_)
                        | CertificateError::Clock => true,
                        CertificateError::Store(_) => false,
                    };
                    self.counters
                        .certificate_failures
                        .fetch_add(1, Ordering::Relaxed);
                    if let CertificateError::Contact {
                        source: ContactError::Refused { refusal, .. },
                        ..
                    } = &error
                    {
                        self.counters.refused_by_hub(*refusal);
                    }
                    tracing::error!(error = chain(&error), "no new certificate");
                    let unit = self.parts.seams.unit();
                    sleep(self.config.backoff.wait(failures, refused, unit)).await;
                }
            }
        }
    }

    /// Does what is due now; returns how long nothing will be.
    pub(super) async fn step(&self) -> Result<Duration, CertificateError> {
        let stored = self
            .parts
            .store
            .load()
            .await
            .map_err(CertificateError::Store)?;
        let now = self.parts.seams.now();
        let current = match &stored {
            Some(stored) if !stored.chain_pem.is_empty() => Some(
                AgentIdentity::from_pem(&stored.chain_pem, &stored.key_pem)
                    .map_err(CertificateError::Identity)?,
            ),
            _ => None,
        };
        let current = current.filter(|identity| identity.certificate().seconds_left(now) > 0);
        let Some(identity) = current else {
            if !self.parts.store.is_managed() {
                return Err(CertificateError::NoToken);
            }
            let new = self.bootstrap(stored.unwrap_or_default()).await?;
            return self.in_time(&new);
        };
        let identity = Arc::new(identity);
        let stored = stored.unwrap_or_default();
        self.publish(&identity, &stored);
        if self.rejected.is(identity.certificate().serial())
            && let Some(new) = self.replace(&stored).await?
        {
            return self.in_time(&new);
        }
        if !self.parts.store.is_managed() {
            return Ok(LOOK);
        }
        let at = renewal(&identity).as_secs();
        if now.as_secs() < at {
            return Ok(Duration::from_secs(at - now.as_secs()).min(LOOK));
        }
        let new = self.renew(&identity, &stored).await?;
        self.in_time(&new)
    }

    /// What was just issued is looked at again at once, unless that would only ask for the next one: clocks differ by weeks then.
    fn in_time(&self, new: &AgentIdentity) -> Result<Duration, CertificateError> {
        if self.parts.seams.now() < renewal(new) {
            Ok(Duration::ZERO)
        } else {
            Err(CertificateError::Clock)
        }
    }

    fn publish(&self, identity: &Arc<AgentIdentity>, stored: &StoredIdentity) {
        let serial = identity.certificate().serial();
        self.out.send_if_modified(|slot| {
            let same = slot
                .as_ref()
                .is_some_and(|old| old.identity.certificate().serial() == serial);
            if !same {
                *slot = Some(Arc::new(Material {
                    identity: identity.clone(),
                    trust: self.trust(stored),
                }));
            }
            !same
        });
    }

    /// Configured authorities stay; issued ones are added. Hashes are for the first contact only.
    fn trust(&self, stored: &StoredIdentity) -> Trust {
        let issued = Trust::from_pem(stored.authorities_pem.as_bytes()).ok();
        match (&self.config.trust, issued) {
            (Trust::Authorities(own), Some(Trust::Authorities(issued))) => {
                let mut all = own.clone();
                all.extend(issued.into_iter().filter(|one| !own.contains(one)));
                Trust::Authorities(all)
            }
            (_, Some(issued)) => issued,
            (own, None) => own.clone(),
        }
    }

    async fn token(&self) -> Result<Option<String>, CertificateError> {
        let token = self.parts.store.token().await;
        let token = token.map_err(CertificateError::Store)?;
        let token = token.map(|token| token.trim().to_owned());
        // A Secret or a variable that nobody filled in. To the hub, no token means a renewal.
        Ok(token.filter(|token| !token.is_empty()))
    }

    /// The first certificate, for a token, or one in place of a certificate that is over.
    async fn bootstrap(&self, stored: StoredIdentity) -> Result<AgentIdentity, CertificateError> {
        let token = self.token().await?.ok_or(CertificateError::NoToken)?;
        self.exchange(token, stored).await
    }

    /// A certificate in place of one that the hub takes no more, for a token that has not had its answer yet: the cluster was registered
    /// anew, or the certificate revoked. `None` if there is no such token.
    async fn replace(
        &self,
        stored: &StoredIdentity,
    ) -> Result<Option<AgentIdentity>, CertificateError> {
        if !self.parts.store.is_managed() {
            return Ok(None);
        }
        match self.token().await? {
            Some(token) if !self.rejected.is_spent(&token) => {
                tracing::info!(
                    "the hub takes the certificate no more: showing the bootstrap token"
                );
                self.exchange(token, stored.clone()).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// A certificate for a token. The key is saved before the token is shown: whatever breaks after that, the same key may ask again. What
    /// there was stays until there is a new one: the clock may be wrong, and the token spent.
    async fn exchange(
        &self,
        token: String,
        mut stored: StoredIdentity,
    ) -> Result<AgentIdentity, CertificateError> {
        let place = if stored.chain_pem.is_empty() {
            &mut stored.key_pem
        } else {
            &mut stored.next_key_pem
        };
        let made = place.is_empty();
        if made {
            let key = AgentKey::generate().map_err(CertificateError::Identity)?;
            *place = key.to_pem();
        }
        let key_pem = place.clone();
        if made {
            self.save(&stored).await?;
        }
        let key = AgentKey::from_pem(&key_pem).map_err(CertificateError::Identity)?;
        let trust = self.trust(&stored);
        let new = StoredIdentity {
            key_pem,
            next_key_pem: String::new(),
            ..stored
        };
        let obtained = self.obtain(&key, token.clone(), &trust, None, new).await;
        match &obtained {
            Err(CertificateError::Contact { source, .. }) if !source.is_final() => {}
            Ok(_) | Err(CertificateError::Contact { .. }) => self.rejected.spend(&token),
            Err(_) => {}
        }
        obtained
    }

    async fn renew(
        &self,
        identity: &AgentIdentity,
        stored: &StoredIdentity,
    ) -> Result<AgentIdentity, CertificateError> {
        let key = AgentKey::generate().map_err(CertificateError::Identity)?;
        let trust = self.trust(stored);
        let stored = StoredIdentity {
            key_pem: key.to_pem(),
            ..stored.clone()
        };
        self.obtain(&key, String::new(), &trust, Some(identity), stored)
            .await
    }

    /// Asks the hubs one after the other, and saves what the first one gives.
    async fn obtain(
        &self,
        key: &AgentKey,
        token: String,
        trust: &Trust,
        identity: Option<&AgentIdentity>,
        mut stored: StoredIdentity,
    ) -> Result<AgentIdentity, CertificateError> {
        let account = self
            .parts
            .store
            .account()
            .await
            .map_err(CertificateError::Store)?;
        let request = EnrollRequest {
            token,
            request: key.request().map_err(CertificateError::Identity)?,
            account: account.map(|account| Account {
                token: account.token,
                authority: account.authority_pem,
            }),
        };
        let mut failed = CertificateError::NoToken;
        for hub in &self.config.hubs {
            let contact = Contact {
                connector: &*self.parts.connector,
                hub,
                server_name: &self.config.server_name,
                seams: &self.parts.seams,
                timeout: self.config.connect_timeout,
            };
            match contact.enroll(trust, identity, &request).await {
                Ok(issued) => {
                    let chain = issued.chain.into_iter().map(CertificateDer::from).collect();
                    let new = AgentIdentity::new(chain, key).map_err(CertificateError::Identity)?;
                    stored.chain_pem = new.chain_pem().to_owned();
                    let authorities = issued.authorities.iter();
                    stored.authorities_pem = authorities
                        .map(|der| crate::identity::certificate_pem(der))
                        .collect();
                    self.save(&stored).await?;
                    self.counters.certificates.fetch_add(1, Ordering::Relaxed);
                    let clusters: Vec<_> = new
                        .certificate()
                        .clusters()
                        .iter()
                        .map(ToString::to_string)
                        .collect();
                    tracing::info!(
                        clusters = clusters.join(", "),
                        serial = new.certificate().serial(),
                        "received a certificate"
                    );
                    return Ok(new);
                }
                Err(source) => {
                    failed = CertificateError::Contact {
                        hub: hub.to_string(),
                        source,
                    };
                }
            }
        }
        Err(failed)
    }

    async fn save(&self, stored: &StoredIdentity) -> Result<(), CertificateError> {
        self.parts
            .store
            .save(stored)
            .await
            .map_err(CertificateError::Store)
    }
}

/// When to renew: the same moment every time this certificate is looked at, since its serial number decides.
fn renewal(identity: &AgentIdentity) -> UnixTime {
    let serial = identity.certificate().serial();
    let digits = serial.get(serial.len().saturating_sub(8)..).unwrap_or("");
    let unit = f64::from(u32::from_str_radix(digits, 16).unwrap_or(0)) / f64::from(u32::MAX);
    identity.certificate().renew_at(unit.min(0.999))
}

/// An error with its causes, for a log line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
