//! One reconcile of one federated object, as a list of steps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use federation_api::events;
use federation_api::federated::southbound::FederatedObject;
use federation_api::reasons::MemberReason;
use federation_core::outcome::{self, Done, Requeue, Telling};
use federation_core::plan::{self, Finalizer, Flow, Plan};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use tokio::time::Instant;

use super::caches::Residence;
use super::controller::TypeWork;
use super::gather::Gathered;
use super::seen::Seen;
use crate::clients::{Failure, chain};
use crate::events::Severity;
use crate::hub::{JsonObject, ObjectKey};
use crate::namespaces::is_system_namespace;
use crate::work::Next;

/// While something is on its way out, look again after this time (KubeFed); its going is told by the watch anyway.
const RECHECK: Duration = Duration::from_secs(10);
/// A cache that lags behind a live read has caught up after this time.
const CATCH_UP: Duration = Duration::from_secs(1);

impl TypeWork {
    /// Handles one key: whatever the hub holds under it now.
    pub(super) async fn reconcile(self: &Arc<Self>, key: &ObjectKey) -> Next {
        let started = Instant::now();
        let name = &self.name;
        self.context.metrics.depth(name, self.queue.depth());
        let result = match self.objects.get(key) {
            None => Ok(self.release_orphans(key).await),
            Some(stored) => self.handle(key, &stored).await,
        };
        let (next, word) = match result {
            Ok(next) => (next, "success"),
            Err(error) if Failure::of(&error) == Failure::NotFound => (Next::Wait, "success"),
            Err(error) => {
                tracing::warn!(type_config = %name, object = %key, error = %chain(&error), "the hub refused a write");
                (Next::Retry, "error")
            }
        };
        self.context
            .metrics
            .reconciled(name, word, started.elapsed());
        next
    }

    async fn handle(
        self: &Arc<Self>,
        key: &ObjectKey,
        stored: &JsonObject,
    ) -> Result<Next, kube::Error> {
        if self.is_ignored(key, stored) {
            return Ok(Next::Wait);
        }
        let object = match FederatedObject::from_value(stored.value()) {
            Ok(object) => object,
            Err(error) => {
                let message = format!("the object cannot be read: {}", chain(&error));
                self.tell(
                    stored,
                    Severity::Warning,
                    events::OBJECT_UNREADABLE,
                    message,
                );
                return Ok(Next::Wait);
            }
        };
        let mut gathered = self.gather(key, object);
        self.take_in_late(key, stored, &mut gathered).await;
        let mut plan = self.plan(&gathered);
        if plan.finalizer == Finalizer::Add {
            self.ensure_finalizer(key, stored).await?;
        }
        self.tell_plan(stored, &gathered, &plan);
        let done = self
            .execute_plan(key, stored, &mut gathered, &mut plan)
            .await;
        if let Finalizer::Remove { verify } = &plan.finalizer {
            return self.finish(key, stored, &gathered, verify).await;
        }
        self.conclude(key, stored, &gathered, &plan, &done).await
    }

    /// KubeFed's exceptions for namespaces.
    fn is_ignored(&self, key: &ObjectKey, stored: &JsonObject) -> bool {
        if self.residence != Residence::Namespace {
            return false;
        }
        if key.name != key.namespace {
            let message = "The name of a federated namespace must match the name of its containing namespace.";
            self.tell(
                stored,
                Severity::Warning,
                events::INVALID_NAME,
                message.to_owned(),
            );
            return true;
        }
        is_system_namespace(&key.name, &self.context.namespace)
    }

    fn plan(&self, gathered: &Gathered) -> Plan {
        let observed = gathered.observed();
        let snapshot = gathered.snapshot(&self.target, &observed, self.context.settings.adopt);
        let mut plan = plan::plan(&snapshot);
        self.hold_unserved(&mut plan, gathered);
        plan
    }

    /// Executes; members that turned out to hold something else than the caches said are looked at live, planned and
    /// executed once more.
    async fn execute_plan(
        self: &Arc<Self>,
        key: &ObjectKey,
        stored: &JsonObject,
        gathered: &mut Gathered,
        plan: &mut Plan,
    ) -> BTreeMap<String, Done> {
        let first = self.execute(key, stored, &plan.steps, gathered).await;
        let mut done = first.done;
        if first.mistaken.is_empty() {
            return done;
        }
        let mistaken: Vec<String> = first.mistaken.keys().cloned().collect();
        for (cluster, existing) in first.mistaken {
            let live = match existing {
                Some(existing) => Seen::Present(Arc::new(JsonObject::new(existing))),
                None => self.look_live(key, gathered, &cluster).await,
            };
            gathered.seen.insert(cluster, live);
        }
        let again = self.plan(gathered);
        let steps: Vec<_> = again
            .steps
            .into_iter()
            .filter(|step| mistaken.contains(&step.member))
            .collect();
        done.extend(self.execute(key, stored, &steps, gathered).await.done);
        plan.steps.retain(|step| !mistaken.contains(&step.member));
        plan.steps.extend(steps);
        plan.steps.sort_by(|a, b| a.member.cmp(&b.member));
        done
    }

