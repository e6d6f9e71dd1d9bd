//! Builders for tests, and a world in which plans are carried out.

use std::collections::{BTreeMap, BTreeSet};

use federation_api::federated::southbound::FederatedObject;
use federation_api::kinds::{PodPlacement, PropagatedVersionStatus};
use federation_api::time::Time;
use federation_api::{finalizers, labels, names};
use serde_json::{Value, json};

use crate::annotation_policy::AnnotationPolicy;
use crate::member::{CellFacts, Member};
use crate::outcome::{Done, Telling, finish};
use crate::placement::NamespaceRule;
use crate::plan::{Action, Finalizer, Observed, Plan, Snapshot, plan};
use crate::target::Target;
use crate::tenancy::Tenancy;

pub(crate) fn labels_of(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// A ready physical member.
pub(crate) fn cluster(name: &str, pairs: &[(&str, &str)]) -> Member {
    Member {
        name: name.into(),
        labels: labels_of(pairs),
        ready: true,
        cell: None,
    }
}

/// A ready member that stands for a cell.
pub(crate) fn cell(name: &str, namespace: &str, cluster: &str, pairs: &[(&str, &str)]) -> Member {
    let mut all = labels_of(pairs);
    all.insert(labels::CELL.into(), name.into());
    all.insert(labels::CELL_NAMESPACE.into(), namespace.into());
    all.insert(labels::CLUSTER.into(), cluster.into());
    Member {
        name: names::cell_cluster(name, namespace),
        labels: all,
        ready: true,
        cell: Some(CellFacts {
            name: name.into(),
            namespace: namespace.into(),
            cluster: cluster.into(),
            member_namespace: names::default_member_namespace(namespace, name),
            pod_placement: PodPlacement::default(),
            leaving: None,
        }),
    }
}

/// `FederatedFoo` bank-prod/foo-01 in v1beta1.
pub(crate) fn federated_foo(spec: Value) -> FederatedObject {
    let object = json!({
        "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedFoo",
        "metadata": {"name": "foo-01", "namespace": "bank-prod", "generation": 1}, "spec": spec,
    });
    FederatedObject::from_value(&object).unwrap()
}

/// The type of Foos, propagating annotations `spec/*`.
pub(crate) fn foo() -> Target {
    Target {
        api_version: "tutorial.my.domain/v1".into(),
        group: "tutorial.my.domain".into(),
        kind: "Foo".into(),
        namespaced: true,
        annotations: AnnotationPolicy::new(&["spec/*".into()]),
        ..Target::default()
    }
}

pub(crate) fn time(text: &str) -> Time {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

/// One federated object, members, and what they hold. Members count generations and versions as API servers do.
pub(crate) struct World {
    pub(crate) object: FederatedObject,
    pub(crate) target: Target,
    pub(crate) members: Vec<Member>,
    pub(crate) rule: Option<NamespaceRule>,
    pub(crate) record: Option<PropagatedVersionStatus>,
    pub(crate) held: BTreeMap<String, Value>,
    pub(crate) unknown: BTreeSet<String>,
    pub(crate) adopt: bool,
    pub(crate) hub_uid: Option<String>,
    pub(crate) now: Time,
    counter: i64,
}

impl World {
    pub(crate) fn new(members: Vec<Member>) -> Self {
        Self {
            object: federated_foo(json!({})),
            target: foo(),
            members,
            rule: Some(NamespaceRule::Unrestricted),
            record: None,
            held: BTreeMap::new(),
            unknown: BTreeSet::new(),
            adopt: true,
            hub_uid: None,
            now: time("2026-01-01T00:00:00Z"),
            counter: 0,
        }
    }

    pub(crate) fn observed(&self) -> BTreeMap<String, Observed<'_>> {
        let known = self
            .members
            .iter()
            .filter(|member| !self.unknown.contains(&member.name));
        known
            .map(|member| {
                let seen = self
                    .held
                    .get(&member.name)
                    .map_or(Observed::Absent, Observed::Present);
                (member.name.clone(), seen)
            })
            .collect()
    }

    pub(crate) fn with_snapshot<T>(&self, look: impl FnOnce(&Snapshot<'_>) -> T) -> T {
        let observed = self.observed();
        look(&Snapshot {
            object: &self.object,
            target: &self.target,
            tenancy: &Tenancy::default(),
            members: &self.members,
            namespace_rule: self.rule.as_ref(),
            record: self.record.as_ref(),
            observed: &observed,
            adopt: self.adopt,
            hub_namespace_uid: self.hub_uid.as_deref(),
        })
    }

    pub(crate) fn plan(&self) -> Plan {
        self.with_snapshot(plan)
    }

    /// Replaces the spec.
    pub(crate) fn change(&mut self, spec: Value) {
        self.object.spec = serde_json::from_value(spec).unwrap();
        *self.object.metadata.generation.get_or_insert(0) += 1;
    }

    pub(crate) fn annotate(&mut self, key: &str, value: &str) {
        let all = self.object.metadata.annotations.get_or_insert_default();
        all.insert(key.into(), value.into());
    }

    pub(crate) fn delete(&mut self) {
        let stamp = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
        let stamped: FederatedObject =
            FederatedObject::from_value(&json!({"metadata": stamp, "spec": {}})).unwrap();
        self.object.metadata.deletion_timestamp = stamped.metadata.deletion_timestamp;
    }

    pub(crate) fn ready(&mut self, name: &str, ready: bool) {
        let member = self.members.iter_mut().find(|member| member.name == name);
        member.unwrap().ready = ready;
    }

    /// A change in a member that counts as a new generation.
    pub(crate) fn edit(&mut self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.held[name].clone();
        change(&mut object);
        self.store(name, object);
    }

    /// A change in a member that does not.
    pub(crate) fn edit_metadata(&mut self, name: &str, change: impl FnOnce(&mut Value)) {
        change(&mut self.held.get_mut(name).unwrap()["metadata"]);
    }

    fn store(&mut self, name: &str, mut object: Value) -> Value {
        self.counter += 1;
        let old = self.held.get(name);
        let same = |old: &Value| old["spec"] == object["spec"] && old["status"] == object["status"];
        let number = |old: &Value| {
            old.pointer("/metadata/generation")
                .and_then(Value::as_i64)
                .unwrap_or(1)
        };
        let generation = old.map_or(1, |old| number(old) + i64::from(!same(old)));
        let fresh = json!(format!("uid-{}", self.counter));
        let uid = old.map_or(fresh, |old| old["metadata"]["uid"].clone());
        object["metadata"]["generation"] = json!(generation);
        object["metadata"]["uid"] = uid;
        object["metadata"]["resourceVersion"] = json!(self.counter.to_string());
        self.held.insert(name.into(), object.clone());
        object
    }

    /// Carries out one plan, every step with success.
    pub(crate) fn settle(&mut self) {
        let plan = self.plan();
        let done = self.perform(&plan);
        self.conclude(&plan, &done);
    }

    pub(crate) fn conclude(&mut self, plan: &Plan, done: &BTreeMap<String, Done>) {
        let telling = Telling {
            remote_status: true,
            now: self.now,
        };
        let outcome = self.with_snapshot(|snapshot| finish(snapshot, plan, done, telling));
        if plan.finalizer == Finalizer::Add {
            self.object.metadata.finalizers = Some(vec![finalizers::SYNC_CONTROLLER.into()]);
        }
        self.object.status = Some(outcome.status);
        self.record = Some(outcome.record);
    }

    pub(crate) fn perform(&mut self, plan: &Plan) -> BTreeMap<String, Done> {
        let mut done = BTreeMap::new();
        for step in &plan.steps {
            let name = step.member.as_str();
            let result = match step.action.clone() {
                Action::Create(object)
                | Action::Replace { object, .. }
                | Action::Apply { object, .. } => Some(self.store(name, object)),
                Action::Delete(_) => {
                    self.held.remove(name);
                    None
                }
                Action::RemoveManagedLabel => {
                    let object = self.held.get_mut(name).unwrap();
                    object["metadata"]["labels"]
                        .as_object_mut()
                        .unwrap()
                        .remove(labels::MANAGED);
                    Some(object.clone())
                }
                Action::Nothing | Action::Record(_) | Action::Wait | Action::Leave => continue,
            };
            done.insert(name.to_owned(), Ok(result));
        }
        done
    }
}
