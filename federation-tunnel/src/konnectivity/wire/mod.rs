//! Messages of apiserver-network-proxy, and what they mean.

mod message;
mod packet;

pub(crate) use message::Message;
pub(crate) use packet::{ConnectionId, DialId, Packet};
