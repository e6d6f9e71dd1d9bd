//! The table of kinds: one row per resource that the server serves, built-in or custom.
//!
//! Handlers never ask "is this a Pod?": what differs between kinds is in the row, either as data or as one of the few
//! hooks of [`Strategy`].

mod kind;
mod registry;

pub use kind::{
    Cell, Column, Kind, KindVersion, Origin, ScalePaths, Scope, SelectableField, Strategy,
    StrategyContext,
};
pub use registry::{Kinds, Registry};
