//! Everything that a run measured, and the report of it.

use anyhow::Result;
use bench::{Memory, Report, Samples};

use crate::release::Release;
use crate::status::Status;

const KOINON: &str = "koinon";
const SERVER: &str = "floor: one API server";
const DISK: &str = "floor: disk";

/// Seconds from nothing to all Ready that are aimed at.
const START_AIM: f64 = 3.0;
/// MB at rest that are aimed at.
const MEMORY_AIM: f64 = 120.0;
/// Milliseconds of the 99th percentile of latencies that are aimed at.
const LATENCY_AIM: f64 = 100.0;

/// Samples of all rounds.
#[derive(Default)]
pub(crate) struct Measured {
    /// Seconds.
    pub(crate) start: Samples,
    /// Seconds.
    pub(crate) start_again: Samples,
    pub(crate) at_rest: Vec<Memory>,
    pub(crate) with_foos: Vec<Memory>,
    pub(crate) after_changes: Vec<Memory>,
    pub(crate) release: Release,
    pub(crate) status: Status,
    /// Milliseconds.
    pub(crate) friends: Samples,
    /// Milliseconds.
    pub(crate) sync: Samples,
}

impl Measured {
    /// Rows and ratios. The samples came in `rounds` equal parts.
    pub(crate) fn report(&self, rounds: usize) -> Result<Report> {
        let mut report = Report::new();
        let start = report.row(KOINON, "start to all Ready", "s", &self.start)?;
        report.row(KOINON, "second start to all Ready", "s", &self.start_again)?;
        let at_rest = memory(&mut report, "at rest", &self.at_rest)?;
        memory(&mut report, "with the Foo example", &self.with_foos)?;
        memory(&mut report, "after all changes", &self.after_changes)?;

        let mut latency =
            |system, what, samples| latency(&mut report, system, what, samples, rounds);
        let each = latency(KOINON, "hub change to member object", &self.release.each)?;
        latency(
            KOINON,
            "hub change to all three member objects",
            &self.release.all,
        )?;
        let status = latency(KOINON, "member status to hub object", &self.status.hub)?;
        latency(KOINON, "member Pod to happy Foo on the hub", &self.friends)?;
        let hub = latency(SERVER, "hub change to hub watch", &self.release.hub)?;
        let member = latency(SERVER, "member status to member watch", &self.status.member)?;
        latency(DISK, "append 4 KiB and sync", &self.sync)?;

        for (name, there, own) in [
            ("hub to member", each, hub),
            ("member to hub", status, member),
        ] {
            report.ratio(&format!("{name} / its own watch, P50"), there[0], own[0])?;
            report.ratio(&format!("{name} / its own watch, P99"), there[1], own[1])?;
            report.ratio(&format!("{name}, P99 / aim"), there[1], LATENCY_AIM)?;
        }
        report.ratio("start / aim", start, START_AIM)?;
        report.ratio("RSS at rest / aim", at_rest, MEMORY_AIM)?;
        Ok(report)
    }
}

/// Adds what is resident and of what it is made; returns the median of the whole.
fn memory(report: &mut Report, when: &str, held: &[Memory]) -> Result<f64> {
    let mut row = |what: &str, part: fn(&Memory) -> f64| {
        let samples = held.iter().map(part).collect();
        report.row(KOINON, &format!("RSS {when}{what}"), "MB", &samples)
    };
    let all = row("", |memory| memory.resident)?;
    row(", its own", |memory| memory.anonymous)?;
    row(", pages of files", |memory| memory.of_files)?;
    Ok(all)
}

/// Adds the rows P50 and P99 and returns both.
fn latency(
    report: &mut Report,
    system: &str,
    what: &str,
    samples: &Samples,
    rounds: usize,
) -> Result<[f64; 2]> {
    let mut row = |q: f64, name: &str| {
        report.quantile(system, &format!("{what}, {name}"), "ms", samples, q, rounds)
    };
    Ok([row(0.5, "P50")?, row(0.99, "P99")?])
}
