//! From a URL to a backend.

use std::sync::Arc;

use super::{DatabaseUrl, url::Place};
use crate::{Backend, RemoteBackend, RemoteOpenError, SqliteBackend, SqliteOpenError};

/// Why the database that a URL names cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenBackendError {
    /// The SQLite directory cannot be used.
    #[error("the SQLite database cannot be opened")]
    Sqlite(#[from] SqliteOpenError),
    /// The server or the store in it cannot be used.
    #[error("the database {database} cannot be opened")]
    Remote {
        /// Which one; without its password.
        database: String,
        /// Why.
        #[source]
        source: RemoteOpenError,
    },
}

/// Opens the backend that `url` names, for [`Store::open_any`](crate::Store::open_any). Must be called within a
/// tokio runtime.
///
/// # Errors
/// [`OpenBackendError`].
pub async fn open_backend(url: &DatabaseUrl) -> Result<Arc<dyn Backend>, OpenBackendError> {
    match url.place() {
        Place::Sqlite(options) => Ok(Arc::new(SqliteBackend::open(options.clone()).await?)),
        Place::Remote(options) => match RemoteBackend::open((**options).clone()).await {
            Ok(backend) => Ok(Arc::new(backend)),
            Err(source) => Err(OpenBackendError::Remote {
                database: url.to_string(),
                source,
            }),
        },
    }
}
