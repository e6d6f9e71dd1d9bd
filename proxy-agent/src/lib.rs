//! The agent that runs in a member and dials the hub.
//!
//! Nothing is here yet: members are reached directly. The agent comes with the tunnel (`federation-tunnel`).
