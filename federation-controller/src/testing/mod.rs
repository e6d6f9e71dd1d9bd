//! Tools of the tests: a small API server in memory behind a `kube::Client`, which notes every write in a line that a
//! person can read, and can be made to refuse, hang or vanish.
//!
//! It is no Kubernetes: no schema, no defaulting, no admission. What it does have is what reconcilers rely on: resource
//! versions, generations that only a change of the specification moves, conflicts, finalizers, and watches.

mod fake;
mod path;
mod world;

pub(crate) use fake::{FakeCluster, Mood};
pub(crate) use world::{CELLS, CLUSTERS, FEDERATED_FOOS, FOOS, RECORDS, World, cells};
