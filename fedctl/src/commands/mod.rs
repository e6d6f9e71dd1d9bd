//! The commands that work on any hub through its API.

mod cell;
mod deinit;
mod enable;
mod federate;
mod grant;
mod init;
mod install;
mod join;
mod join_tunnel;
mod kubeconfig;
mod mask;
mod member;
mod rules;
mod status;

pub(crate) use cell::cell;
pub(crate) use deinit::deinit;
pub(crate) use enable::{disable, enable};
pub(crate) use federate::federate;
pub(crate) use grant::grant;
pub(crate) use init::init;
pub(crate) use join::{join, unjoin};
pub(crate) use kubeconfig::kubeconfig;
pub(crate) use mask::mask;
pub(crate) use status::status;
