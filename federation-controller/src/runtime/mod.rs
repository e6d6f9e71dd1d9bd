//! The process: settings, leadership, and what runs while leading.

mod config;
mod leader;
mod manager;

pub use config::{ControllerConfig, Delays};
pub(crate) use config::{Elect, Settings};
pub use leader::ElectionError;
pub use manager::{RunError, run, run_beside};
