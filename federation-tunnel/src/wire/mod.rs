//! What goes over the wire besides HTTP/2 itself: protocol names, the few messages before it, and the words of refusal.

mod class;
mod dial;
mod frame;
mod messages;
mod refusal;

pub use class::Class;
pub use dial::DialRefusal;
pub(crate) use frame::{FrameError, read_list, read_message, write_list, write_message};
pub(crate) use messages::{
    Account, AgentHello, EnrollAnswer, EnrollRequest, HubAnswer, Issued, PeerAnswer, PeerRequest,
    PeerRoute, PeerRoutes, Refused, Welcome, enroll_answer, hub_answer,
};
pub use refusal::{Refusal, UnknownRefusal};

/// TLS application protocol of a tunnel connection: framed hello and answer, then HTTP/2 with the hub as its client.
pub const ALPN_TUNNEL: &[u8] = b"koinon-tunnel/1";
/// TLS application protocol of the exchange of a bootstrap token, or of a certificate that is about to end, for a new certificate.
pub const ALPN_ENROLL: &[u8] = b"koinon-enroll/1";
/// TLS application protocol between processes of one hub.
pub(crate) const ALPN_PEER: &[u8] = b"koinon-peer/1";
/// The name that every hub's certificate of the tunnel carries besides its host names, so that agents need not know which address or load
/// balancer they reach it by.
pub const HUB_SERVER_NAME: &str = "hub.tunnel.koinon.io";

/// Version of the messages that this crate speaks.
pub(crate) const VERSION: u32 = 1;
/// Header of a CONNECT: the cluster that is meant, for agents that serve several.
pub(crate) const HEADER_CLUSTER: &str = "koinon-cluster";
/// Header of an answer that is not 200: a [`crate::DialRefusal`] code.
pub(crate) const HEADER_REASON: &str = "koinon-reason";
/// Header of an answer that is not 200: the sentence for a person.
pub(crate) const HEADER_DETAIL: &str = "koinon-detail";
/// Path of the hub's notice that it is about to go.
pub(crate) const PATH_DRAIN: &str = "/koinon-tunnel/v1/drain";
/// Header of that notice: within how many milliseconds agents should spread their reconnecting.
pub(crate) const HEADER_SPREAD: &str = "koinon-spread-ms";
