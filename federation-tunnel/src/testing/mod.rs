//! A world in memory and in virtual time: network, hub, agents, targets.

mod net;
mod targets;
mod world;

pub(crate) use net::{Net, Weather};
pub(crate) use targets::Targets;
pub(crate) use world::{Pair, Running, World, echo_over, hub_address, until};
