//! The provider `kms`, version 2: keys that only a plugin knows, called over its Unix socket (KEP-3299).
//!
//! As in kube-apiserver, the plugin is not asked for every value. Each process makes a random seed when it starts and whenever the
//! plugin has a new key, has it sealed by the plugin, and stores that with every value; the value's own key is derived from the seed.
//! So reading needs the plugin once per seed, and writing not at all while the plugin has said within the last three minutes that its
//! key is still the same. While it is silent, what was read before can be read, and writes fail once those minutes are over.

mod api;
mod cache;
mod client;
mod envelope;
mod provider;

pub(in crate::seal) use provider::key_id_of;
pub use provider::{KmsOptions, KmsProvider, KmsTimes};

/// A plugin did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KmsError {
    /// No socket can have that name.
    #[error("the socket cannot be used: {0}")]
    Socket(String),
    /// Nobody listens on the socket.
    #[error("the plugin cannot be reached: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("{0}: no answer in time")]
    Timeout(&'static str),
    /// The plugin refused. Its own text is left out, because it may hold what it was given.
    #[error("{method}: {code}{}", detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default())]
    Call {
        /// Which call.
        method: &'static str,
        /// gRPC's code in words.
        code: &'static str,
        /// What our side of the connection says of it.
        detail: Option<String>,
    },
    /// It says of itself that it is not well.
    #[error("it says that it is not healthy")]
    Unhealthy,
    /// It speaks another version.
    #[error("it speaks version {0:?}, not v2")]
    Version(String),
    /// It named another key when it sealed than when it was asked for its state.
    #[error("it changes its key right now")]
    Changing,
    /// What it gave, or what is stored, is not as agreed.
    #[error("{0}")]
    Malformed(&'static str),
    /// The plugin was not well since the process started, so there is no seed.
    #[error("it has not been ready since this process started: {0}")]
    NotReady(Box<KmsError>),
    /// The plugin has been silent for too long to be sure of its key.
    #[error("it has not confirmed its key for more than {seconds} s: {cause}")]
    Expired {
        /// How long it may be silent.
        seconds: u64,
        /// What it said last.
        cause: Box<KmsError>,
    },
    /// Sealing itself failed.
    #[error(transparent)]
    Cipher(#[from] super::CipherError),
}
