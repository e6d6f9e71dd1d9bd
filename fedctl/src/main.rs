//! Koinon's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    fedctl::run()
}
