//! Does what a plan says, in all members at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use federation_api::events;
use federation_core::outcome::{Done, Failure};
use federation_core::plan::{Action, DeleteOptions, Plan, Step};
use kube::api::{DeleteParams, Preconditions, PropagationPolicy};
use serde_json::Value;

use super::controller::TypeWork;
use super::flights::Standing;
use super::gather::Gathered;
use super::notices::Word;
use super::operation::{Failed, Operation, Outcome, Site};
use super::seen::Seen;
use crate::events::Severity;
use crate::hub::{JsonObject, ObjectKey};
use crate::work::Priority;

/// How long a reconcile waits for members. Long enough for a far but healthy one; an operation that takes longer goes on
/// by itself.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long one operation may take in all.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// What an operation was meant to bring about.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Meaning {
    /// What the member runs if it succeeds.
    applied: String,
    /// The word of its event.
    word: Word,
}

/// What became of the operations of a plan.
#[derive(Default)]
pub(super) struct Executed {
    pub(super) done: BTreeMap<String, Done>,
    /// Members whose object is not what the plan took it for, with what it is: plan them again.
    pub(super) mistaken: BTreeMap<String, Option<Value>>,
}

impl TypeWork {
    /// Starts the operations of the steps, except in members where one is still under way, and collects what has ended
    /// in time.
    pub(super) async fn execute(
        self: &Arc<Self>,
        key: &ObjectKey,
        stored: &JsonObject,
        steps: &[Step],
        gathered: &Gathered,
    ) -> Executed {
        let mut started = Vec::new();
        for step in steps {
            if self.start(key, stored, step, gathered) {
                started.push(step.member.clone());
            }
        }
        let mut executed = Executed::default();
        for (cluster, standing) in self.flights.collect(key, &started, PATIENCE).await {
            let Standing::Landed { meaning, outcome } = standing else {
                continue;
            };
            if let Err(failed) = &outcome
                && (failed.existing.is_some() || failed.stale)
            {
                executed.mistaken.insert(cluster, failed.existing.clone());
                continue;
            }
            let done = self.landed(key, stored, gathered, &cluster, &meaning, outcome);
            executed.done.insert(cluster, done);
        }
        executed
    }

    /// Takes in operations that ended after their reconcile.
    pub(super) async fn take_in_late(
        &self,
        key: &ObjectKey,
        stored: &JsonObject,
        gathered: &mut Gathered,
    ) {
        let clusters = self.flights.clusters(key);
        for (cluster, standing) in self.flights.collect(key, &clusters, Duration::ZERO).await {
            let Standing::Landed { meaning, outcome } = standing else {
                continue;
            };
            let wrote = matches!(meaning.word, Word::CREATE | Word::UPDATE);
            let done = self.landed(key, stored, gathered, &cluster, &meaning, outcome);
            if let (true, Ok(Some(object))) = (wrote, done) {
                gathered.note_late_write(&cluster, &meaning.applied, &object);
                let object = JsonObject::new(object);
                gathered
                    .seen
                    .insert(cluster, Seen::Present(Arc::new(object)));
            }
        }
    }

    fn start(
        self: &Arc<Self>,
        key: &ObjectKey,
        stored: &JsonObject,
        step: &Step,
        gathered: &Gathered,
    ) -> bool {
        let Some((operation, word)) = operation(&step.action) else {
            return false;
        };
        let Some(site) = self.site(key, gathered, &step.member) else {
            return false;
        };
        if self.flights.is_flying(key, &step.member) {
            return false;
        }
        if let Action::Replace { adopts: true, .. } | Action::Apply { adopts: true, .. } =
            step.action
        {
            self.tell(
                stored,
                Severity::Warning,
                events::UPDATE_IN_CLUSTER,
                ADOPTION.to_owned(),
            );
        }
        let meaning = Meaning {
            applied: step.applied.clone(),
            word,
        };
        let (queue, object) = (self.queue.clone(), key.clone());
        self.flights
            .start(key, &step.member, site, operation, meaning, move || {
                queue.add(object, Priority::Live);
            });
        true
    }

