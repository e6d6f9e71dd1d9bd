//! A plugin with the seed that is in use and what is known of its health.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use zeroize::Zeroizing;

use super::{
    KmsError,
    api::{DecryptRequest, DekSource, EncryptRequest, StatusResponse},
    cache::SeedCache,
    client::KmsClient,
    envelope::{Envelope, check_key_id},
};
use crate::seal::{
    CipherError,
    cipher::Cipher,
    gcm::{Gcm, SeededGcm, random},
};

/// How often a plugin is asked, and how long its word counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KmsTimes {
    /// Between two questions while all is well.
    pub healthy: Duration,
    /// Between two questions while it is not.
    pub failing: Duration,
    /// So long after the plugin confirmed its key, values are still sealed with it.
    pub trust: Duration,
}

impl Default for KmsTimes {
    /// kube-apiserver's: one minute, ten seconds, three minutes.
    fn default() -> Self {
        Self {
            healthy: Duration::from_secs(60),
            failing: Duration::from_secs(10),
            trust: Duration::from_secs(180),
        }
    }
}

/// Which plugin, and how to call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsOptions {
    /// Its name among the providers, without a colon; part of what is stored.
    pub name: String,
    /// The Unix socket on which it listens.
    pub socket: PathBuf,
    /// How long one call may take.
    pub timeout: Duration,
    /// How often it is asked how it is.
    pub times: KmsTimes,
}

/// A KMS v2 plugin in use. Stops asking it when dropped.
pub struct KmsProvider {
    shared: Arc<Shared>,
    asking: JoinHandle<()>,
}

struct Shared {
    options: KmsOptions,
    prefix: String,
    client: KmsClient,
    state: Mutex<State>,
    seeds: SeedCache,
    /// Held while the plugin opens a seed, so that it is asked once for a seed that many values wait for.
    opening: tokio::sync::Mutex<()>,
}

struct State {
    seed: Option<Seed>,
    health: Result<(), KmsError>,
}

/// What values are sealed with.
#[derive(Clone)]
struct Seed {
    envelope: Arc<Envelope>,
    cipher: Arc<dyn Cipher>,
    good_until: Instant,
}

impl KmsProvider {
    /// Asks the plugin once, and from then on regularly. A plugin that is not there yet is no error: see
    /// [`KmsProvider::health`]. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`KmsError::Socket`] if the socket's name cannot be used.
    pub async fn start(options: KmsOptions) -> Result<Self, KmsError> {
        let shared = Arc::new(Shared {
            prefix: format!("k8s:enc:kms:v2:{}:", options.name),
            client: KmsClient::new(&options.socket, options.timeout)?,
            options,
            state: Mutex::new(State {
                seed: None,
                health: Err(KmsError::Timeout("Status")),
            }),
            seeds: SeedCache::default(),
            opening: tokio::sync::Mutex::default(),
        });
        shared.ask().await;
        let asking = tokio::spawn(ask_on(shared.clone()));
        Ok(Self { shared, asking })
    }

    /// With what it was started.
    pub fn options(&self) -> &KmsOptions {
        &self.shared.options
    }

    /// Its name among the providers.
    pub fn name(&self) -> &str {
        &self.shared.options.name
    }

    /// What came of the last question. Does no I/O.
    ///
    /// # Errors
    /// Why the plugin is not well.
    pub fn health(&self) -> Result<(), KmsError> {
        self.shared.state().health.clone()
    }

    /// Asks the plugin now.
    pub async fn ask(&self) {
        self.shared.ask().await;
    }

    pub(in crate::seal) fn seal(&self, plain: &[u8], path: &[u8]) -> Result<Vec<u8>, KmsError> {
        let seed = self.shared.usable_seed()?;
        let mut sealed = Vec::with_capacity(plain.len() + 64);
        seed.cipher.seal(plain, path, &mut sealed)?;
        let mut out = Vec::with_capacity(self.shared.prefix.len() + sealed.len() + 128);
        out.extend_from_slice(self.shared.prefix.as_bytes());
        seed.envelope.store(sealed, &mut out);
        Ok(out)
    }

    /// What follows our prefix, if the value carries it.
    pub(in crate::seal) fn ours<'a>(&self, stored: &'a [u8]) -> Option<&'a [u8]> {
        stored.strip_prefix(self.shared.prefix.as_bytes())
    }

    /// Opens what follows the prefix.
    pub(in crate::seal) async fn open(
        &self,
        stored: &[u8],
        path: &[u8],
    ) -> Result<Vec<u8>, KmsError> {
        let (envelope, sealed) = Envelope::parse(stored)?;
        let cipher = self.shared.cipher_of(&envelope).await?;
        Ok(cipher.open(&sealed, path)?)
    }

    /// Was it sealed under the key that the plugin has now? Another seed under the same key is as good.
    pub(in crate::seal) fn is_current(&self, stored: &[u8]) -> bool {
        let now = self.shared.state().seed.clone();
        self.ours(stored)
            .and_then(|rest| Envelope::parse(rest).ok())
            .zip(now)
            .is_some_and(|((envelope, _), seed)| {
                envelope.key_id == seed.envelope.key_id && envelope.source == DekSource::HkdfSeed
            })
    }
}

