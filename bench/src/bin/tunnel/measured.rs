//! What is measured of each system, and the rows made of it.

use std::time::{Duration, Instant};

use anyhow::Result;
use bench::{Report, Samples};
use tokio::time::sleep;

use crate::client::{self, Load};
use crate::process::System;

const GIB: u64 = 1 << 30;
/// Enough for some seconds of the slower system.
const TRANSFER: u64 = 2 * GIB;
const ROUND_TRIPS: usize = 5000;
const CONNECTS: usize = 3000;
const IDLE: usize = 1000;
/// Stalled readers, as the promise counts them.
const STALLED: [usize; 3] = [1, 20, 200];

/// How long a connection beside a stalled reader is waited for.
const STALL_LIMIT: Duration = Duration::from_secs(10);

/// Everything about one system, a sample or a batch of samples per round.
#[derive(Default)]
pub(crate) struct Measured {
    /// What all amounts are divided by.
    divide: usize,
    rounds: usize,
    one: Transfer,
    eight: Transfer,
    upload: Transfer,
    idle_trip: Samples,
    loaded_trip: Samples,
    stalled_trip: [Samples; STALLED.len()],
    /// The first round trip of a new connection beside one stalled reader.
    first_trip: Samples,
    connects: Samples,
    /// CPU of hub and agent for each of them, in microseconds.
    connect_cpu: Samples,
    memory: Samples,
}

#[derive(Default)]
struct Transfer {
    cpu: Samples,
    speed: Samples,
}

/// The medians that ratios are made of.
pub(crate) struct Medians {
    cpu: f64,
    speed: f64,
    trip: f64,
    connects: f64,
    connect_cpu: f64,
    memory: f64,
    /// P99 beside 200 stalled readers, and beside none.
    stalled: (f64, f64),
}

impl Measured {
    pub(crate) fn new(divide: usize) -> Self {
        Self {
            divide,
            ..Self::default()
        }
    }

