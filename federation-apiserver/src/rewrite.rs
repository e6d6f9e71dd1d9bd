//! The command `rewrite`: seals everything in a database again, or deletes what nobody can open any more.

use std::io::Write;
use std::time::Duration;

use apiserver_store::{DeleteUnreadableError, ResealError, ResealProgress};
use tokio::time::Instant;

use crate::config::Config;
use crate::serve::{ServeError, open_store};

/// How often progress is told.
const TELL: Duration = Duration::from_secs(1);

/// Not everything was sealed again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RewriteError {
    /// The database cannot be used.
    #[error(
        "the store cannot be opened; if a hub on SQLite has it, let that hub do it: kubectl create --raw /koinon/v1/rewrite -f /dev/null"
    )]
    Open(#[source] ServeError),
    /// It ended before its end.
    #[error("not everything was sealed again")]
    Reseal(#[source] ResealError),
    /// An object stays. Those named before it are deleted.
    #[error("{name} was not deleted")]
    Delete {
        /// Which one.
        name: String,
        /// Why.
        #[source]
        source: DeleteUnreadableError,
    },
}

/// Deletes objects that cannot be opened, in the order in which they are named, and tells of each.
pub(crate) async fn delete_unreadable(
    config: &Config,
    names: &[String],
) -> Result<(), RewriteError> {
    let (store, _encryption) = open_store(config).await.map_err(RewriteError::Open)?;
    let mut outcome = Ok(());
    for name in names {
        outcome = store.delete_unreadable(name).await.map_err(|source| {
            let name = name.clone();
            RewriteError::Delete { name, source }
        });
        if outcome.is_err() {
            break;
        }
        // Nobody may be listening, which changes nothing.
        let _ = writeln!(std::io::stdout(), "deleted {name}");
    }
    store.close().await;
    outcome
}

/// Seals everything again. Tells its progress on standard error and its outcome on standard output.
pub(crate) async fn rewrite(config: &Config) -> Result<(), RewriteError> {
    let (store, encryption) = open_store(config).await.map_err(RewriteError::Open)?;
    tracing::info!(config = %encryption.path().display(), "sealing everything again");
    let mut told = Instant::now();
    let outcome = store
        .reseal(|progress| {
            if told.elapsed() >= TELL {
                told = Instant::now();
                let ResealProgress {
                    stale, done, pass, ..
                } = progress;
                tracing::info!(pass, done, of = stale, "under way");
            }
        })
        .await;
    store.close().await;
    let ResealProgress { seen, resealed, .. } = outcome.map_err(RewriteError::Reseal)?;
    // Nobody may be listening, which changes nothing.
    let _ = writeln!(
        std::io::stdout(),
        "{seen} objects, {resealed} rewritten; nothing is left that another key than the first is needed for"
    );
    Ok(())
}
