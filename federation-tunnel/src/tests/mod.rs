//! Both ends together, on a simulated network.

mod basics;
mod faults;
mod identity;
mod peers;
mod refusals;
mod stalls;
mod upstream_agents;