    /// One round. Not everything can be asked of a system in which one stalled reader stops all others (`survives_stalls`).
    pub(crate) async fn measure(&mut self, system: &System, survives_stalls: bool) -> Result<()> {
        self.rounds += 1;
        let (bulk, interactive) = (&system.bulk, &system.interactive);
        let n = TRANSFER / self.divide as u64;
        let some = |amount: usize| (amount / self.divide).max(10);
        let trips = some(ROUND_TRIPS);
        // First, while no memory lies about that was used before.
        drop(client::idle(interactive, 1).await?);
        let before = system.hub.memory()? + system.agent.memory()?;
        let idle = client::idle(interactive, some(IDLE)).await?;
        sleep(Duration::from_secs(1)).await;
        let after = system.hub.memory()? + system.agent.memory()?;
        self.memory.push((after - before) / some(IDLE) as f64);
        drop(idle);
        self.one
            .measure(system, n, client::download(bulk, 1, n))
            .await?;
        self.eight
            .measure(system, n, client::download(bulk, 8, n))
            .await?;
        self.upload
            .measure(system, n, client::upload(bulk, n))
            .await?;
        extend(
            &mut self.idle_trip,
            client::round_trips(interactive, trips).await?,
        );
        let load = Load::start(bulk, 4);
        sleep(Duration::from_millis(300)).await;
        extend(
            &mut self.loaded_trip,
            client::round_trips(interactive, some(ROUND_TRIPS / 5)).await?,
        );
        load.check()?;
        drop(load);
        sleep(Duration::from_millis(500)).await;
        let count = some(CONNECTS);
        let before = system.cpu()?;
        self.connects
            .push(client::connects(interactive, count, 16).await?);
        self.connect_cpu
            .push((system.cpu()? - before) * 1e6 / count as f64);
        let first = client::trip_beside_stalled(interactive, STALL_LIMIT).await?;
        self.first_trip.push(first.as_secs_f64() * 1000.0);
        if !survives_stalls {
            return Ok(());
        }
        for (count, samples) in STALLED.into_iter().zip(&mut self.stalled_trip) {
            // On the very connection that the others use.
            let stalled = client::stalled(interactive, count).await?;
            sleep(Duration::from_secs(2)).await;
            extend(
                samples,
                client::round_trips(interactive, some(ROUND_TRIPS / 2)).await?,
            );
            drop(stalled);
            sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }

    /// Adds the rows.
    pub(crate) fn report(&self, system: &str, report: &mut Report) -> Result<Medians> {
        let cpu = self.one.report(system, "download, 1 stream", report)?;
        let eight = self.eight.report(system, "download, 8 streams", report)?;
        self.upload.report(system, "upload, 1 stream", report)?;
        let connects = report.row(
            system,
            "connect, exchange a byte, close; 16 at once",
            "1/s",
            &self.connects,
        )?;
        let connect_cpu = report.row(
            system,
            "connect, exchange a byte, close: CPU of hub and agent",
            "us",
            &self.connect_cpu,
        )?;
        let memory = report.row(
            system,
            "memory per idle connection, hub and agent",
            "KiB",
            &self.memory,
        )?;
        report.row(
            system,
            "connect and round trip beside 1 stalled (10 s: none)",
            "ms",
            &self.first_trip,
        )?;
        let mut quantile = |what: &str, samples: &Samples, q: f64| {
            let metric = format!("round trip of 256 bytes{what}, P{:.0}", q * 100.0);
            report.quantile(system, &metric, "ms", samples, q, self.rounds)
        };
        let trip = quantile("", &self.idle_trip, 0.5)?;
        let idle = quantile("", &self.idle_trip, 0.99)?;
        quantile(" beside 4 downloads", &self.loaded_trip, 0.5)?;
        quantile(" beside 4 downloads", &self.loaded_trip, 0.99)?;
        let mut worst = idle;
        for (count, samples) in STALLED.into_iter().zip(&self.stalled_trip) {
            if samples.is_empty() {
                continue;
            }
            worst = quantile(&format!(" beside {count} stalled"), samples, 0.99)?;
        }
        Ok(Medians {
            cpu: cpu.0,
            speed: eight.1,
            trip,
            connects,
            connect_cpu,
            memory,
            stalled: (worst, idle),
        })
    }
}

impl Medians {
    /// The comparisons that the bench is about: ours to another system's.
    pub(crate) fn ratios_to(&self, name: &str, other: &Self, report: &mut Report) -> Result<()> {
        for (what, ours, theirs) in [
            ("CPU per GiB, download, 1 stream", self.cpu, other.cpu),
            ("throughput, download, 8 streams", self.speed, other.speed),
            ("round trip, P50", self.trip, other.trip),
            ("connects", self.connects, other.connects),
            ("CPU per connect", self.connect_cpu, other.connect_cpu),
            ("memory per idle connection", self.memory, other.memory),
        ] {
            report.ratio(&format!("koinon/{name} {what}"), ours, theirs)?;
        }
        Ok(())
    }

    /// What stalled readers do to the others.
    pub(crate) fn ratio_of_stalled(&self, report: &mut Report) -> Result<()> {
        let (worst, idle) = self.stalled;
        report.ratio(
            "koinon round trip, P99, beside 200 stalled readers/alone",
            worst,
            idle,
        )
    }
}

fn extend(samples: &mut Samples, durations: Vec<Duration>) {
    for duration in durations {
        samples.push(duration.as_secs_f64() * 1000.0);
    }
}

impl Transfer {
    async fn measure(
        &mut self,
        system: &System,
        bytes: u64,
        transfer: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        let (before, start) = (system.cpu()?, Instant::now());
        transfer.await?;
        let seconds = start.elapsed().as_secs_f64();
        let gib = bytes as f64 / GIB as f64;
        self.cpu.push((system.cpu()? - before) / gib);
        self.speed.push(bytes as f64 * 8.0 / 1e9 / seconds);
        Ok(())
    }

    fn report(&self, system: &str, what: &str, report: &mut Report) -> Result<(f64, f64)> {
        let cpu = report.row(
            system,
            &format!("{what}: CPU of hub and agent"),
            "s/GiB",
            &self.cpu,
        )?;
        let speed = report.row(
            system,
            &format!("{what}: throughput"),
            "Gbit/s",
            &self.speed,
        )?;
        Ok((cpu, speed))
    }
}
