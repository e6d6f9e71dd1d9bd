//! A whole server, over HTTPS and with real kubectl.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod front;
mod harness;
mod kubectl;
mod restart;
mod watches;
