//! The verbs that change objects: one pipeline for all kinds.
//!
//! decode ([`body`]) → default → admission → strategy → validation ([`pipeline`]) → compare-and-swap ([`create`],
//! [`swap`] under [`change`] and [`delete`]). Everything up to the swap is repeated when somebody else was faster.

mod body;
mod change;
mod collection;
mod create;
mod delete;
pub(crate) mod meta;
mod options;
mod patch;
mod pipeline;
mod scale;
mod swap;
#[cfg(test)]
mod tests;
mod update;

pub(crate) use body::review_body;
pub use collection::delete_collection;
pub use create::create;
pub use delete::delete;
pub use patch::patch;
pub use scale::get_scale;
pub use update::update;

/// The finalizer by which dependents are left behind before their owner goes.
pub(crate) const ORPHAN: &str = "orphan";
/// The finalizer by which dependents go before their owner.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";
