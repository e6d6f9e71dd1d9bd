//! Where the machines meet time and tasks: pumps for packets, and connections that can be read and written.

mod copy;
mod outbound;
mod pump;
mod shared;
mod stream;

pub(crate) use copy::splice;
pub(crate) use outbound::{Outbound, Owned};
pub(crate) use pump::{accept, deliver};
pub(crate) use shared::{Session, dial};
pub(crate) use stream::ProxiedStream;
