//! LISTEN: PostgreSQL tells when another process has committed.
//!
//! Only ever a hint: what was committed is read from the log. A listener that is lost loses nothing but time.

use std::{sync::Arc, time::Duration};

use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::{sync::Notify, task::JoinHandle, time::sleep};

/// The channel of all stores in one database; the payload is the new revision, and nothing reads it.
pub(super) const CHANNEL: &str = "koinon_store";
/// Until a lost listener is replaced.
const PAUSE: Duration = Duration::from_secs(1);

/// A task that listens, until this is dropped.
#[derive(Debug)]
pub(super) struct News {
    arrived: Arc<Notify>,
    task: JoinHandle<()>,
}

impl News {
    pub(super) fn listen(options: PgConnectOptions, timeout: Duration) -> Self {
        let arrived = Arc::new(Notify::new());
        let task = tokio::spawn(run(options, timeout, arrived.clone()));
        Self { arrived, task }
    }

    /// Returns when something has arrived since the last time.
    pub(super) async fn next(&self) {
        self.arrived.notified().await;
    }
}

impl Drop for News {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(options: PgConnectOptions, timeout: Duration, arrived: Arc<Notify>) {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(timeout)
        .connect_lazy_with(options.disable_statement_logging());
    loop {
        match PgListener::connect_with(&pool).await {
            Ok(listener) => {
                let error = hear(listener, &arrived).await;
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "the listener was lost"
                );
            }
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "no listener");
            }
        }
        sleep(PAUSE).await;
    }
}

/// Passes on what arrives until the connection fails.
async fn hear(mut listener: PgListener, arrived: &Notify) -> sqlx::Error {
    if let Err(error) = listener.listen(CHANNEL).await {
        return error;
    }
    loop {
        // What was said before we listened was missed.
        arrived.notify_one();
        match listener.try_recv().await {
            Ok(_) => while listener.next_buffered().is_some() {},
            Err(error) => return error,
        }
    }
}
