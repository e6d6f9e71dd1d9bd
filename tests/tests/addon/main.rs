//! The add-on form: Koinon on an upstream control plane.
//!
//! Webhook and controller run as processes of this machine with the service accounts that `fedctl init` made, so that what RBAC
//! grants them is shown to be enough. The API server reaches the webhooks through a [`balancer`] that stands for a Service: it sends
//! connections to whatever says that it is ready.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: whatever goes wrong is a failed test"
)]

mod balancer;
mod failures;
mod helm;
mod install;
mod parity;
mod rolling;
mod rotation;
mod trust;
mod world;
mod writer;
