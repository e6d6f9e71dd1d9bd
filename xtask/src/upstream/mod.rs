//! `cargo xtask upstream`: builds programs of the Kubernetes project with Go, for tests.
//!
//! The Go modules under `tests/upstream` pin them. What is built goes to `target/upstream/bin` and is built again only
//! when the module, the build flags or the Go toolchain changed.

mod build;
mod tool;

pub use build::{build, folder, run};
pub use tool::{TOOLS, Tool};
