//! Kinds that make Pods from a template.

mod cron;
mod defaults;
mod job;
mod validate;

use serde_json::Value;

use super::at::At;
use super::map;
use crate::kinds::{Strategy, StrategyContext};
use crate::status::FieldError;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Workload {
    Deployment,
    ReplicaSet,
    StatefulSet,
    DaemonSet,
    Job,
    CronJob,
}

/// Counts the changes of a DaemonSet's template, for clients that know nothing newer.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

impl Strategy for Workload {
    fn prepare_create(&self, object: &mut Value, _context: &StrategyContext<'_>) {
        self.fill(object);
        match self {
            Self::Job => job::own_selector(object),
            Self::DaemonSet => count_template(object, 1),
            _ => {}
        }
        self.first_status(object);
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, _context: &StrategyContext<'_>) {
        self.fill(object);
        if *self == Self::DaemonSet {
            let count = &old["metadata"]["annotations"][TEMPLATE_GENERATION];
            let count = count.as_str().and_then(|text| text.parse().ok());
            let count: u64 = count.unwrap_or(1);
            let changed = object["spec"]["template"] != old["spec"]["template"];
            count_template(object, count + u64::from(changed));
        }
    }

    fn validate(
        &self,
        object: &Value,
        old: Option<&Value>,
        context: &StrategyContext<'_>,
    ) -> Vec<FieldError> {
        let mut out = Vec::new();
        if context.subresource == "status" {
            if *self == Self::Deployment {
                validate::deployment_status(&At::top(object, "status"), &mut out);
            }
            return out;
        }
        let spec = At::top(object, "spec");
        match self {
            Self::Deployment => validate::deployment(&spec, &mut out),
            Self::ReplicaSet => validate::replica_set(&spec, &mut out),
            Self::StatefulSet => validate::stateful_set(&spec, old, &mut out),
            Self::DaemonSet => validate::daemon_set(&spec, &mut out),
            Self::Job => job::validate(object, old, &mut out),
            Self::CronJob => cron::validate(object, old, &mut out),
        }
        if let Some(old) = old
            && !matches!(self, Self::StatefulSet | Self::CronJob)
        {
            out.extend(super::immutable(
                object,
                Some(old),
                "/spec/selector",
                "spec.selector",
            ));
        }
        out
    }

    fn judges_alone(&self) -> bool {
        true
    }

    fn annotations_are_intent(&self) -> bool {
        *self == Self::Deployment
    }
}

impl Workload {
    /// The numbers that a new object's status has from the start.
    fn first_status(self, object: &mut Value) {
        let numbers: &[&str] = match self {
            Self::ReplicaSet => &["replicas"],
            Self::StatefulSet => &["availableReplicas", "replicas"],
            Self::DaemonSet => &[
                "currentNumberScheduled",
                "desiredNumberScheduled",
                "numberMisscheduled",
                "numberReady",
            ],
            Self::Deployment | Self::Job | Self::CronJob => return,
        };
        let status = map(object, "status");
        for number in numbers {
            super::default(status, number, 0);
        }
    }
}

fn count_template(object: &mut Value, count: u64) {
    let metadata = &mut object["metadata"];
    map(metadata, "annotations").insert(TEMPLATE_GENERATION.to_owned(), count.to_string().into());
}
