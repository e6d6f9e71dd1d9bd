//! What a bench ran on.

use std::fs;

use serde::{Deserialize, Serialize};

/// The machine of a run. What cannot be found out is empty or 0; a report is not refused for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Logical processors that this process may use.
    pub cores: usize,
    /// Main memory, in MiB.
    pub memory_mib: u64,
    /// Operating system, architecture and kernel release.
    pub system: String,
}

impl Machine {
    /// Looks around (in `/proc`, where there is one).
    #[must_use]
    pub fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let kernel = read("/proc/sys/kernel/osrelease");
        let system = format!(
            "{} {} {}",
            std::env::consts::OS,
            std::env::consts::ARCH,
            kernel.trim()
        );
        Self {
            cpu: field(&read("/proc/cpuinfo"), "model name")
                .unwrap_or_default()
                .to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: field(&read("/proc/meminfo"), "MemTotal")
                .and_then(kibibytes)
                .unwrap_or_default()
                / 1024,
            system: system.trim().to_owned(),
        }
    }
}

/// The value of the first `key : value` line.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
}

fn kibibytes(value: &str) -> Option<u64> {
    value.strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_understood() {
        assert_eq!(
            field(
                "processor\t: 0\nmodel name\t: A CPU\nmodel name\t: B\n",
                "model name"
            ),
            Some("A CPU")
        );
        assert_eq!(
            field("MemTotal:  2048 kB\n", "MemTotal").and_then(kibibytes),
            Some(2048)
        );
        assert_eq!(field("", "MemTotal"), None);
    }

    #[test]
    fn this_machine_has_a_core() {
        assert!(Machine::here().cores > 0);
    }
}
