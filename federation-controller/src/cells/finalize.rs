//! The end of a cell.

use std::time::Duration;

use federation_api::reasons::cell as reasons;
use federation_api::{annotations, finalizers, labels};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams};

use super::controller::{CellController, CellScope, Progress};
use crate::clients::Failure;
use crate::work::Next;

/// While a deletion waits for somebody, it looks again this often.
const WAIT: Duration = Duration::from_secs(2);

/// What becomes of the objects in the member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Orphan,
    Delete,
}

impl CellController {
    /// Steps: refuse while in use and nobody said what becomes of the objects; wait while propagation sees to them (it
    /// knows the fate from the cell); delete the member namespace if it was made for the cell and its objects are to go;
    /// take the derived cluster away; let the cell go.
    pub(super) async fn finalize(&self, scope: &mut CellScope) -> Result<Progress, kube::Error> {
        let held = scope.cell.metadata.finalizers.clone().unwrap_or_default();
        if !held.iter().any(|one| one == finalizers::CELL) {
            return Ok(Progress::Released);
        }
        let derived = scope.cell.derived_cluster_name();
        if let Some(message) = self.is_waited_for(scope, &derived) {
            scope.trouble = Some((reasons::STILL_IN_USE, message));
            scope.next = Next::After(WAIT);
            return Ok(Progress::Goes);
        }
        if fate(scope) == Some(Fate::Delete)
            && !self.delete_member_namespace(scope, &derived).await?
        {
            let message = format!("cluster {:?} is not ready", scope.cluster_name());
            scope.trouble = Some((reasons::CLUSTER_NOT_READY, message));
            scope.next = Next::After(WAIT);
            return Ok(Progress::Goes);
        }
        self.delete_derived(&derived).await?;
        let left: Vec<String> = held
            .into_iter()
            .filter(|one| one != finalizers::CELL)
            .collect();
        match self.write_finalizers(scope, &left).await {
            Err(error) if Failure::of(&error) == Failure::NotFound => {}
            other => other?,
        }
        Ok(Progress::Released)
    }

    /// Why the cell cannot go yet. Objects in a cluster that is not registered any more are not waited for.
    fn is_waited_for(&self, scope: &CellScope, derived: &str) -> Option<String> {
        let in_use = self.context.records.uses(derived);
        if !in_use || self.context.members.get(scope.cluster_name()).is_none() {
            return None;
        }
        Some(match fate(scope) {
            Some(_) => "objects are leaving the cell".to_owned(),
            None => format!(
                "objects are placed in the cell; set annotation {} to {} or {}",
                annotations::CELL_DELETION_POLICY,
                annotations::CELL_DELETION_ORPHAN,
                annotations::CELL_DELETION_DELETE
            ),
        })
    }

    /// False if the member must be waited for.
    async fn delete_member_namespace(
        &self,
        scope: &CellScope,
        owner: &str,
    ) -> Result<bool, kube::Error> {
        let Some(member) = self.context.members.get(scope.cluster_name()) else {
            return Ok(true);
        };
        let Some(member_client) = member.member_client().filter(|_| member.is_ready()) else {
            return Ok(false);
        };
        delete_own_namespace(member_client, &scope.cell.member_namespace(), owner).await?;
        Ok(true)
    }
}

fn fate(scope: &CellScope) -> Option<Fate> {
    let policy = scope
        .cell
        .metadata
        .annotations
        .as_ref()?
        .get(annotations::CELL_DELETION_POLICY)?;
    match policy.as_str() {
        annotations::CELL_DELETION_ORPHAN => Some(Fate::Orphan),
        annotations::CELL_DELETION_DELETE => Some(Fate::Delete),
        _ => None,
    }
}

/// Deletes the namespace only if it was made for this cell.
async fn delete_own_namespace(
    member_client: kube::Client,
    name: &str,
    owner: &str,
) -> Result<(), kube::Error> {
    let api: Api<Namespace> = Api::all(member_client);
    let Some(namespace) = api.get_opt(name).await? else {
        return Ok(());
    };
    let made_for_us = namespace
        .metadata
        .labels
        .as_ref()
        .and_then(|all| all.get(labels::CELL_OWNER))
        .is_some_and(|held| held == owner);
    if !made_for_us {
        return Ok(());
    }
    match api.delete(name, &DeleteParams::default()).await {
        Err(error) if Failure::of(&error) == Failure::NotFound => Ok(()),
        other => other.map(|_| ()),
    }
}
