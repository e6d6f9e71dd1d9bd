//! Custom kinds: from CustomResourceDefinitions to rows of the table.

mod defaults;
mod definition;
mod names;
mod row;
mod strategy;
#[cfg(test)]
mod tests;
mod validate;

pub use definition::{CRD_FINALIZER, CRD_RESOURCE};
pub use names::{AcceptedNames, NameConflict};
pub use row::{RowError, custom_row};
pub use strategy::CrdStrategy;

#[cfg(test)]
pub(crate) use definition::condition;
pub(crate) use definition::{
    condition_is_true, remember_storage_version, remove_condition, set_condition, status_mut, text,
};
pub(crate) use names::{ClaimedNames, accept_names, claimed_names};