    async fn look_live(&self, key: &ObjectKey, gathered: &Gathered, cluster: &str) -> Seen {
        let Some(site) = self.site(key, gathered, cluster) else {
            return Seen::Failed("the cluster is not registered any more".to_owned());
        };
        match site.read().await {
            Ok(Some(object)) => Seen::Present(Arc::new(JsonObject::new(object))),
            Ok(None) => Seen::Absent,
            Err(failed) => Seen::Failed(failed.message),
        }
    }

    /// Records what was written where and writes the status: once, whatever failed.
    async fn conclude(
        &self,
        key: &ObjectKey,
        stored: &JsonObject,
        gathered: &Gathered,
        plan: &Plan,
        done: &BTreeMap<String, Done>,
    ) -> Result<Next, kube::Error> {
        let observed = gathered.observed();
        let snapshot = gathered.snapshot(&self.target, &observed, self.context.settings.adopt);
        let telling = Telling {
            remote_status: self.remote_status,
            now: self.context.env.now().into(),
        };
        let outcome = outcome::finish(&snapshot, plan, done, telling);
        let recorded = if plan.flow == Flow::Propagate {
            let (record_key, owner) = (self.record_key(key), self.owner(key, stored));
            let (records, hub_client) = (&self.context.records, &self.context.hub_client);
            records
                .save(hub_client, &record_key, &owner, outcome.record)
                .await
        } else {
            Ok(())
        };
        self.write_status(key, stored, &outcome.status).await?;
        recorded?;
        Ok(match outcome.requeue {
            Requeue::Never => Next::Wait,
            Requeue::Recheck => Next::After(RECHECK),
            Requeue::Backoff => Next::Retry,
        })
    }

    /// Makes sure by live reads that nothing is left, then lets the object go.
    async fn finish(
        &self,
        key: &ObjectKey,
        stored: &JsonObject,
        gathered: &Gathered,
        verify: &[String],
    ) -> Result<Next, kube::Error> {
        for cluster in verify {
            let Some(site) = self.site(key, gathered, cluster) else {
                continue;
            };
            match site.read().await {
                Ok(live) if plan::is_gone(live.as_ref()) => {}
                Ok(_) => return Ok(Next::After(CATCH_UP)),
                Err(failed) => {
                    tracing::warn!(cluster, object = %key, error = %failed.message, "cannot verify a deletion");
                    return Ok(Next::Retry);
                }
            }
        }
        self.release(key, stored).await?;
        self.context.records.forget(&self.record_key(key));
        Ok(Next::Wait)
    }

    /// Tells what a plan says about the object as a whole when its specification is new, and about members when how they
    /// stand is new.
    fn tell_plan(&self, stored: &JsonObject, gathered: &Gathered, plan: &Plan) {
        let status = gathered.object.status.as_ref();
        let is_new = status.and_then(|status| status.observed_generation)
            != gathered.object.metadata.generation;
        if is_new || plan.flow != Flow::Propagate {
            for event in &plan.events {
                let severity = if event.warning {
                    Severity::Warning
                } else {
                    Severity::Normal
                };
                self.tell(stored, severity, event.reason, event.message.clone());
            }
        }
        let told = |cluster: &str| -> Option<MemberReason> {
            let entries = status?.clusters.as_ref()?;
            entries.iter().find(|entry| entry.name == cluster)?.reason
        };
        for step in &plan.steps {
            if let Some(reason) = step.reason.filter(|reason| reason.is_failure())
                && told(&step.member) != Some(reason)
            {
                let message = format!("cluster \"{}\": {}", step.member, step.message);
                self.tell(stored, Severity::Warning, reason.as_str(), message);
            }
        }
    }

    fn owner(&self, key: &ObjectKey, stored: &JsonObject) -> OwnerReference {
        OwnerReference {
            api_version: self.federated.api_version.clone(),
            kind: self.federated.kind.clone(),
            name: key.name.clone(),
            uid: stored.uid().to_owned(),
            ..OwnerReference::default()
        }
    }
}
