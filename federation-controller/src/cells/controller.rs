//! The reconciler of cells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use federation_api::kinds::{CellStatus, ClusterCondition};
use federation_api::reasons::cell as reasons;
use federation_api::{Cell, KubeFedCluster, conditions, finalizers};
use federation_core::cell as decisions;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use crate::clients::{Failure, chain, message};
use crate::context::{Context, HubChange};
use crate::hub::ObjectKey;
use crate::members::MemberEvent;
use crate::work::{Next, Priority, drive};

/// A cell is looked at again after this time: somebody may have deleted its namespace in the member.
const RECHECK: Duration = Duration::from_secs(300);
/// Cells handled at once.
const CONCURRENCY: usize = 16;

/// Keeps what stands for cells.
pub(crate) struct CellController {
    pub(super) context: Arc<Context>,
}

/// One reconcile of one cell.
pub(super) struct CellScope {
    pub(super) key: ObjectKey,
    pub(super) cell: Arc<Cell>,
    /// The physical cluster the cell names, if it is registered.
    pub(super) base: Option<Arc<KubeFedCluster>>,
    /// Why the cell is not ready; `None` if it is.
    pub(super) trouble: Option<(&'static str, String)>,
    pub(super) next: Next,
}

impl CellScope {
    pub(super) fn cluster_name(&self) -> &str {
        &self.cell.spec.cluster_ref.name
    }
}

impl CellController {
    pub(crate) fn new(context: Arc<Context>) -> Arc<Self> {
        Arc::new(Self { context })
    }

    /// Runs until dropped.
    pub(crate) async fn run(self: Arc<Self>) {
        let reconciled = async {
            self.context.cells.synced().await;
            self.context.namespaces.synced().await;
            self.context.members.settled().await;
            self.queue_all();
            drive(self.context.cell_queue.clone(), CONCURRENCY, |key| {
                let this = Arc::clone(&self);
                async move { this.reconcile(&key).await }
            })
            .await;
        };
        tokio::join!(reconciled, self.follow_hub(), self.follow_members());
    }

    async fn follow_hub(&self) {
        let mut changes = self.context.changes.subscribe();
        loop {
            match changes.recv().await {
                Ok(HubChange::Namespace(namespace)) => {
                    self.queue_where(|key, _| key.namespace == namespace)
                }
                Ok(HubChange::Cells) | Err(RecvError::Lagged(_)) => self.queue_all(),
                Err(RecvError::Closed) => return,
            }
        }
    }

