//! The controllers that run inside the server. They act through the cache and the store, level-triggered: a trigger says
//! where to look, never what happened.

mod crd;
pub(crate) mod events;
pub(crate) mod tokens;

pub use crd::CrdController;
