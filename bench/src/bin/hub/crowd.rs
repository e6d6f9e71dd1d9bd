//! Many clients that do the same, each one request after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;

use crate::client::{Call, Client};

/// What a crowd did.
#[derive(Default)]
pub(crate) struct Done {
    /// How long each request took, in no order.
    pub(crate) took: Vec<Duration>,
    /// From the first request until the last answer.
    pub(crate) elapsed: Duration,
    /// How many requests each client made.
    pub(crate) each: Vec<usize>,
}

impl Done {
    /// Requests per second.
    pub(crate) fn rate(&self) -> f64 {
        self.took.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// A quantile of the durations, in milliseconds.
    pub(crate) fn quantile(&self, q: f64) -> Result<f64> {
        bench::Samples::milliseconds(self.took.iter().copied()).quantile(q)
    }
}

/// Lets every client make requests, the `n`-th of client `c` being `make(c, n)`, until there is none or `until` is over.
///
/// # Errors
/// Any request fails, or none was made.
pub(crate) async fn crowd(
    clients: &[Client],
    until: Option<Duration>,
    make: impl Fn(usize, usize) -> Option<Call> + Send + Sync + 'static,
) -> Result<Done> {
    let make = Arc::new(make);
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for (number, client) in clients.iter().cloned().enumerate() {
        let (mut client, make) = (client, make.clone());
        tasks.spawn(async move {
            let mut took = Vec::new();
            while until.is_none_or(|until| start.elapsed() < until) {
                let Some(call) = make(number, took.len()) else {
                    break;
                };
                let sent = Instant::now();
                client.call(call).await?;
                took.push(sent.elapsed());
            }
            anyhow::Ok((number, took))
        });
    }
    let mut done = Done {
        each: vec![0; clients.len()],
        ..Done::default()
    };
    while let Some(task) = tasks.join_next().await {
        let (number, took) = task.context("a client panicked")??;
        done.each[number] = took.len();
        done.took.extend(took);
    }
    done.elapsed = start.elapsed();
    ensure!(!done.took.is_empty(), "no request was made");
    Ok(done)
}
