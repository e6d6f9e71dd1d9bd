//! What processes have used, from `/proc`.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

/// Clock ticks per second in `/proc`, on every Linux that Rust knows.
const TICKS: f64 = 100.0;

/// A process, by its number, which must not be reused while this is in use: the caller still holds the process, or its parent does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process(u32);

impl Process {
    /// The process with this number.
    #[must_use]
    pub fn new(id: u32) -> Self {
        Self(id)
    }

    /// The own process.
    #[must_use]
    pub fn own() -> Self {
        Self(std::process::id())
    }

    /// It and everything that it has started, directly or not, and that still runs.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub fn family(self) -> Result<Vec<Self>> {
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for entry in fs::read_dir("/proc").context("read /proc")? {
            let name = entry?.file_name();
            let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // One that has ended meanwhile is nobody's child.
            if let Ok(parent) = Self(id).stat(1) {
                children.entry(parent as u32).or_default().push(id);
            }
        }
        let mut family = vec![self];
        let mut looked = 0;
        while let Some(Self(id)) = family.get(looked) {
            let more = children.remove(id).unwrap_or_default();
            family.extend(more.into_iter().map(Self));
            looked += 1;
        }
        Ok(family)
    }

    /// CPU seconds so far, in user and kernel, with those of children that it has waited for.
    ///
    /// # Errors
    /// It has ended.
    pub fn cpu_seconds(self) -> Result<f64> {
        let ticks = [11, 12, 13, 14].map(|field| self.stat(field));
        let mut sum = 0.0;
        for ticks in ticks {
            sum += ticks?;
        }
        Ok(sum / TICKS)
    }

    /// Resident memory, in MB (10^6 bytes).
    ///
    /// # Errors
    /// It has ended.
    pub fn resident(self) -> Result<f64> {
        megabytes(&self.read("status")?, "VmRSS")
    }

    /// Its share of resident memory, in MB: what it shares with others counts in parts.
    ///
    /// # Errors
    /// It has ended, or it is somebody else's.
    pub fn proportional(self) -> Result<f64> {
        megabytes(&self.read("smaps_rollup")?, "Pss")
    }

    /// A number of `/proc/<id>/stat`, counted after the name: 0 is the state.
    fn stat(self, field: usize) -> Result<f64> {
        let stat = self.read("stat")?;
        let (_, fields) = stat.rsplit_once(") ").context("no name in stat")?;
        let text = fields.split(' ').nth(field).context("stat is too short")?;
        text.parse().context("no number in stat")
    }

    fn read(self, file: &str) -> Result<String> {
        let file = format!("/proc/{}/{file}", self.0);
        fs::read_to_string(&file).with_context(|| format!("read {file}"))
    }
}

/// The value of a line `key:  1234 kB`, in MB.
pub(crate) fn megabytes(text: &str, key: &str) -> Result<f64> {
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
        .and_then(|value| value.trim().strip_suffix("kB")?.trim().parse::<f64>().ok())
        .map(|kibibytes| kibibytes * 1024.0 / 1e6)
        .with_context(|| format!("no {key}"))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn lines_are_understood() {
        let text = "Name:\tx\nVmRSS:\t 2000000 kB\n";
        assert_eq!(megabytes(text, "VmRSS").unwrap(), 2048.0);
        assert!(megabytes(text, "Pss").is_err());
    }

    #[test]
    fn the_own_process_uses_something() {
        let own = Process::own();
        assert!(own.resident().unwrap() > 0.1);
        assert!(own.proportional().unwrap() > 0.1);
        assert!(own.cpu_seconds().unwrap() >= 0.0);
    }

    #[test]
    fn grandchildren_are_family() {
        let mut child = Command::new("sh")
            .args(["-c", "cat; :"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let process = Process::new(child.id());
        let grown = (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            process.family().unwrap().len() == 2
        });
        let own = Process::own().family().unwrap();
        let known = own.contains(&process);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(grown && known);
    }
}