    async fn follow_members(&self) {
        let mut events = self.context.members.listen();
        loop {
            match events.recv().await {
                Ok(MemberEvent::Ready { cluster, .. } | MemberEvent::NotReady { cluster }) => {
                    self.queue_where(|_, cell| cell.spec.cluster_ref.name == cluster);
                }
                Ok(MemberEvent::Clusters) | Err(RecvError::Lagged(_)) => self.queue_all(),
                Ok(MemberEvent::Tunnel { .. }) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// All cells, and all that derived clusters say they stand for: a cell may be gone for good.
    fn queue_all(&self) {
        let mut keys: BTreeSet<ObjectKey> = self.context.cells.keys().into_iter().collect();
        for (_, cluster) in self.context.members.clusters.all() {
            keys.extend(
                cluster
                    .derived_from()
                    .map(|(cell, namespace)| ObjectKey::new(namespace, cell)),
            );
        }
        for key in keys {
            self.context.cell_queue.add(key, Priority::Live);
        }
    }

    fn queue_where(&self, wanted: impl Fn(&ObjectKey, &Cell) -> bool) {
        for (key, cell) in self.context.cells.all() {
            if wanted(&key, &cell) {
                self.context.cell_queue.add(key, Priority::Live);
            }
        }
    }

    async fn reconcile(&self, key: &ObjectKey) -> Next {
        let Some(cell) = self.context.cells.get(key) else {
            let derived = federation_api::names::cell_cluster(&key.name, &key.namespace);
            return match self.delete_derived(&derived).await {
                Ok(()) => Next::Wait,
                Err(_) => Next::Retry,
            };
        };
        let clusters = &self.context.members.clusters;
        let base = clusters
            .get(&ObjectKey::new(
                self.context.namespace.clone(),
                cell.spec.cluster_ref.name.clone(),
            ))
            .filter(|cluster| cluster.derived_from().is_none());
        let mut scope = CellScope {
            key: key.clone(),
            cell,
            base,
            trouble: None,
            next: Next::After(RECHECK),
        };
        let deleting = scope.cell.metadata.deletion_timestamp.is_some();
        let outcome = if deleting {
            self.finalize(&mut scope).await
        } else {
            self.normal(&mut scope).await
        };
        match outcome {
            Ok(Progress::Released) => return Next::Wait,
            Ok(Progress::Goes) => {}
            Err(error) => {
                tracing::warn!(cell = %key, error = %chain(&error), "cell cannot be realised");
                scope
                    .trouble
                    .get_or_insert((reasons::NAMESPACE_FAILED, message(&error)));
                scope.next = Next::Retry;
            }
        }
        if let Err(error) = self.write_status(&scope).await {
            tracing::warn!(cell = %key, error = %chain(&error), "cannot write the status of a cell");
            scope.next = Next::Retry;
        }
        scope.next
    }

    async fn normal(&self, scope: &mut CellScope) -> Result<Progress, kube::Error> {
        self.ensure_finalizer(scope).await?;
        if !self.check_cluster(scope) || !self.check_namespace_is_free(scope) {
            return Ok(Progress::Goes);
        }
        // The namespace first: whoever sees the derived cluster may write into it at once.
        let made = self.ensure_member_namespace(scope).await;
        self.ensure_derived(scope).await?;
        made.map(|()| Progress::Goes)
    }

    async fn ensure_finalizer(&self, scope: &CellScope) -> Result<(), kube::Error> {
        let mut finalizers = scope.cell.metadata.finalizers.clone().unwrap_or_default();
        if finalizers.iter().any(|one| one == finalizers::CELL) {
            return Ok(());
        }
        finalizers.push(finalizers::CELL.to_owned());
        self.write_finalizers(scope, &finalizers).await
    }

    pub(super) async fn write_finalizers(
        &self,
        scope: &CellScope,
        finalizers: &[String],
    ) -> Result<(), kube::Error> {
        let patch = json!({"metadata": {
            "finalizers": finalizers,
            "resourceVersion": scope.cell.metadata.resource_version,
        }});
        self.cells(scope)
            .patch(
                &scope.key.name,
                &PatchParams::default(),
                &Patch::Merge(patch),
            )
            .await
            .map(|_| ())
    }

    /// A cluster of another tenant is none: its name says nothing to this one.
    fn check_cluster(&self, scope: &mut CellScope) -> bool {
        let labels = self.namespace_labels(scope);
        scope.base = scope
            .base
            .take()
            .filter(|base| decisions::may_live_in(base, &labels));
        if scope.base.is_none() {
            let message = format!("no cluster {:?} is registered", scope.cluster_name());
            scope.trouble = Some((reasons::CLUSTER_NOT_FOUND, message));
        }
        scope.base.is_some()
    }

    /// Admission refuses a second cell for one namespace; this guards against what came past it.
    fn check_namespace_is_free(&self, scope: &mut CellScope) -> bool {
        let cells = self.context.cells.all();
        let owner =
            decisions::namespace_owner(&scope.cell, cells.iter().map(|(_, cell)| cell.as_ref()));
        if let Some(owner) = owner {
            let message = format!(
                "namespace {:?} of the cluster belongs to cell {}",
                scope.cell.member_namespace(),
                ObjectKey::of(&owner.metadata)
            );
            scope.trouble = Some((reasons::NAMESPACE_TAKEN, message));
            return false;
        }
        true
    }

    async fn ensure_derived(&self, scope: &CellScope) -> Result<(), kube::Error> {
        let Some(base) = &scope.base else {
            return Ok(());
        };
        let wanted = decisions::derive(&scope.cell, base, &self.namespace_labels(scope));
        let name = scope.cell.derived_cluster_name();
        let api = self.clusters();
        let key = ObjectKey::new(self.context.namespace.clone(), name.clone());
        match self.context.members.clusters.get(&key) {
            None => match api.create(&PostParams::default(), &wanted).await {
                Err(error) if Failure::of(&error) == Failure::AlreadyExists => Ok(()),
                other => other.map(|_| ()),
            },
            Some(held) if decisions::is_in_step(&held, &wanted) => Ok(()),
            Some(held) => {
                let mut next = wanted;
                let held = &held.metadata;
                next.metadata
                    .resource_version
                    .clone_from(&held.resource_version);
                next.metadata.finalizers.clone_from(&held.finalizers);
                api.replace(&name, &PostParams::default(), &next)
                    .await
                    .map(|_| ())
            }
        }
    }

    fn namespace_labels(&self, scope: &CellScope) -> BTreeMap<String, String> {
        self.context
            .hub_namespace(&scope.key.namespace)
            .and_then(|namespace| namespace.metadata.labels.clone())
            .unwrap_or_default()
    }

    pub(super) async fn delete_derived(&self, name: &str) -> Result<(), kube::Error> {
        let key = ObjectKey::new(self.context.namespace.clone(), name);
        let stands_for_a_cell = self
            .context
            .members
            .clusters
            .get(&key)
            .is_some_and(|cluster| cluster.derived_from().is_some());
        if !stands_for_a_cell {
            return Ok(());
        }
        match self
            .clusters()
            .delete(name, &kube::api::DeleteParams::default())
            .await
        {
            Err(error) if Failure::of(&error) == Failure::NotFound => Ok(()),
            other => other.map(|_| ()),
        }
    }

    async fn write_status(&self, scope: &CellScope) -> Result<(), kube::Error> {
        let now = self.context.env.now().into();
        let new = status(scope, now);
        if scope
            .cell
            .status
            .as_ref()
            .is_some_and(|held| says_the_same(held, &new))
        {
            return Ok(());
        }
        let patch = Patch::Merge(json!({"status": new}));
        let written = self
            .cells(scope)
            .patch_status(&scope.key.name, &PatchParams::default(), &patch)
            .await;
        match written {
            Err(error) if Failure::of(&error) == Failure::NotFound => Ok(()),
            other => other.map(|_| ()),
        }
    }

    fn cells(&self, scope: &CellScope) -> Api<Cell> {
        Api::namespaced(self.context.hub_client.clone(), &scope.key.namespace)
    }

    fn clusters(&self) -> Api<KubeFedCluster> {
        Api::namespaced(self.context.hub_client.clone(), &self.context.namespace)
    }
}

/// How far a reconcile came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The cell goes on; its status is to be written.
    Goes,
    /// The finalizer was removed: there is nothing left to write to.
    Released,
}

fn status(scope: &CellScope, now: federation_api::Time) -> CellStatus {
    let (status, reason, message) = match &scope.trouble {
        None => (
            conditions::TRUE,
            reasons::READY,
            "objects can be placed in the cell".to_owned(),
        ),
        Some((reason, message)) => (conditions::FALSE, *reason, message.clone()),
    };
    let held = scope
        .cell
        .status
        .as_ref()
        .and_then(|held| held.conditions.first());
    let since = held
        .filter(|held| held.status == status)
        .and_then(|held| held.last_transition_time)
        .unwrap_or(now);
    CellStatus {
        observed_generation: scope.cell.metadata.generation,
        conditions: vec![ClusterCondition {
            type_: conditions::READY.to_owned(),
            status: status.to_owned(),
            last_probe_time: now,
            last_transition_time: Some(since),
            reason: Some(reason.to_owned()),
            message: Some(message),
        }],
        cluster_name: Some(scope.cell.derived_cluster_name()),
        member_namespace: Some(scope.cell.member_namespace()),
    }
}

/// True if both say the same but for the time of looking.
fn says_the_same(held: &CellStatus, new: &CellStatus) -> bool {
    let timeless = |status: &CellStatus| {
        let mut status = status.clone();
        for condition in &mut status.conditions {
            condition.last_probe_time = jiff::Timestamp::UNIX_EPOCH.into();
        }
        status
    };
    timeless(held) == timeless(new)
}
