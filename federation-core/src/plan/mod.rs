//! What is to be done with one federated object, and why.
//!
//! [`plan`] looks at a [`Snapshot`] and answers with a [`Plan`]: whether the finalizer must be set or may go, and one
//! [`Step`] for every member that holds the object or should, sorted by name. It does nothing itself and reads no clock; the
//! caller does the steps, each in its member, and hands what came of them to `outcome`.
//!
//! **Laws.** Members of another tenancy are never in a plan. Without a deletion of the whole object, only members that are
//! selected and not masked out are created in or updated; only members that left the placement, and that the mask (if
//! there is one) names, are deleted in. An object without the managed label is never deleted. A cell's namespace is
//! touched through the cell only.

mod deletion;
mod member;
mod propagation;
mod snapshot;
mod step;
#[cfg(test)]
mod tests;

pub use deletion::{is_gone, release};
pub use snapshot::{Observed, Snapshot};
pub use step::{
    Action, DeleteOptions, Finalizer, Flow, Plan, Preconditions, Problem, Standing, Step,
};

/// Decides. See the module.
#[must_use]
pub fn plan(snapshot: &Snapshot<'_>) -> Plan {
    if snapshot.object.is_deleting() {
        deletion::plan(snapshot)
    } else {
        propagation::plan(snapshot)
    }
}
