//! What every bench program reports, and how; and the playground that whole-system benches drive.
//!
//! A bench is a binary in `src/bin/<name>` that `cargo xtask bench <name>` runs in release mode with the environment
//! variable `KOINON_BIN_DIR` (the folder of the programs under test) and the arguments `--out <file>` plus the user's own.
//! It measures, puts [`Samples`] into a [`Report`] and calls [`Report::publish`], which prints a table for people and
//! writes the JSON that runs are compared by.
//!
//! ```no_run
//! use bench::{Output, Report, Samples};
//!
//! # fn measure() -> f64 { 1.0 }
//! let mut report = Report::new();
//! let latencies: Samples = (0..500).map(|_| measure()).collect();
//! report.quantile("koinon", "hub to member, P99", "ms", &latencies, 0.99, 5)?;
//! report.publish(&Output::default())?;
//! # Ok::<(), anyhow::Error>(())
//! ```

mod directory;
mod machine;
mod playground;
mod report;
mod samples;
mod sightings;
mod usage;

pub use directory::Directory;
pub use machine::Machine;
pub use playground::{Memory, Playground};
pub use report::{Output, Report, Row};
pub use samples::Samples;
pub use sightings::{Sighting, Sightings};
pub use usage::Process;