    /// The place of the object in a member.
    pub(super) fn site(&self, key: &ObjectKey, gathered: &Gathered, cluster: &str) -> Option<Site> {
        let facts = gathered.member(cluster)?;
        Some(Site {
            member: self.context.members.get(facts.physical())?,
            kind: self.kind.clone(),
            key: self.member_key(key, facts),
            deadline: DEADLINE,
            metrics: self.context.metrics.clone(),
        })
    }

    /// Tells and remembers how an operation ended.
    fn landed(
        &self,
        key: &ObjectKey,
        stored: &JsonObject,
        gathered: &Gathered,
        cluster: &str,
        meaning: &Meaning,
        outcome: Outcome,
    ) -> Done {
        let failure = outcome.as_ref().err().map(|failed| failed.message.as_str());
        self.tell_operation(stored, meaning.word, key, cluster, failure);
        let facts = gathered.member(cluster);
        match outcome {
            Ok(object) => {
                let cache = facts.and_then(|facts| self.caches.get(facts.physical()));
                if let (Some(cache), Some(object), true) = (
                    cache,
                    &object,
                    matches!(meaning.word, Word::CREATE | Word::UPDATE),
                ) {
                    cache.note_written(JsonObject::new(object.clone()), self.trim);
                }
                Ok(object)
            }
            Err(failed) => {
                if let (true, Some(cell)) =
                    (failed.missing, facts.and_then(|facts| facts.cell.as_ref()))
                {
                    // Most likely the member namespace is gone: its keeper should look.
                    let cell = ObjectKey::new(cell.namespace.clone(), cell.name.clone());
                    self.context.cell_queue.add(cell, Priority::Live);
                }
                let Failed {
                    reason, message, ..
                } = failed;
                Err(Failure { reason, message })
            }
        }
    }

    /// A step that would write a kind that its member does not serve waits instead: no retry can help before the member
    /// changes, which its cache tells.
    pub(super) fn hold_unserved(&self, plan: &mut Plan, gathered: &Gathered) {
        for step in &mut plan.steps {
            let unserved = matches!(gathered.seen.get(&step.member), Some(Seen::NotServed));
            if unserved && step.action.is_write() {
                step.action = Action::Wait;
                step.reason = Some(federation_api::reasons::MemberReason::CachedRetrievalFailed);
                step.message = format!(
                    "the cluster does not serve {} of {}",
                    self.kind.kind, self.target.api_version
                );
            }
        }
    }
}

/// KubeFed's words.
const ADOPTION: &str =
    "An update will be attempted instead of a creation due to an existing resource";

fn operation(action: &Action) -> Option<(Operation, Word)> {
    Some(match action {
        Action::Create(object) => (Operation::Create(object.clone()), Word::CREATE),
        Action::Replace { object, .. } => (Operation::Replace(object.clone()), Word::UPDATE),
        Action::Apply { object, .. } => (Operation::Apply(object.clone()), Word::UPDATE),
        Action::Delete(options) => {
            let options = delete_params(options);
            (Operation::Delete { options }, Word::DELETE)
        }
        Action::RemoveManagedLabel => (Operation::Unlabel, Word::UNLABEL),
        Action::Nothing | Action::Record(_) | Action::Wait | Action::Leave => return None,
    })
}

fn delete_params(options: &DeleteOptions) -> DeleteParams {
    DeleteParams {
        grace_period_seconds: options
            .grace_period_seconds
            .and_then(|seconds| u32::try_from(seconds).ok()),
        propagation_policy: options
            .propagation_policy
            .as_deref()
            .and_then(|policy| match policy {
                "Orphan" => Some(PropagationPolicy::Orphan),
                "Background" => Some(PropagationPolicy::Background),
                "Foreground" => Some(PropagationPolicy::Foreground),
                _ => None,
            }),
        preconditions: options.preconditions.as_ref().map(|only| Preconditions {
            uid: only.uid.clone(),
            resource_version: only.resource_version.clone(),
        }),
        ..DeleteParams::default()
    }
}
