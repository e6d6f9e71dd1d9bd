//! The process: settings and leadership.

mod config;
mod leader;

pub use config::{ControllerConfig, Delays, Elect};
pub use leader::{Election, ElectionError};
