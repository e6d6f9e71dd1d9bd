//! Connections: how they are made, and the few that are kept.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{ConnectOptions, mysql::MySqlConnectOptions, postgres::PgConnectOptions};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use super::{dialect::Dialect, link::Link};
use crate::{BackendError, Problem};

/// A connection that lay idle for longer is not used again: the server, or a firewall in between, may have
/// forgotten it. Below the idle limit that sessions ask of MySQL.
const FRESH: Duration = Duration::from_secs(20);
/// Statements are prepared once per connection; there is one for each number of rows that go together.
const PREPARED: usize = 512;

/// Which server, and how to reach it.
#[derive(Clone, Debug)]
pub(crate) enum Server {
    Postgres(PgConnectOptions),
    MySql {
        options: MySqlConnectOptions,
        prepared: bool,
    },
}

impl Server {
    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Postgres,
            Self::MySql { .. } => Dialect::MySql,
        }
    }

    async fn connect(&self) -> Result<Link, sqlx::Error> {
        let mut link = match self {
            Self::Postgres(options) => {
                let options = options
                    .clone()
                    .statement_cache_capacity(PREPARED)
                    .disable_statement_logging();
                Link::Postgres(options.connect().await?)
            }
            Self::MySql { options, prepared } => {
                // No more is asked of the server than it needs: some of the family refuse the rest.
                let options = options
                    .clone()
                    .statement_cache_capacity(PREPARED)
                    .pipes_as_concat(false)
                    .no_engine_substitution(false)
                    .timezone(None)
                    .set_names(false)
                    .disable_statement_logging();
                Link::MySql {
                    connection: options.connect().await?,
                    prepared: *prepared,
                }
            }
        };
        link.run(self.dialect().session()).await?;
        for setting in self.dialect().session_if_known() {
            match link.run(&[setting]).await {
                Ok(_) | Err(sqlx::Error::Database(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(link)
    }
}

/// Makes connections, at most so many at the same time, and keeps those that are sound for the next user.
#[derive(Debug)]
pub(super) struct Connections {
    server: Server,
    timeout: Duration,
    permits: Semaphore,
    limit: u32,
    idle: Mutex<Vec<(Link, Instant)>>,
    closed: AtomicBool,
}

/// A connection in use. Unless [`Held::keep`] is called it is thrown away afterwards.
#[derive(Debug)]
pub(super) struct Held<'a> {
    pub(super) link: Link,
    /// Whether it was used before, and so may have been lost without our knowing.
    pub(super) reused: bool,
    connections: &'a Connections,
    _permit: SemaphorePermit<'a>,
}

impl Held<'_> {
    /// Gives the connection to the next one. Only outside of a transaction, and after no error.
    pub(super) fn keep(self) {
        if !self.connections.closed.load(Ordering::Acquire) {
            self.connections.idle().push((self.link, Instant::now()));
        }
    }
}

impl Connections {
    pub(super) fn new(server: Server, limit: u16, timeout: Duration) -> Self {
        Self {
            server,
            timeout,
            permits: Semaphore::new(usize::from(limit.max(1))),
            limit: u32::from(limit.max(1)),
            idle: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// A connection, as soon as it is our turn.
    pub(super) async fn hold(&self) -> Result<Held<'_>, BackendError> {
        let permit = tokio::time::timeout(self.timeout, self.permits.acquire())
            .await
            .map_err(|_| BackendError::new(Problem::Busy, "all connections are in use"))?
            .map_err(|_| BackendError::closed())?;
        let kept = {
            let mut idle = self.idle();
            idle.retain(|(_, since)| since.elapsed() < FRESH);
            idle.pop()
        };
        let reused = kept.is_some();
        let link = match kept {
            Some((link, _)) => link,
            None => self.connect().await?,
        };
        Ok(Held {
            link,
            reused,
            connections: self,
            _permit: permit,
        })
    }

    /// A new connection beside the limited ones, for rare and long work.
    pub(super) async fn connect(&self) -> Result<Link, BackendError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(BackendError::closed());
        }
        match tokio::time::timeout(self.timeout, self.server.connect()).await {
            Ok(connected) => Ok(connected?),
            Err(_) => {
                let what = format!("no connection within {} s", self.timeout.as_secs());
                Err(BackendError::new(Problem::Io, what))
            }
        }
    }

    /// Forgets the idle ones: one was found lost, so they all may be.
    pub(super) fn distrust(&self) {
        self.idle().clear();
    }

    /// Makes no more connections, waits for those in use up to `patience`, and takes leave on the idle ones.
    pub(super) async fn close(&self, patience: Duration) {
        self.closed.store(true, Ordering::Release);
        let _ = tokio::time::timeout(patience, self.permits.acquire_many(self.limit)).await;
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle());
        for (link, _) in idle {
            // A connection that fails to say goodbye is gone as well.
            let _ = link.close().await;
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(Link, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
