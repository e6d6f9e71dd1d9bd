//! The process: settings, leadership, and what runs while leading.

mod config;
mod leader;
mod manager;

pub(crate) use config::Settings;
pub use config::{ControllerConfig, Delays, Elect};
pub use leader::ElectionError;
pub use manager::{RunError, run};
