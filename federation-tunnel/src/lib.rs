//! Both ends of the reverse tunnel: wire protocol and sessions.
//!
//! Nothing is here yet: members are reached directly. A `KubeFedCluster` that asks for the tunnel is `ConfigMalformed` until then.
