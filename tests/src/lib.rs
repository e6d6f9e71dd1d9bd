//! End-to-end tests of Koinon, with the built binaries and real kubectl.
//!
//! The library is the harness: it starts a [`Playground`] (or a plain member, [`MemberServer`]) on a directory of its own, talks to
//! it with [`Kubectl`] as a person would, waits with a deadline ([`eventually`]) and leaves no process behind, not even when the
//! test itself is killed ([`Guarded`]). A [`transcript`] is a checked-in terminal session that is run and compared. What is claimed
//! about Kubernetes is shown on Kubernetes: [`upstream`] starts its own programs.
//!
//! It panics instead of returning errors: whatever goes wrong here is a failed test, and the message is for its reader.

pub mod contexts;
pub mod fake;
pub mod federated;
pub mod history;
pub mod manifests;
pub mod network;
pub mod oracle;
pub mod transcript;
pub mod upstream;
pub mod world;

mod endpoint;
mod guarded;
mod hub_process;
mod kubectl;
mod logs;
mod member;
mod moments;
mod playground;
mod tools;
mod wait;

pub use endpoint::{Endpoint, Events, Reply};
pub use guarded::Guarded;
pub use hub_process::HubProcess;
pub use kubectl::Kubectl;
pub use member::MemberServer;
pub use moments::Moments;
pub use playground::Playground;
pub use tools::{Tools, our_program, repository, skip};
pub use wait::{eventually, stays, within};
