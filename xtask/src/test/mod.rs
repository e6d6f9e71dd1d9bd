//! `cargo xtask test`: every check and every test, in order, over one shared build.
//!
//! All steps select the same crates with the same targets, so Cargo resolves the same features each time and nothing is
//! compiled twice. A failed check does not stop the run: the tests still tell what they know. The last line counts tests.
//!
//! What the tests are told through their environment is in [`tools`]. How they report skipping is in [`tally`].

pub mod steps;
pub mod stream;
pub mod suite;
pub mod tally;
pub mod tools;

mod command;

pub use command::run;
