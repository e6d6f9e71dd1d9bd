//! The agent that runs in a member and dials the hub.

fn main() {}
