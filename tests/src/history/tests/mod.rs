//! Histories that are true, and the same with one fault in them.

mod doctored;
mod simulated;
mod simulation;
