//! Members behind their agents: how an agent is installed, and what works through it.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: whatever goes wrong is a failed test"
)]

mod boundary;
mod deployment;
mod pod;
mod world;
