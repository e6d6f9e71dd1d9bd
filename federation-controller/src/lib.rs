//! Koinon's reconcilers.

pub mod admin;
pub mod clients;
pub mod events;
pub mod hub;
pub mod members;
pub mod metrics;
pub mod runtime;
#[cfg(test)]
mod testing;
pub mod work;
