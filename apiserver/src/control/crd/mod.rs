//! The CRD controller: keeps the table of kinds in step with the CustomResourceDefinitions, and their status with both.
//!
//! Level-triggered: every pass looks at all definitions in the cache and acts on those that changed or waited for a name.
//! A definition is in the table *before* its status says `Established`, so whoever waited for the condition finds the
//! kind served. While a definition is deleted its kind can only be read and deleted from; when no object is left, the
//! finalizer goes and with it the definition and its row.
//!
//! Flow of a pass: gather (snapshot) → decide ([`decide`], pure) → replace the table → write statuses → clean up.

mod cleanup;
mod controller;
mod decide;
#[cfg(test)]
mod end_to_end;
mod known;
#[cfg(test)]
mod tests;

pub use controller::CrdController;
