//! Koinon's reconcilers.

fn main() {}
