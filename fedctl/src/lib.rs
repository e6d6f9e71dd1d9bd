//! Koinon's command line.
