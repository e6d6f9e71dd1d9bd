//! Running other programs, and the one clock of this crate.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Measures how long something took.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the seam of this crate, which has no runtime whose clock could be used"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Seconds with one decimal, or minutes and seconds from one minute on: `4.2 s`, `2 m 05 s`.
#[must_use]
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} m {:02} s", seconds / 60, seconds % 60)
    }
}

/// The `cargo` that started this process, so that a toolchain override keeps holding, in the environment that it has when a
/// person starts it.
///
/// Cargo tells a program that it runs about the program's package. Were that passed on, build scripts that depend on those
/// variables (ring's does) would run anew, and everything above them be compiled anew, each time a person's builds and ours
/// take turns.
#[must_use]
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_about_this_package) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Whether Cargo sets the variable for the program that it runs, as opposed to reading it as its own configuration.
fn is_about_this_package(variable: &str) -> bool {
    const EXACT: [&str; 4] = [
        "CARGO",
        "CARGO_CRATE_NAME",
        "CARGO_BIN_NAME",
        "CARGO_PRIMARY_PACKAGE",
    ];
    const PREFIXES: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];
    EXACT.contains(&variable) || PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
}

/// Runs a command with this process's output, after printing it.
///
/// # Errors
/// The program cannot be started, or ends with another status than success.
pub fn run(command: &mut Command) -> Result<()> {
    let line = show(command);
    println!("$ {line}");
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("start {line}"))?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}

/// Runs a command silently and returns its standard output.
///
/// # Errors
/// The program cannot be started, ends with another status than success (its standard error is then part of the
/// error), or prints something that is not UTF-8.
pub fn output(command: &mut Command) -> Result<String> {
    let line = show(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start {line}"))?;
    if !output.status.success() {
        bail!(
            "{line}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    String::from_utf8(output.stdout).with_context(|| format!("output of {line}"))
}

/// The command as a person would type it, without quoting.
#[must_use]
pub fn show(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let name = program
        .file_name()
        .unwrap_or(program.as_os_str())
        .to_os_string();
    let words: Vec<_> = std::iter::once(name.as_os_str())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect();
    words.join(" ")
}

/// Where a program is found on `PATH`.
#[must_use]
pub fn find_on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}

/// Whether this runs in CI: `CI` is set to anything but an empty word or `false`.
#[must_use]
pub fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_this_package_is_kept_from_cargo() {
        for about in ["CARGO_MANIFEST_DIR", "CARGO_PKG_VERSION", "CARGO"] {
            assert!(is_about_this_package(about), "{about}");
        }
        for configuration in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_TERM_COLOR", "PATH"] {
            assert!(!is_about_this_package(configuration), "{configuration}");
        }
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(human(Duration::from_millis(4_230)), "4.2 s");
        assert_eq!(human(Duration::from_secs(125)), "2 m 05 s");
    }

    #[test]
    fn a_command_is_shown_without_its_folder() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["test", "--workspace"]);
        assert_eq!(show(&command), "cargo test --workspace");
    }

    #[test]
    fn a_failing_program_is_an_error_that_holds_its_stderr() {
        let error = output(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("why"), "{error}");
    }
}
