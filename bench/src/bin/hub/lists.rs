//! Lists of everything.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bench::Samples;

use crate::client::{Call, Client, complaint, drain};
use crate::figures::Figures;
use crate::objects::{LOAD, SIZE, collection};
use crate::system::System;

/// How often each list is asked for in a round; the first answers, which may find caches cold, count too.
const TIMES: usize = 5;

/// A way to ask.
type Way = (&'static str, &'static [(&'static str, &'static str)]);

/// What clients ask for: kubectl and those of custom resources; client-go's typed clients, which take JSON where there is no Protobuf;
/// those who want it compressed.
const WAYS: [Way; 3] = [
    ("JSON", &[]),
    (
        "Protobuf if there is",
        &[(
            "accept",
            "application/vnd.kubernetes.protobuf,application/json",
        )],
    ),
    ("JSON, gzip", &[("accept-encoding", "gzip")]),
];

/// Lists `count` objects in every way.
pub(crate) async fn measure(system: &System, count: usize, figures: &mut Figures) -> Result<()> {
    let mut client = Client::connect(system.access()?).await?;
    for (way, headers) in WAYS {
        let (mut took, mut first) = (Samples::default(), Samples::default());
        let before = system.cpu()?;
        let mut size = 0;
        for _ in 0..TIMES {
            let (head, whole, bytes) = list(&mut client, headers).await?;
            took.push(milliseconds(whole));
            first.push(milliseconds(head));
            size = bytes;
        }
        let cpu = system.cpu()?.since(before);
        if headers.is_empty() {
            ensure!(size >= count * SIZE, "a list of {size} bytes is too short");
        }
        let metric = format!("list of {count}, {way}");
        figures.add(&metric, "ms", took.median()?);
        figures.add(format!("{metric}, first byte"), "ms", first.median()?);
        let cost = (cpu.server + cpu.backing) * 1e3 / TIMES as f64;
        figures.add(format!("{metric}, CPU of server and store"), "ms", cost);
        figures.add(format!("{metric}, size"), "MB", size as f64 / 1e6);
    }
    Ok(())
}

/// Time until the head of the answer, time until its end, and its size.
async fn list(
    client: &mut Client,
    headers: &[(&str, &str)],
) -> Result<(Duration, Duration, usize)> {
    let start = Instant::now();
    let answer = client.open(Call::get(collection(LOAD)), headers).await?;
    let head = start.elapsed();
    if !answer.status().is_success() {
        anyhow::bail!("a list: {}", complaint(answer).await);
    }
    let size = drain(answer.into_body()).await?;
    Ok((head, start.elapsed(), size))
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
