//! Running tests under an eye: their output as it comes, and an end to those that hang.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::tally::Tally;
use crate::process::{human, show};

/// A test program that has printed nothing for so long hangs: the slowest test takes two minutes, and ten on a machine that is
/// busy with something else.
pub const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Runs a command that starts test programs, copies its standard output line by line to `printed` and lets the tally read along.
/// A test program that prints nothing for `patience` is killed and counts as a failed test; those that follow it still run. The
/// patience begins with the first line, so that a silent build is none of its business.
///
/// # Errors
/// The command cannot be started or read, or ends with another status than success; a program was killed.
pub fn stream(
    command: &mut Command,
    tally: &mut Tally,
    patience: Duration,
    printed: &mut impl Write,
) -> Result<()> {
    let line = show(command);
    writeln!(printed, "$ {line}").context("print")?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {line}"))?;
    let output = child.stdout.take().context("standard output was piped")?;
    let lines = read(output);
    let mut hung = 0;
    let mut patience_now = Duration::MAX;
    loop {
        match lines.recv_timeout(patience_now) {
            Ok(line) => {
                let line = line.context("read the tests' output")?;
                printed
                    .write_all(&line)
                    .and_then(|()| printed.write_all(b"\n"))
                    .context("print")?;
                tally.read(&String::from_utf8_lossy(&line));
            }
            Err(RecvTimeoutError::Timeout) => {
                let silent = human(patience);
                writeln!(
                    printed,
                    "xtask: no line for {silent}: a test hangs, one of those that are told above to run for over 60 \
                     seconds; killing its program"
                )
                .context("print")?;
                if !kill_children(&child).context("kill the test program that hangs")? {
                    child.kill().context("kill the tests")?;
                    bail!("{line}: a program hung");
                }
                tally.add_failure();
                hung += 1;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
        patience_now = patience;
    }
    let status = child.wait().with_context(|| format!("wait for {line}"))?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    if hung > 0 {
        bail!("{line}: {hung} programs hung");
    }
    Ok(())
}

/// The lines as they come, until the end.
fn read(output: ChildStdout) -> Receiver<io::Result<Vec<u8>>> {
    let (send, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n') {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Kills what a process has started itself. False if that cannot be told, as Linux alone tells it.
fn kill_children(child: &Child) -> io::Result<bool> {
    let id = child.id();
    let Ok(children) = fs::read_to_string(format!("/proc/{id}/task/{id}/children")) else {
        return Ok(false);
    };
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -KILL \"$@\"", "sh"]);
    kill.args(children.split_whitespace());
    Ok(kill.status()?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str) -> (Result<()>, String) {
        let mut tally = Tally::default();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let patience = Duration::from_millis(500);
        let outcome = stream(&mut command, &mut tally, patience, &mut io::sink());
        (outcome, tally.to_string())
    }

    const PASSED: &str = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured'";

    #[test]
    fn a_program_that_hangs_is_killed_and_the_next_one_runs() {
        let (outcome, tally) = run(&format!("echo running; sleep 600; {PASSED}"));
        assert!(outcome.unwrap_err().to_string().contains("hung"));
        assert_eq!(tally, "2 passed, 1 failed, 0 skipped");
    }

    #[test]
    fn a_build_may_be_silent() {
        let (outcome, tally) = run(&format!("sleep 1; {PASSED}"));
        outcome.unwrap();
        assert_eq!(tally, "2 passed, 0 failed, 0 skipped");
    }

    #[test]
    fn a_failure_is_one() {
        let (outcome, _) = run("exit 3");
        assert!(outcome.unwrap_err().to_string().contains("exit status: 3"));
    }
}
