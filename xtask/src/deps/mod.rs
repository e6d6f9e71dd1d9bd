//! `cargo xtask deps`: the dependency rule, licences and bans.
//!
//! Three checks: the arrows between member crates and who may use which library ([`rule`]), what the crates without I/O
//! pull in down to the last transitive dependency ([`purity`]), and the licences and banned crates of `deny.toml`
//! ([`deny`]). Development dependencies may use any library, but arrows never reverse, in tests either.

pub mod deny;
pub mod purity;
pub mod rule;
pub mod spdx;

mod command;
#[cfg(test)]
mod tests;

pub use command::run;
