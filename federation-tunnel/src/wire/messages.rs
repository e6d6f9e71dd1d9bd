//! The messages before HTTP/2 starts. Fields may be added; numbers are never used again.

/// First words of an agent on a tunnel connection.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AgentHello {
    /// What the agent speaks: [`super::VERSION`].
    #[prost(uint32, tag = "1")]
    pub(crate) version: u32,
    /// Names the agent's process; made anew at every start.
    #[prost(string, tag = "2")]
    pub(crate) agent: String,
    /// Its program and version, for people.
    #[prost(string, tag = "3")]
    pub(crate) software: String,
    /// Class of this connection: 0 interactive, 1 bulk.
    #[prost(uint32, tag = "4")]
    pub(crate) class: u32,
    /// Serve only these of the names in the certificate; empty means all of them.
    #[prost(string, repeated, tag = "5")]
    pub(crate) clusters: Vec<String>,
}

/// The hub's answer to [`AgentHello`].
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HubAnswer {
    #[prost(oneof = "hub_answer::Verdict", tags = "1, 2")]
    pub(crate) verdict: Option<hub_answer::Verdict>,
}

pub(crate) mod hub_answer {
    //! What an answer may be.

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(crate) enum Verdict {
        #[prost(message, tag = "1")]
        Welcome(super::Welcome),
        #[prost(message, tag = "2")]
        Refused(super::Refused),
    }
}

/// The connection is taken; HTTP/2 follows.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Welcome {
    /// Names the hub's process.
    #[prost(string, tag = "1")]
    pub(crate) hub: String,
    /// What the hub speaks.
    #[prost(uint32, tag = "2")]
    pub(crate) version: u32,
}

/// The connection or the request is not taken, and is closed.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Refused {
    /// A code of [`super::Refusal`].
    #[prost(string, tag = "1")]
    pub(crate) code: String,
    /// The sentence for a person.
    #[prost(string, tag = "2")]
    pub(crate) detail: String,
    /// Do not come back earlier than in so many milliseconds; 0 leaves it to the agent.
    #[prost(uint64, tag = "3")]
    pub(crate) retry_after_ms: u64,
}

/// Asks for a certificate.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct EnrollRequest {
    /// The bootstrap token; empty to renew the certificate that this TLS session presented.
    #[prost(string, tag = "1")]
    pub(crate) token: String,
    /// PKCS#10 request, DER. Only its key is used.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) request: Vec<u8>,
    /// The account that the hub is to use in the agent's cluster, if the agent was told one.
    #[prost(message, optional, tag = "3")]
    pub(crate) account: Option<Account>,
}

/// An account in a member.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Account {
    /// A bearer token.
    #[prost(string, tag = "1")]
    pub(crate) token: String,
    /// The authorities of the member's API server, PEM.
    #[prost(string, tag = "2")]
    pub(crate) authority: String,
}

/// The hub's answer to [`EnrollRequest`].
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct EnrollAnswer {
    #[prost(oneof = "enroll_answer::Verdict", tags = "1, 2")]
    pub(crate) verdict: Option<enroll_answer::Verdict>,
}

pub(crate) mod enroll_answer {
    //! What an answer may be.

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(crate) enum Verdict {
        #[prost(message, tag = "1")]
        Issued(super::Issued),
        #[prost(message, tag = "2")]
        Refused(super::Refused),
    }
}

/// First words of a process of the hub to another one.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PeerRequest {
    /// What it speaks: [`super::VERSION`].
    #[prost(uint32, tag = "1")]
    pub(crate) version: u32,
    /// The cluster that a stream is wanted to; empty asks for routes instead, as they change.
    #[prost(string, tag = "2")]
    pub(crate) cluster: String,
    /// The stream's target.
    #[prost(string, tag = "3")]
    pub(crate) target: String,
    /// The stream's class: 0 interactive, 1 bulk.
    #[prost(uint32, tag = "4")]
    pub(crate) class: u32,
}

/// The answer to a request for a stream, which follows if there is no code.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PeerAnswer {
    /// A code of [`crate::DialError`].
    #[prost(string, tag = "1")]
    pub(crate) code: String,
    /// The sentence for a person.
    #[prost(string, tag = "2")]
    pub(crate) detail: String,
}

/// Which clusters have agents in a process of the hub. An empty one that is not full tells only that the process lives.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PeerRoutes {
    /// These are all; else those that changed.
    #[prost(bool, tag = "1")]
    pub(crate) full: bool,
    /// The clusters.
    #[prost(message, repeated, tag = "2")]
    pub(crate) routes: Vec<PeerRoute>,
}

/// A cluster's agents in a process of the hub.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PeerRoute {
    /// The cluster.
    #[prost(string, tag = "1")]
    pub(crate) cluster: String,
    /// Agents.
    #[prost(uint64, tag = "2")]
    pub(crate) agents: u64,
    /// Their connections; 0 when the last has gone.
    #[prost(uint64, tag = "3")]
    pub(crate) connections: u64,
    /// Streams open to it.
    #[prost(uint64, tag = "4")]
    pub(crate) streams: u64,
}

/// A new certificate.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Issued {
    /// The agent's chain, leaf first, DER.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(crate) chain: Vec<Vec<u8>>,
    /// The authorities that vouch for the hub from now on, DER.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(crate) authorities: Vec<Vec<u8>>,
}
