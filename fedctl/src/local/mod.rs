//! Hubs and members that run in this process: `fedctl up` and `fedctl playground`.
//!
//! Nothing here is a short cut: the controller, the operators and the set-up talk to the servers over HTTPS, with the
//! same credentials that separate processes would have.

mod layout;
mod logs;
mod node;
mod playground;
mod reporter;
mod setup;
mod stop;
mod tunnel;
mod up;
mod view;

pub(crate) use playground::playground;
pub(crate) use up::up;
