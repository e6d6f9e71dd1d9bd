//! Koinon's reconcilers.
