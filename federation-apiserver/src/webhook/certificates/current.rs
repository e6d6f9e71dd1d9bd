//! The certificate of the moment.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{CertificateError, Identity};

/// What new connections are served with: nothing until the first certificate is there. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Current(Arc<ArcSwapOption<CertifiedKey>>);

impl Current {
    /// Serves new connections with another certificate.
    ///
    /// # Errors
    /// It cannot be used; the former one stays.
    pub(crate) fn replace(&self, identity: &Identity) -> Result<(), CertificateError> {
        self.0.store(Some(Arc::new(identity.certified_key()?)));
        Ok(())
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}
