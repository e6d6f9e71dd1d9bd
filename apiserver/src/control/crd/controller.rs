//! The loop.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use super::cleanup;
use super::known::{Definitions, StatusWrite};
use crate::api::Api;
use crate::cache::Event;
use crate::kinds::custom::{CRD_FINALIZER, CRD_RESOURCE};
use crate::kinds::{Kind, Kinds};

/// A full pass is made so often even if nothing seems to happen.
const AT_LEAST_EVERY: Duration = Duration::from_secs(60);

/// After a pass that could not do all, the next one follows so soon.
const AGAIN: Duration = Duration::from_millis(500);

/// Keeps the table of kinds right. One per process; nothing else replaces the table after it was made.
pub struct CrdController {
    api: Api,
    definitions: Definitions,
    events: broadcast::Receiver<Arc<[Arc<Event>]>>,
}

impl CrdController {
    /// A controller over the given built-in rows, which are always in the table. It does nothing until it is asked to.
    pub fn new(api: Api, builtin: Vec<Arc<Kind>>) -> Self {
        let events = api.cache.subscribe();
        Self {
            api,
            definitions: Definitions::new(builtin),
            events,
        }
    }

    /// Brings the table up to date with the cache. To be awaited once before the server says that it is ready: then every
    /// definition that was there is served.
    pub async fn settle(&mut self) {
        self.pass().await;
    }

    /// Keeps the table and the definitions up to date until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut settled = self.pass().await;
        loop {
            let pause = if settled { AT_LEAST_EVERY } else { AGAIN };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                more = next_concerning(&mut self.events, &self.definitions) => if !more { return },
            }
            settled = self.pass().await;
        }
    }

    /// One look at everything. `false` if something could not be written and must be tried again.
    async fn pass(&mut self) -> bool {
        let snapshot = self.api.cache.list(CRD_RESOURCE);
        let found = self
            .definitions
            .look(&snapshot, &self.api.seams.now_rfc3339());
        for resource in &found.fresh {
            cleanup::purge(&self.api, resource).await;
        }
        if found.table_changed {
            self.api
                .registry
                .replace(Kinds::new(self.definitions.rows()));
        }
        // A definition whose status was just written has a new revision: what remains to be done for it follows that event.
        if !found.writes.is_empty() {
            return self.write(&found.writes).await;
        }
        self.clean_up().await;
        true
    }

    /// Writes statuses, all at once so that the store can group them. `false` if not all could be written.
    async fn write(&mut self, writes: &[StatusWrite]) -> bool {
        let commits = writes.iter().map(|write| {
            let mutation = cleanup::put(&write.object, &write.decision.crd);
            cleanup::commit(&self.api, mutation)
        });
        let done = join_all(commits).await;
        for (write, done) in writes.iter().zip(&done) {
            if !done {
                self.definitions.retry(write.object.name());
            }
        }
        done.into_iter().all(|done| done)
    }

    async fn clean_up(&self) {
        for known in self
            .definitions
            .known
            .values()
            .filter(|known| known.terminating)
        {
            let empty = match &known.row {
                Some(row) => cleanup::delete_instances(&self.api, &row.resource).await,
                None => true,
            };
            let held = known
                .object
                .meta
                .finalizers
                .iter()
                .any(|one| one == CRD_FINALIZER);
            if empty && held {
                cleanup::release(&self.api, &known.object).await;
            }
        }
    }
}

impl std::fmt::Debug for CrdController {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CrdController")
    }
}

/// Waits for an event that concerns definitions or objects of those that go. `false` if the cache has ended.
async fn next_concerning(
    events: &mut broadcast::Receiver<Arc<[Arc<Event>]>>,
    definitions: &Definitions,
) -> bool {
    let closing: Vec<Arc<str>> = definitions
        .known
        .values()
        .filter(|known| known.terminating)
        .filter_map(|known| Some(known.row.as_ref()?.resource.clone()))
        .collect();
    loop {
        match events.recv().await {
            Ok(batch) => {
                let concerns = |event: &Arc<Event>| {
                    let resource = &event.object.key.resource;
                    &**resource == CRD_RESOURCE || closing.contains(resource)
                };
                if batch.iter().any(concerns) {
                    return true;
                }
            }
            Err(RecvError::Lagged(_)) => return true,
            Err(RecvError::Closed) => return false,
        }
    }
}
