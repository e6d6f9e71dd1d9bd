//! FederatedNamespaces: which plain clusters a namespace's objects may go to (KubeFed).
//!
//! Cells are not limited by them: an object placed in a cell lands in the cell's own member namespace.

mod rule;

pub(crate) use rule::{FederatedNamespaces, is_system_namespace};
