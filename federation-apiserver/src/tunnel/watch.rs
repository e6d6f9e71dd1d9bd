//! Ends the sessions of clusters that are gone, at once.

use apiserver::cache::Cache;
use federation_tunnel::Tunnels;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::objects::STORED_CLUSTERS;

/// Has the tunnels asked again about every cluster that changes, until `stop`.
pub(super) async fn follow(cache: Cache, tunnels: Tunnels, stop: CancellationToken) {
    let mut events = cache.subscribe();
    // The receiver does not keep the cache alive.
    drop(cache);
    loop {
        let batch = tokio::select! {
            () = stop.cancelled() => return,
            batch = events.recv() => batch,
        };
        match batch {
            Ok(batch) => {
                let changed = batch
                    .iter()
                    .filter(|event| &*event.object.key.resource == STORED_CLUSTERS);
                for event in changed {
                    // What is no name of the tunnel's has no session.
                    if let Ok(name) = event.object.name().parse() {
                        tunnels.recheck(&name);
                    }
                }
            }
            Err(RecvError::Lagged(_)) => {
                for (name, _) in tunnels.clusters() {
                    tunnels.recheck(&name);
                }
            }
            Err(RecvError::Closed) => return,
        }
    }
}
