//! Propagation: makes members hold what federated objects say, and brings their status back.
//!
//! One [`Propagation`] per enabled type. Flow of one reconcile, for one federated object:
//!
//! 1. *gather* a snapshot: the object, the members it may reach, what was recorded, what the caches hold;
//! 2. *plan* (`federation_core::plan`): what to do in each member, and why;
//! 3. *execute* in all members at once, waiting only so long ([`flights`]);
//! 4. *record* what was written where ([`records`]);
//! 5. *report* status once, even if something failed.
//!
//! Everything is level-triggered: a trigger carries a key, and whoever takes it observes again. Nothing here decides
//! what should be in a member.

mod caches;
mod controller;
mod execute;
mod finalizer;
mod flights;
mod gather;
mod notices;
mod operation;
mod orphans;
mod reconcile;
mod records;
mod report;
mod seen;
mod triggers;

pub(crate) use controller::Propagation;
pub(crate) use records::Records;

#[cfg(test)]
mod tests;
