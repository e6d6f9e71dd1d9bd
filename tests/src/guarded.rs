//! A child process that never outlives its test.

use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a process may take to end when asked.
const GRACE: Duration = Duration::from_secs(10);

/// What the watchdog does once its standard input ends, which is when this process does: ask the child to end, insist, tidy up.
const WATCHDOG: &str = r#"
cat >/dev/null
kill -TERM "$1" 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  kill -0 "$1" 2>/dev/null || break
  sleep 0.1
done
kill -KILL "$1" 2>/dev/null
rm -rf "$2"
"#;

/// A child process with a watchdog: a shell that ends it when this process ends, however that happens.
///
/// Dropping it ends the child: first asked with SIGTERM, then forced.
#[derive(Debug)]
pub struct Guarded {
    child: Child,
    watchdog: Child,
}

impl Guarded {
    /// Starts a command; when this process ends before the child is dropped, the watchdog also deletes `directory`.
    ///
    /// # Errors
    /// The program or the shell cannot be started.
    pub fn start(command: &mut Command, directory: &Path) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::null()).spawn()?;
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(child.id().to_string())
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match watchdog {
            Ok(watchdog) => Ok(Self { child, watchdog }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error)
            }
        }
    }

    /// The child's process number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the child has ended by itself, and how.
    ///
    /// # Errors
    /// The system does not say.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// SIGKILL: the child ends between two instructions.
    ///
    /// # Errors
    /// The system refuses.
    pub fn kill_9(&mut self) -> io::Result<()> {
        self.dismiss()?;
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and SIGKILL if that does not help in time.
    ///
    /// # Errors
    /// The system refuses.
    pub fn stop(&mut self) -> io::Result<ExitStatus> {
        self.dismiss()?;
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()?;
        let asked = Instant::now();
        while asked.elapsed() < GRACE {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            sleep(Duration::from_millis(20));
        }
        self.child.kill()?;
        self.child.wait()
    }

    /// Ends the watchdog before the child's number can belong to another process.
    fn dismiss(&mut self) -> io::Result<()> {
        self.watchdog.kill()?;
        self.watchdog.wait()?;
        Ok(())
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("process {} was left behind: {error}", self.child.id());
        }
    }
}
