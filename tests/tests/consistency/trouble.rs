//! What is done to hubs and databases while clients work.

use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use federation_tests::Moments;

use crate::cluster::Cluster;

/// A hub that is not ready after this will never be.
const PATIENCE: Duration = Duration::from_secs(90);

/// Writes between two pieces of trouble.
const STEP: usize = 6;
/// The last piece may well keep everybody from working: then the next one comes all the same.
const STEP_PATIENCE: Duration = Duration::from_secs(4);

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    pub(crate) kills: usize,
    /// Of these, how many met a hub that was still starting.
    early: usize,
    pauses: usize,
    restarts: usize,
    cuts: usize,
}

impl fmt::Display for Done {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kills,
            early,
            pauses,
            restarts,
            cuts,
        } = self;
        write!(
            out,
            "{kills} kills ({early} of them during a start), {pauses} hubs stopped for a second, \
             {restarts} database servers killed, connections cut {cuts} times"
        )
    }
}

/// Kills hubs until there were `kills`, with everything else in between; at the end all are running. `progress` counts what the
/// clients get done.
pub(crate) fn make(
    cluster: &mut Cluster,
    moments: &mut Moments,
    kills: usize,
    progress: &dyn Fn() -> usize,
) -> Done {
    let mut done = Done::default();
    while done.kills < kills {
        some_hub_serves(cluster);
        something_is_done(progress);
        sleep(Duration::from_millis(moments.next(900)));
        match moments.next(16) {
            0 | 1 if cluster.restart_database() => done.restarts += 1,
            2..=4 if cluster.cut_connections() => done.cuts += 1,
            5 => {
                let hub = pick(cluster, moments);
                cluster.hubs[hub].signal("STOP");
                sleep(Duration::from_secs(1));
                cluster.hubs[hub].signal("CONT");
                done.pauses += 1;
            }
            _ => {
                let hub = pick(cluster, moments);
                done.early += usize::from(!cluster.hubs[hub].is_ready());
                cluster.hubs[hub].kill_9();
                done.kills += 1;
                sleep(Duration::from_millis(moments.next(200)));
                cluster.hubs[hub].begin();
            }
        }
    }
    let begun = Instant::now();
    while !cluster.hubs.iter().all(|hub| hub.is_ready()) {
        still_running(cluster);
        assert!(begun.elapsed() < PATIENCE, "a hub does not get ready");
        sleep(Duration::from_millis(50));
    }
    done
}

fn pick(cluster: &Cluster, moments: &mut Moments) -> usize {
    let places: Vec<usize> = (0..cluster.hubs.len()).collect();
    *moments.pick(&places)
}

/// Waits, but not for ever, until clients got something done: a busy machine must not make a run without contents.
fn something_is_done(progress: &dyn Fn() -> usize) {
    let (begun, before) = (Instant::now(), progress());
    while progress() < before + STEP && begun.elapsed() < STEP_PATIENCE {
        sleep(Duration::from_millis(10));
    }
}

/// Waits until there is a hub that clients can reach.
fn some_hub_serves(cluster: &mut Cluster) {
    let begun = Instant::now();
    while !cluster.hubs.iter().any(|hub| hub.is_ready()) {
        still_running(cluster);
        assert!(begun.elapsed() < PATIENCE, "no hub gets ready");
        sleep(Duration::from_millis(20));
    }
}

/// A hub that ends by itself, because its database was away when it started, is started again, as its supervisor would.
fn still_running(cluster: &mut Cluster) {
    for hub in &mut cluster.hubs {
        if let Some(how) = hub.ended() {
            println!("a hub ended: {}", how.lines().last().unwrap_or_default());
            hub.begin();
        }
    }
}
