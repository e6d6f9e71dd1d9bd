//! What one scenario has to itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::start::{LABELS, World};
use crate::kubectl::Kubectl;

/// The cells of a workspace.
pub const CELLS: [&str; 3] = ["rz00a", "rz00b", "rz01a"];

/// A hub namespace with three cells.
#[derive(Clone, Debug)]
pub struct Workspace {
    name: String,
    hub: Kubectl,
    members: BTreeMap<&'static str, Kubectl>,
}

impl Workspace {
    pub(super) fn make(world: &World, name: &str) -> Self {
        let labels: BTreeMap<_, _> = LABELS.into();
        let cell = |cell: &&str| {
            let region = if member_of(cell) == "sh-1" {
                "sh"
            } else {
                "hz"
            };
            json!({
                "apiVersion": "koinon.io/v1alpha1",
                "kind": "Cell",
                "metadata": {"name": cell, "namespace": name, "labels": {"region": region}},
                "spec": {"clusterRef": {"name": member_of(cell)}},
            })
        };
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        let items: Vec<Value> = std::iter::once(namespace)
            .chain(CELLS.iter().map(cell))
            .collect();
        let hub = world.hub().namespace(name);
        let documents: Vec<String> = items.iter().map(Value::to_string).collect();
        hub.try_with_input(&["apply", "-f", "-"], &documents.join("\n"))
            .unwrap_or_else(|error| panic!("the workspace {name}: {error}"));
        hub.run(&[
            "wait",
            "--for=condition=Ready",
            "cell",
            "--all",
            "--timeout=60s",
        ]);
        let members = ["hz-1", "sh-1"].map(|member| (member, world.member(member).kubectl()));
        Self {
            name: name.to_owned(),
            hub,
            members: members.into(),
        }
    }

    /// Its name: the hub namespace.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// kubectl for the hub, in the workspace's namespace.
    #[must_use]
    pub fn hub(&self) -> &Kubectl {
        &self.hub
    }

    /// kubectl for the member of a cell, in the cell's namespace.
    #[must_use]
    pub fn cell(&self, cell: &str) -> Kubectl {
        self.members[member_of(cell)].namespace(&format!("{}-{cell}", self.name))
    }

    /// kubectl for a member, in its namespace of the workspace's own name.
    #[must_use]
    pub fn member(&self, name: &str) -> Kubectl {
        self.members[name].namespace(&self.name)
    }
}

fn member_of(cell: &str) -> &'static str {
    if cell.starts_with("rz01") {
        "sh-1"
    } else {
        "hz-1"
    }
}
