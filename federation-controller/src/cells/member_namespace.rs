//! The namespace of a cell in its member.

use federation_api::labels;
use federation_api::reasons::cell as reasons;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, PostParams};

use super::controller::{CellController, CellScope};
use crate::clients::{Failure, message};

impl CellController {
    /// Makes the namespace if it is not there. One that exists and belongs to no cell is used as it is.
    pub(super) async fn ensure_member_namespace(
        &self,
        scope: &mut CellScope,
    ) -> Result<(), kube::Error> {
        let member = self.context.members.get(scope.cluster_name());
        let Some(member) = member.filter(|member| member.is_ready()) else {
            let message = format!("cluster {:?} is not ready", scope.cluster_name());
            scope.trouble = Some((reasons::CLUSTER_NOT_READY, message));
            return Ok(());
        };
        let Some(member_client) = member.member_client() else {
            return Ok(());
        };
        let api: Api<Namespace> = Api::all(member_client);
        let name = scope.cell.member_namespace();
        let owner = scope.cell.derived_cluster_name();
        let stored = match api.get_opt(&name).await {
            Ok(stored) => stored,
            Err(error) => return Self::namespace_failed(scope, &name, &error),
        };
        match stored {
            Some(namespace) => {
                let other = namespace
                    .metadata
                    .labels
                    .as_ref()
                    .and_then(|all| all.get(labels::CELL_OWNER))
                    .filter(|held| **held != owner);
                if let Some(other) = other {
                    let message =
                        format!("namespace {name:?} of the cluster belongs to cell {other}");
                    scope.trouble = Some((reasons::NAMESPACE_TAKEN, message));
                } else if namespace.metadata.deletion_timestamp.is_some() {
                    let message = format!("namespace {name:?} of the cluster is being deleted");
                    scope.trouble = Some((reasons::NAMESPACE_FAILED, message));
                    scope.next = crate::work::Next::Retry;
                }
                Ok(())
            }
            None => {
                let mut namespace = Namespace::default();
                namespace.metadata.name = Some(name.clone());
                namespace.metadata.labels = Some([(labels::CELL_OWNER.to_owned(), owner)].into());
                match api.create(&PostParams::default(), &namespace).await {
                    Ok(_) => Ok(()),
                    Err(error) if Failure::of(&error) == Failure::AlreadyExists => Ok(()),
                    Err(error) => Self::namespace_failed(scope, &name, &error),
                }
            }
        }
    }

    /// A failure is the cell's state; the queue tries again.
    fn namespace_failed(
        scope: &mut CellScope,
        name: &str,
        error: &kube::Error,
    ) -> Result<(), kube::Error> {
        let message = format!("namespace {name:?} of the cluster: {}", message(error));
        scope.trouble = Some((reasons::NAMESPACE_FAILED, message));
        scope.next = crate::work::Next::Retry;
        Ok(())
    }
}
