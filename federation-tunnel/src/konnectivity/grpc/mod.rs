//! gRPC over one connection that somebody else has accepted or opened: a service with a single method, streams of packets both ways.

mod client;
mod server;

pub(crate) use client::{Call, call};
pub(crate) use server::{Request, serve};

use std::time::Duration;

/// Method of agents.
pub(crate) const CONNECT: &str = "/AgentService/Connect";
/// Method of clients.
pub(crate) const PROXY: &str = "/ProxyService/Proxy";

/// Window of a stream: it is emptied at once, so this is what may be on the way. 8 MiB carry 1.3 Gbit/s at 50 ms.
const STREAM_WINDOW: u32 = 8 << 20;
/// Window of a connection, which carries one stream that matters.
const CONNECTION_WINDOW: u32 = 16 << 20;
/// The largest message that grpc-go takes or sends.
const MESSAGE: usize = 4 << 20;
/// Headers of a call, all together. Tokens of service accounts are the longest among them.
const HEADERS: u32 = 32 << 10;
/// After which silence a server asks whether its peer is there.
const PING: Duration = Duration::from_secs(10);
/// The same for an agent. grpc-go's servers end connections whose clients ask more often than every 30 seconds, unless told otherwise.
const PING_SERVER: Duration = Duration::from_secs(35);
/// How long an answer may take.
const PING_ANSWER: Duration = Duration::from_secs(10);
