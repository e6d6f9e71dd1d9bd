//! Koinon's decisions as pure functions. No I/O, no clock.
//!
//! | question | module |
//! | --- | --- |
//! | how does an object read in the other version? | [`conversion`] |
//! | which members does it name, and which of them may be touched? | [`placement`], [`mask`], [`selector`], [`tenancy`] |
//! | what exactly must stand in a member? | [`desired`], with [`overrides`], [`annotation_policy`], [`retention`] |
//! | is it there already? | [`version`] |
//! | so what is to be done, and why? | [`plan`] |
//! | what came of it? | [`outcome`], with [`record`] |
//! | may a user write this? | [`validate`], with [`field`] |
//! | what stands for a cell? | [`cell`] |
//!
//! Same input, same output, down to the order of lists. Nothing here panics on ill-formed objects.

pub mod annotation_policy;
pub mod cell;
pub mod conversion;
pub mod desired;
pub mod event;
pub mod field;
mod go_json;
pub mod mask;
pub mod member;
pub mod outcome;
pub mod overrides;
pub mod placement;
pub mod plan;
pub mod record;
pub mod retention;
pub mod selector;
pub mod target;
pub mod tenancy;
pub mod validate;
pub mod version;

#[cfg(test)]
mod testing;
