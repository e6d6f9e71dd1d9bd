//! `cargo xtask tidy`: what keeps the repository readable, checked instead of asked for.
//!
//! File sizes without their tests ([`source`], [`sizes`]), a header on every file and no leftovers ([`text`]), paths that
//! the documents name ([`docs`]), and generated files that are up to date ([`crate::codegen`]). Function lengths are
//! clippy's.

pub mod docs;
pub mod sizes;
pub mod source;
pub mod text;

mod command;

pub use command::run;
