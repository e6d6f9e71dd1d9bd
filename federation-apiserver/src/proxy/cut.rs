//! The knife: what is open to a cluster that is deleted ends at once, by whatever way it went.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use apiserver::cache::Cache;
use apiserver_store::ChangeKind;
use federation_api::names::SYSTEM_NAMESPACE;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::pool::Pool;

/// Clusters, as the cache knows them.
const CLUSTERS: &str = "core.kubefed.io/kubefedclusters";

/// One name that was asked for.
#[derive(Debug)]
struct Line {
    physical: String,
    cut: CancellationToken,
}

/// What is to be cut with which cluster. Cheap to clone; all clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Cuts(Arc<Mutex<HashMap<String, Line>>>);

impl Cuts {
    /// What is cancelled when the cluster `asked`, or the physical one that it lives in, is deleted.
    pub(super) fn of(&self, asked: &str, physical: &str) -> CancellationToken {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(asked)
            && line.physical == physical
        {
            return line.cut.clone();
        }
        let line = Line {
            physical: physical.to_owned(),
            cut: CancellationToken::new(),
        };
        let cut = line.cut.clone();
        if let Some(moved) = lines.insert(asked.to_owned(), line) {
            // A cell that has moved: what is open leads to the old place.
            moved.cut.cancel();
        }
        cut
    }

    /// Cuts everything that goes to a cluster, under its own name and under those of its cells.
    fn cut(&self, gone: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|asked, line| {
            let goes = asked == gone || line.physical == gone;
            if goes {
                line.cut.cancel();
            }
            !goes
        });
    }

    fn names(&self) -> Vec<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = lines
            .iter()
            .flat_map(|(asked, line)| [asked, &line.physical]);
        all.cloned().collect()
    }
}

/// Do all of these clusters exist, and is none about to go?
pub(super) fn exists(cache: &Cache, names: [&str; 2]) -> bool {
    names.iter().all(|name| {
        cache
            .get(CLUSTERS, SYSTEM_NAMESPACE, name)
            .is_some_and(|cluster| cluster.meta.deletion_timestamp.is_none())
    })
}

/// Follows the clusters, and cuts, until the server ends.
pub(super) async fn follow(cache: Cache, cuts: Cuts, pool: Pool) {
    let mut events = cache.subscribe();
    let ends = cache.watches_end();
    let gone = |name: &str| {
        cuts.cut(name);
        pool.forget(name);
    };
    loop {
        let batch = tokio::select! {
            batch = events.recv() => batch,
            () = ends.cancelled() => return,
        };
        match batch {
            Ok(batch) => {
                let clusters = batch
                    .iter()
                    .filter(|event| &*event.object.key.resource == CLUSTERS);
                for event in clusters {
                    let other = event
                        .previous
                        .as_ref()
                        .is_some_and(|previous| previous.meta.uid != event.object.meta.uid);
                    let deleted = event.kind == ChangeKind::Deleted;
                    if deleted || other || !exists(&cache, [event.object.name(); 2]) {
                        gone(event.object.name());
                    }
                }
            }
            Err(RecvError::Lagged(_)) => {
                for name in cuts.names() {
                    if !exists(&cache, [&name; 2]) {
                        gone(&name);
                    }
                }
            }
            Err(RecvError::Closed) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_takes_its_cells_with_it() {
        let cuts = Cuts::default();
        let own = cuts.of("hz-1", "hz-1");
        let cell = cuts.of("a.b", "hz-1");
        let other = cuts.of("sh-1", "sh-1");
        cuts.cut("a.b");
        assert!(cell.is_cancelled() && !own.is_cancelled());
        let cell = cuts.of("a.b", "hz-1");
        assert!(!cell.is_cancelled(), "a new cell of the name starts anew");
        cuts.cut("hz-1");
        assert!(cell.is_cancelled() && own.is_cancelled() && !other.is_cancelled());
        let cell = cuts.of("a.b", "hz-1");
        let moved = cuts.of("a.b", "sh-1");
        assert!(cell.is_cancelled() && !moved.is_cancelled());
    }
}
