//! Koinon's command line.

fn main() {}
