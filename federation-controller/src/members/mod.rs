//! Member clusters: one connection per physical cluster, however many cells it holds.
//!
//! [`Members`] runs one loop per physical cluster that alone connects, probes and disconnects. Everybody else asks it
//! for a [`Member`] handle and is told when one becomes ready, stops being ready, or changes. An unreachable member is
//! a state, not an error: nothing here ever waits for one member on behalf of another.
//!
//! - [`access`]: what a `KubeFedCluster` and its Secret say about reaching the cluster, parsed.
//! - [`connect`]: turns that into a client; a seam, so other ways to a member can be added.
//! - [`tunnel`]: members behind their agents' tunnels; `remote_tunnels`: through a hub in another process.
//! - [`health`]: pure: verdicts, thresholds, conditions.
//! - `supervisor`: the loop. `report`: writes the conditions. `tell`: events. `cache`: one watch per member and target kind.
//!
//! Not done here: deciding anything about federated objects.

mod cache;
pub mod connect;
pub mod health;
mod member;
mod registry;
mod remote_tunnels;
mod report;
mod supervisor;
mod tell;
#[cfg(test)]
mod tests;
pub mod tunnel;

pub use cache::{CacheEvent, CacheState, MemberCache, TargetKind};
pub use federation_member::access;
pub use member::{Member, MemberState};
pub use registry::{MemberEvent, Members, MembersConfig};
pub use remote_tunnels::RemoteTunnels;
pub(crate) use tell::tell_of_tunnels;
