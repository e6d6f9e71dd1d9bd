//! Foos as the scenarios make them and look at them.

use std::time::Duration;

use federation_tests::federated::{Trace, entry, federated_foo};
use federation_tests::world::{CELLS, Workspace};
use federation_tests::{Kubectl, eventually};
use serde_json::Value;

/// Long enough for a controller that should not act to be caught acting.
pub(crate) const QUIET: Duration = Duration::from_secs(2);

/// Makes a Foo and waits until all cells have it and the operator's word on it has come back, so that nobody has a reason to
/// write anything any more.
pub(crate) fn settled_foo(workspace: &Workspace, name: &str, friend: &str) {
    let hub = workspace.hub();
    hub.apply(&federated_foo(name, &CELLS, friend));
    eventually(&format!("{name} has settled"), || {
        let object = hub.try_get("federatedfoo", name)?;
        let here = object["status"]["observedGeneration"] == object["metadata"]["generation"];
        let told = CELLS
            .iter()
            .all(|cell| entry(&object, cell)["remoteStatus"]["happy"].is_boolean());
        if here && told {
            Ok(())
        } else {
            Err(object.to_string())
        }
    });
}

/// What a member's Foo looks like to those who only want to know whether it was touched.
pub(crate) fn trace(workspace: &Workspace, cell: &str, name: &str) -> Trace {
    Trace::of(&workspace.cell(cell).get("foo", name))
}

/// Whom a member's Foo looks for.
pub(crate) fn friend(member: &Kubectl, name: &str) -> Result<String, String> {
    let foo = member.try_get("foo", name)?;
    Ok(foo["spec"]["name"].as_str().unwrap_or_default().to_owned())
}

/// Waits until a member's Foo looks for that friend.
pub(crate) fn looks_for(member: &Kubectl, name: &str, wanted: &str) {
    eventually(&format!("{name} looks for {wanted}"), || {
        match friend(member, name)? {
            found if found == wanted => Ok(()),
            other => Err(format!("it looks for {other}")),
        }
    });
}

/// Waits until an object satisfies a condition.
pub(crate) fn says(
    server: &Kubectl,
    kind: &str,
    name: &str,
    what: &str,
    condition: impl Fn(&Value) -> bool,
) {
    eventually(&format!("{kind} {name}: {what}"), || {
        let object = server.try_get(kind, name)?;
        if condition(&object) {
            Ok(())
        } else {
            Err(object.to_string())
        }
    });
}

/// Waits until there is no such object.
pub(crate) fn is_gone(server: &Kubectl, kind: &str, name: &str) {
    eventually(&format!("{kind} {name} is gone"), || {
        match server.try_get(kind, name) {
            Err(complaint) if complaint.contains("NotFound") => Ok(()),
            Err(complaint) => Err(complaint),
            Ok(object) => Err(object.to_string()),
        }
    });
}
