//! Which database: from one URL to an open backend.

mod open;
mod parameters;
mod url;

pub use open::{OpenBackendError, open_backend};
pub use url::{DatabaseUrl, DatabaseUrlError};

/// Where the server is that a URL names.
#[cfg(test)]
pub(crate) fn remote_options(url: &DatabaseUrl) -> Option<crate::RemoteOptions> {
    match url.place() {
        url::Place::Remote(options) => Some((**options).clone()),
        url::Place::Sqlite(_) => None,
    }
}
