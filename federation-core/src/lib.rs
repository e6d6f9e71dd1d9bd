//! Koinon's decisions as pure functions. No I/O, no clock.
