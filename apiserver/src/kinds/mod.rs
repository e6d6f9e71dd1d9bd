//! The table of kinds: one row per resource that the server serves, built-in or custom.
//!
//! Handlers never ask "is this a Pod?": what differs between kinds is in the row, either as data or as one of the few
//! hooks of [`Strategy`].

mod builtin;
mod columns;
pub mod custom;
mod kind;
mod registry;
mod strategies;
mod version_order;

pub use builtin::{BuiltinHooks, builtin_rows};
pub use columns::builtin_columns;
pub use kind::{
    Cell, Column, CustomResource, Kind, KindVersion, NameRule, Origin, Plain, ScalePaths, Scope,
    SelectableField, Strategy, StrategyContext,
};
pub use registry::{Kinds, Registry};
pub use strategies::builtin_strategy;
pub use version_order::compare_versions;
