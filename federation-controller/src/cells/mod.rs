//! Cells: deployment units inside member clusters.
//!
//! For each `Cell` the controller keeps the derived `KubeFedCluster` that placements see, and the namespace of the
//! member that the cell's objects land in. A cell that objects are placed in is not let go unless its annotation
//! `koinon.io/cell-deletion-policy` says what becomes of them.

mod controller;
mod finalize;
mod member_namespace;

pub(crate) use controller::CellController;