/// The plugin's key id of a value after the prefix, for messages.
pub(in crate::seal) fn key_id_of(stored: &[u8]) -> Option<String> {
    let (envelope, _) = Envelope::parse(stored).ok()?;
    Some(envelope.key_id)
}

async fn ask_on(shared: Arc<Shared>) {
    let KmsTimes {
        healthy, failing, ..
    } = shared.options.times;
    loop {
        let well = shared.state().health.is_ok();
        sleep(if well { healthy } else { failing }).await;
        shared.ask().await;
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Whole between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self) {
        let outcome = self.confirm().await;
        let mut state = self.state();
        let name = &self.options.name;
        match (&state.health, &outcome) {
            (Err(before), Err(error)) if before == error => {
                tracing::debug!(plugin = name, %error, "a KMS plugin is still not well");
            }
            (_, Err(error)) => tracing::warn!(plugin = name, %error, "a KMS plugin is not well"),
            (Err(_), Ok(())) => tracing::info!(plugin = name, "a KMS plugin is ready"),
            (Ok(()), Ok(())) => {}
        }
        state.health = outcome;
    }

    /// Has the plugin confirm its key, and makes a new seed if that is another than before.
    async fn confirm(&self) -> Result<(), KmsError> {
        // From before the question: what counts is when the plugin's word was true.
        let good_until = Instant::now() + self.options.times.trust;
        let StatusResponse {
            version,
            healthz,
            key_id,
        } = self.client.status().await?;
        if !matches!(version.as_str(), "v2" | "v2beta1") {
            return Err(KmsError::Version(version));
        }
        if healthz != "ok" {
            return Err(KmsError::Unhealthy);
        }
        check_key_id(&key_id)?;
        if let Some(seed) = &mut self.state().seed
            && seed.envelope.key_id == key_id
        {
            seed.good_until = good_until;
            return Ok(());
        }
        let seed = self.make_seed(&key_id, good_until).await?;
        self.state().seed = Some(seed);
        Ok(())
    }

    async fn make_seed(&self, key_id: &str, good_until: Instant) -> Result<Seed, KmsError> {
        let plain = Zeroizing::new(random::<32>()?);
        let request = EncryptRequest {
            plaintext: plain.to_vec(),
            uid: uid()?,
        };
        let envelope = Envelope::from_answer(self.client.encrypt(request).await?)?;
        if envelope.key_id != key_id {
            return Err(KmsError::Changing);
        }
        let cipher: Arc<dyn Cipher> =
            Arc::new(SeededGcm::new(plain.as_slice()).ok_or(CipherError::Short)?);
        self.seeds.put(envelope.fingerprint(), cipher.clone());
        Ok(Seed {
            envelope: Arc::new(envelope),
            cipher,
            good_until,
        })
    }

    fn usable_seed(&self) -> Result<Seed, KmsError> {
        let state = self.state();
        let cause = || {
            let error = state.health.clone().err();
            Box::new(error.unwrap_or(KmsError::Timeout("Status")))
        };
        match &state.seed {
            None => Err(KmsError::NotReady(cause())),
            Some(seed) if Instant::now() > seed.good_until => Err(KmsError::Expired {
                seconds: self.options.times.trust.as_secs(),
                cause: cause(),
            }),
            Some(seed) => Ok(seed.clone()),
        }
    }

    async fn cipher_of(&self, envelope: &Envelope) -> Result<Arc<dyn Cipher>, KmsError> {
        let fingerprint = envelope.fingerprint();
        if let Some(cipher) = self.seeds.get(&fingerprint) {
            return Ok(cipher);
        }
        let _opening = self.opening.lock().await;
        if let Some(cipher) = self.seeds.get(&fingerprint) {
            return Ok(cipher);
        }
        let request = DecryptRequest {
            ciphertext: envelope.sealed_seed.clone(),
            uid: uid()?,
            key_id: envelope.key_id.clone(),
            annotations: envelope.annotations.clone(),
        };
        let mut answer = self.client.decrypt(request).await?;
        let plain = Zeroizing::new(std::mem::take(&mut answer.plaintext));
        let cipher: Option<Arc<dyn Cipher>> = match envelope.source {
            DekSource::HkdfSeed => SeededGcm::new(&plain).map(|cipher| Arc::new(cipher) as _),
            DekSource::AesGcmKey => Gcm::new(&plain).map(|cipher| Arc::new(cipher) as _),
        };
        let cipher = cipher.ok_or(KmsError::Malformed("the opened seed has a wrong length"))?;
        self.seeds.put(fingerprint, cipher.clone());
        Ok(cipher)
    }
}

/// A name for one call, for the plugin's logs: a random UUID.
fn uid() -> Result<String, CipherError> {
    let mut hex = String::with_capacity(36);
    for (at, byte) in random::<16>()?.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            hex.push('-');
        }
        let byte = match at {
            6 => (byte & 0x0f) | 0x40,
            8 => (byte & 0x3f) | 0x80,
            _ => byte,
        };
        hex.push_str(&format!("{byte:02x}"));
    }
    Ok(hex)
}

impl Drop for KmsProvider {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

impl fmt::Debug for KmsProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "k8s:enc:kms:v2:{:?}", self.shared.options.name)
    }
}
