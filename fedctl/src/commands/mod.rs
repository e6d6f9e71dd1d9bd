//! The commands that work on any hub through its API.

mod cell;
mod enable;
mod federate;
mod join;
mod mask;
mod member;
mod status;

pub(crate) use cell::cell;
pub(crate) use enable::{disable, enable};
pub(crate) use federate::federate;
pub(crate) use join::{join, unjoin};
pub(crate) use mask::mask;
pub(crate) use status::status;
