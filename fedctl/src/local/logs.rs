//! Where the log of this process goes.

use std::path::Path;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

/// Sends the log to a file, or to standard error if none is given. `RUST_LOG` chooses what is logged: warnings by default on
/// standard error, more in a file, where it disturbs nobody.
pub(crate) fn start(file: Option<&Path>) -> anyhow::Result<()> {
    let default = if file.is_some() { "info" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    match file {
        Some(path) => {
            let log = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .with_context(|| format!("cannot write {}", path.display()))?;
            builder
                .with_ansi(false)
                .with_writer(std::sync::Mutex::new(log))
                .init();
        }
        None => builder.with_writer(std::io::stderr).init(),
    }
    Ok(())
}
