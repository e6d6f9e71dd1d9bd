//! Koinon's API: kinds, names, labels, annotations, conditions and reasons. No I/O.
//!
//! Every word that two parts of Koinon must agree on is defined here once:
//!
//! - [`kinds`]: `KubeFedCluster`, `FederatedTypeConfig`, `KubeFedConfig`, the propagated-version records
//!   (all KubeFed's, field for field) and `Cell`.
//! - [`federated`]: the generic shape of `Federated<Kind>` objects in both served versions.
//! - [`crd`]: the CustomResourceDefinitions of our kinds and the generator of `Federated<Kind>` ones.
//! - [`install`]: what the add-on form installs on an existing cluster.
//! - [`tunnel`]: the objects and paths of the reverse tunnel.
//! - [`names`], [`labels`], [`annotations`], [`finalizers`], [`conditions`], [`reasons`], [`events`]: the words.
//!
//! What this crate does not do: decide anything (see `federation-core`), talk to anything, or read a clock.

pub mod annotations;
pub mod conditions;
pub mod crd;
pub mod events;
pub mod federated;
pub mod finalizers;
pub mod install;
pub mod kinds;
pub mod labels;
pub mod names;
pub mod reasons;
pub mod time;
pub mod tunnel;

pub use kinds::{
    Cell, ClusterPropagatedVersion, FederatedTypeConfig, KubeFedCluster, KubeFedConfig,
    PropagatedVersion,
};
pub use time::{GoDuration, Time};
