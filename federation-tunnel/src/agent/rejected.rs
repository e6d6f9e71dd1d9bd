//! What a hub takes no more: told by the connections that were refused, heard by who can get another certificate.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::contact::ContactError;
use crate::identity::KeyDigest;
use crate::wire::Refusal;

/// A certificate that was refused for good, and the token that does not help with it.
#[derive(Debug, Default)]
pub(crate) struct Rejected {
    known: Mutex<Known>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Known {
    /// Serial number of the certificate that was refused last.
    serial: Option<String>,
    /// Hash of the token that was shown last and has had its answer.
    token: Option<KeyDigest>,
}

impl Rejected {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A hub did not take the certificate with this serial number. Reasons that a new certificate would not change are passed over.
    pub(crate) fn note(&self, serial: &str, error: &ContactError) {
        let ContactError::Refused { refusal, .. } = error else {
            return;
        };
        if matches!(
            refusal,
            Refusal::OtherUid | Refusal::Revoked | Refusal::ExpiredCertificate
        ) {
            self.lock().serial = Some(serial.to_owned());
            self.news.notify_one();
        }
    }

    /// Whether this certificate was refused.
    pub(crate) fn is(&self, serial: &str) -> bool {
        self.lock().serial.as_deref() == Some(serial)
    }

    /// A hub has given its answer to this token: it is not shown in place of a certificate again.
    pub(crate) fn spend(&self, token: &str) {
        self.lock().token = Some(KeyDigest::of(token.as_bytes()));
    }

    /// Whether a token had its answer.
    pub(crate) fn is_spent(&self, token: &str) -> bool {
        self.lock().token == Some(KeyDigest::of(token.as_bytes()))
    }

    /// Waits for the next refusal, or returns at once if there was one since the last wait.
    pub(crate) async fn told(&self) {
        self.news.notified().await;
    }
}
