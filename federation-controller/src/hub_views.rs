//! Watches of hub kinds that many reconcilers read: cells and namespaces.

use std::sync::Arc;

use federation_api::Cell;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::runtime::watcher;

use crate::clients::chain;
use crate::context::{Context, HubChange};
use crate::hub::{Change, Followed, follow};
use crate::work::Priority;

/// Keeps the stores of the context and tells what changed.
pub(crate) struct HubViews {
    context: Arc<Context>,
}

impl HubViews {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self { context }
    }

    /// Runs until dropped.
    pub(crate) async fn run(self) {
        tokio::join!(self.cells(), self.namespaces());
    }

    async fn cells(&self) {
        let context = &self.context;
        let followed = Followed {
            api: Api::<Cell>::all(context.hub_client.clone()),
            config: watcher::Config::default(),
            store: Arc::clone(&context.cells),
            trim: |cell| cell.metadata.managed_fields = None,
            env: context.env.clone(),
        };
        let changes = context.changes.clone();
        let (cells, changes_too) = (Arc::clone(&context.cells), context.changes.clone());
        let queue = context.cell_queue.clone();
        follow(
            followed,
            move |change| {
                // Who decided about a status before this view knew the one written last, decided on an old one.
                if let Change::Applied { key, old, new, .. } = &change
                    && old.as_ref().is_some_and(|old| old.status != new.status)
                {
                    queue.add((*key).clone(), Priority::Backlog);
                }
                let matters = match &change {
                    Change::Applied { old, new, .. } => old.is_none_or(|old| {
                        old.spec != new.spec
                            || old.metadata.labels != new.metadata.labels
                            || old.metadata.annotations != new.metadata.annotations
                            || old.metadata.deletion_timestamp != new.metadata.deletion_timestamp
                    }),
                    Change::Removed { .. } | Change::Synced => true,
                };
                if matters {
                    let _ = changes.send(HubChange::Cells);
                }
            },
            move |error| {
                // A hub on which only KubeFed's kinds are installed has no cells: that is a complete view.
                if error.is_not_served() && !cells.is_synced() {
                    cells.mark_synced();
                    let _ = changes_too.send(HubChange::Cells);
                } else {
                    tracing::warn!(error = %chain(error), "watch of cells interrupted");
                }
            },
        )
        .await;
    }

    async fn namespaces(&self) {
        let context = &self.context;
        let followed = Followed {
            api: Api::<Namespace>::all(context.hub_client.clone()),
            config: watcher::Config::default(),
            store: Arc::clone(&context.namespaces),
            trim: |namespace| namespace.metadata.managed_fields = None,
            env: context.env.clone(),
        };
        let changes = context.changes.clone();
        follow(
            followed,
            move |change| {
                let touched = match &change {
                    Change::Applied { key, old, new, .. } => old
                        .is_none_or(|old| {
                            old.metadata.labels != new.metadata.labels
                                || old.metadata.deletion_timestamp
                                    != new.metadata.deletion_timestamp
                        })
                        .then(|| key.name.clone()),
                    Change::Removed { key, .. } => Some(key.name.clone()),
                    Change::Synced => None,
                };
                if let Some(name) = touched {
                    let _ = changes.send(HubChange::Namespace(name));
                }
            },
            |error| tracing::warn!(error = %chain(error), "watch of namespaces interrupted"),
        )
        .await;
    }
}
