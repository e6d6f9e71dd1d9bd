//! Many watchers of the same objects, and a paced writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bench::Samples;
use http::Method;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::client::{Call, Client, complaint, list_revision};
use crate::figures::Figures;
use crate::objects::{Times, WATCHED, collection, path, timed};
use crate::system::System;
use crate::writes::make_namespace;

/// Watches on one connection, about as many as a controller has.
const PER_CONNECTION: usize = 20;
/// Objects that take turns in being changed.
const OBJECTS: usize = 100;
/// For so long the writer is at its pace before it counts.
const WARM_UP: Duration = Duration::from_secs(1);
/// When nothing has come for so long, nothing more will.
const QUIET: Duration = Duration::from_secs(3);
/// What a server is behind by more than this is not waited for.
const PATIENCE: Duration = Duration::from_secs(40);

/// How many watchers, changes per second, and for how long.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) watchers: usize,
    pub(crate) events: usize,
    pub(crate) time: Duration,
}

/// What all watchers share.
struct Audience {
    /// Times in events are microseconds since.
    epoch: Instant,
    /// Events that were sent before this do not count.
    from: AtomicU64,
    /// How many that count were seen.
    seen: AtomicU64,
    /// How many pieces of whatever came.
    pieces: AtomicU64,
    /// Ends all watchers.
    stop: CancellationToken,
}

