//! Discovery: which groups, versions and resources there are. Pure functions of the table of kinds.
//!
//! Clients of the last years read the two aggregated documents; the older ones are read by tools that want a single
//! group. Groups come in upstream's order of priority, then custom groups by name; versions in Kubernetes' order, best first.

mod aggregated;
mod cached;
mod legacy;
mod order;
#[cfg(test)]
mod tests;

pub(crate) use aggregated::AggregatedVersion;
pub(crate) use cached::{Discovery, DiscoveryPath, Document, hash};
pub(crate) use order::group_versions;
