//! Progress while things start, as plain lines.

use std::io::Write;
use std::time::{Duration, Instant};

/// Prints what was done, with the time since the start.
pub(crate) struct Reporter {
    started: Instant,
}

impl Reporter {
    /// A reporter whose time starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "a stopwatch for the screen decides nothing"
    )]
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// One line, flushed at once: scripts wait for them.
    pub(crate) fn line(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        // A closed standard output must not end the servers.
        let _ = writeln!(out, "{:6.2}s  {text}", self.elapsed().as_secs_f64());
        let _ = out.flush();
    }

    /// A line to copy: a command that the reader may want next.
    pub(crate) fn hint(&self, command: &str) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "         {command}");
        let _ = out.flush();
    }

    /// The last line of the start, alone on its line: what scripts wait for.
    pub(crate) fn ready(&self) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "ready");
        let _ = out.flush();
    }
}
