//! Health and metrics over HTTP, as KubeFed serves them: `/healthz`, `/readyz` on one address, `/metrics` on another.

mod server;

pub use server::{AdminError, AdminServer, Readiness};
