//! Many agents, and a hub that is killed and started again.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bench::{Report, Samples};
use federation_tunnel::{AgentHandle, HostPort};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::process::Process;
use crate::{role, target};

/// How long the hub is away: long enough that agents wait the longest that they do.
const AWAY: Duration = Duration::from_secs(20);

/// The agents run in this process, each with its own certificate and cluster.
pub(crate) async fn measure(directory: &Path, count: usize, report: &mut Report) -> Result<()> {
    role::make_authority(directory)?;
    let authority = role::authority(directory)?;
    let target: HostPort = target::start()?.to_string().parse()?;
    let hub = Process::start("koinon", "hub", directory, "127.0.0.1:0").await?;
    let address = hub.told[0].clone();
    let alone = hub.memory()?;
    let mut agents = Vec::new();
    let stop = CancellationToken::new();
    let start = Instant::now();
    for number in 0..count {
        let agent = role::make_agent(
            &authority,
            role::cluster(number)?,
            address.parse()?,
            target.clone(),
        )?;
        agents.push(agent.handle());
        tokio::spawn(agent.run(stop.clone()));
    }
    let first = all_up(&agents, start).await?;
    sleep(Duration::from_secs(2)).await;
    let memory = (hub.memory()? - alone) / count as f64;
    hub.kill().await?;
    sleep(AWAY).await;
    let start = Instant::now();
    let _hub = Process::start("koinon", "hub", directory, &address).await?;
    let back = all_up(&agents, start).await?;
    stop.cancel();
    let metric = |what: &str| format!("{count} agents, 2 connections each: {what}");
    report.row(
        "koinon",
        &metric("all up after a cold start"),
        "s",
        &sample(first),
    )?;
    report.row(
        "koinon",
        &metric("all back after the hub was killed for 20 s"),
        "s",
        &sample(back),
    )?;
    report.row(
        "koinon",
        &metric("memory of the hub per agent"),
        "KiB",
        &sample(memory),
    )?;
    Ok(())
}

fn sample(value: f64) -> Samples {
    let mut samples = Samples::default();
    samples.push(value);
    samples
}

/// Seconds until every agent has both connections.
async fn all_up(agents: &[AgentHandle], start: Instant) -> Result<f64> {
    while !agents.iter().all(|agent| agent.stats().connections == 2) {
        ensure!(
            start.elapsed() < Duration::from_secs(120),
            "not all agents came up"
        );
        sleep(Duration::from_millis(50)).await;
    }
    Ok(start.elapsed().as_secs_f64())
}