impl Audience {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            epoch: Instant::now(),
            from: AtomicU64::new(u64::MAX),
            seen: AtomicU64::new(0),
            pieces: AtomicU64::new(0),
            stop: CancellationToken::new(),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Waits until everything was seen that was sent, or nothing comes any more, or patience ends.
    async fn wait(&self, expected: u64) {
        let start = Instant::now();
        let mut last = (0, start);
        while self.seen.load(Ordering::Relaxed) < expected && start.elapsed() < PATIENCE {
            let pieces = self.pieces.load(Ordering::Relaxed);
            if pieces != last.0 {
                last = (pieces, Instant::now());
            } else if last.1.elapsed() > QUIET {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What one watcher saw.
struct Watched {
    /// Milliseconds from before a change was sent.
    took: Vec<f64>,
    /// The server ended the watch.
    ended: bool,
}

/// Opens watches, writes, and adds how long it took from before a change was sent until a watcher had it.
pub(crate) async fn measure(system: &System, plan: Plan, figures: &mut Figures) -> Result<()> {
    let mut client = Client::connect(system.access()?).await?;
    make_namespace(&mut client, WATCHED).await?;
    for number in 0..OBJECTS {
        let call = Call::new(Method::POST, collection(WATCHED));
        client.call(call.with(timed(&object(number), 0))).await?;
    }
    let before = system.resident()?;
    let audience = Audience::new();
    let mut watchers = open(system, plan.watchers, &audience).await?;
    sleep(WARM_UP).await;
    let each = (system.resident()? - before) * 1e3 / plan.watchers as f64;
    figures.add("watch, memory of a watcher", "kB", each);
    write(&mut client, Duration::ZERO, WARM_UP, plan, &audience).await?;

    audience.from.store(audience.now(), Ordering::Relaxed);
    let (cpu, start) = (system.cpu()?, Instant::now());
    let acknowledged = write(&mut client, WARM_UP, plan.time, plan, &audience).await?;
    let sent = acknowledged.len();
    let pace = sent as f64 / start.elapsed().as_secs_f64();
    audience.wait((sent * plan.watchers) as u64).await;
    let (cpu, elapsed) = (system.cpu()?.since(cpu), start.elapsed().as_secs_f64());
    audience.stop.cancel();
    let (mut took, mut ended) = (Samples::default(), 0);
    while let Some(watched) = watchers.join_next().await {
        let watched = watched.context("a watcher panicked")??;
        ended += usize::from(watched.ended);
        for value in watched.took {
            took.push(value);
        }
    }
    figures.add("watch, changes", "1/s", pace);
    figures.add("watch, ended by the server", "watches", ended as f64);
    if took.is_empty() {
        figures.add("watch, events seen", "%", 0.0);
        return Ok(());
    }
    let seen = took.len() as f64;
    figures.add("watch, P50", "ms", took.quantile(0.5)?);
    figures.add("watch, P99", "ms", took.quantile(0.99)?);
    figures.add("watch, longest", "ms", took.quantile(1.0)?);
    figures.add(
        "watch, change acknowledged, P99",
        "ms",
        acknowledged.quantile(0.99)?,
    );
    let expected = (sent * plan.watchers) as f64;
    figures.add("watch, events seen", "%", seen * 100.0 / expected);
    let cost = |seconds: f64| seconds * 1e6 / seen;
    figures.add(
        "watch, CPU of server and store",
        "µs each",
        cost(cpu.server + cpu.backing),
    );
    figures.add("watch, CPU of the load", "µs each", cost(cpu.load));
    let busy = (cpu.server + cpu.backing + cpu.load) / elapsed;
    figures.add("watch, busy processors", "cores", busy);
    Ok(())
}

fn object(number: usize) -> String {
    format!("watched-{}", number % OBJECTS)
}

/// Opens watches of all watched objects, from now on.
async fn open(
    system: &System,
    count: usize,
    audience: &Arc<Audience>,
) -> Result<JoinSet<Result<Watched>>> {
    let mut watchers = JoinSet::new();
    let mut client = Client::connect(system.access()?).await?;
    let list = client.fetch(Call::get(collection(WATCHED))).await?;
    let from = list_revision(&list)?;
    let path = format!("{}?watch=1&resourceVersion={from}", collection(WATCHED));
    for number in 0..count {
        if number > 0 && number % PER_CONNECTION == 0 {
            client = Client::connect(system.access()?).await?;
        }
        let answer = client.open(Call::get(path.clone()), &[]).await?;
        if !answer.status().is_success() {
            bail!("a watch: {}", complaint(answer).await);
        }
        watchers.spawn(watch(answer.into_body(), audience.clone()));
    }
    Ok(watchers)
}

async fn watch(mut body: Incoming, audience: Arc<Audience>) -> Result<Watched> {
    let (mut times, mut took) = (Times::default(), Vec::new());
    while let Some(frame) = audience.stop.run_until_cancelled(body.frame()).await {
        let Some(frame) = frame else {
            return Ok(Watched { took, ended: true });
        };
        let frame = frame.context("a watch broke off")?;
        let (now, from) = (audience.now(), audience.from.load(Ordering::Relaxed));
        let known = took.len();
        let piece = frame.data_ref().map_or(&[][..], |data| &data[..]);
        times.find(piece, |sent| {
            if sent >= from {
                took.push(now.saturating_sub(sent) as f64 / 1e3);
            }
        });
        let new = (took.len() - known) as u64;
        audience.seen.fetch_add(new, Ordering::Relaxed);
        audience.pieces.fetch_add(1, Ordering::Relaxed);
    }
    Ok(Watched { took, ended: false })
}

/// Sends changes at the plan's pace without waiting for answers, and returns how long those took, in milliseconds.
async fn write(
    client: &mut Client,
    skip: Duration,
    time: Duration,
    plan: Plan,
    audience: &Arc<Audience>,
) -> Result<Samples> {
    let first = (skip.as_secs_f64() * plan.events as f64) as usize;
    let count = (time.as_secs_f64() * plan.events as f64) as usize;
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(plan.events)?);
    let mut answers = JoinSet::new();
    for number in first..first + count {
        ticks.tick().await;
        let (mut client, audience) = (client.clone(), audience.clone());
        answers.spawn(async move {
            let name = object(number);
            let sent = Instant::now();
            let body = timed(&name, audience.now());
            let call = Call::new(Method::PUT, path(WATCHED, &name));
            client.call(call.with(body)).await?;
            anyhow::Ok(sent.elapsed().as_secs_f64() * 1e3)
        });
    }
    let mut took = Samples::default();
    while let Some(answer) = answers.join_next().await {
        took.push(answer.context("a writer panicked")??);
    }
    Ok(took)
}
