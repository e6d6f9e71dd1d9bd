//! Hubs and members that run in this process.
