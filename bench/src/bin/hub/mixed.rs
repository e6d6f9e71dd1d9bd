//! Everything at once: readers, writers, lists and watches.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bench::Samples;
use http::Method;
use tokio::task::JoinSet;

use crate::client::{Call, Client};
use crate::figures::Figures;
use crate::objects::{Bodies, LOAD, collection, path};
use crate::system::System;
use crate::writes::{MANY, kept};

/// What each client does, over and over: mostly reads, as controllers and people do.
const TURN: [Act; 10] = [
    Act::Get,
    Act::Update,
    Act::Get,
    Act::Create,
    Act::Get,
    Act::List,
    Act::Get,
    Act::Update,
    Act::Get,
    Act::Delete,
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Get,
    Update,
    Create,
    Delete,
    List,
}

/// The kinds of requests that figures are about.
const REPORTED: [(&str, &[Act]); 3] = [
    ("get", &[Act::Get]),
    ("write", &[Act::Update, Act::Create, Act::Delete]),
    ("list of 100", &[Act::List]),
];

/// Lets [`MANY`] clients take turns on a namespace with `count` objects.
pub(crate) async fn measure(
    system: &System,
    bodies: &Arc<Bodies>,
    count: usize,
    time: Duration,
    figures: &mut Figures,
) -> Result<()> {
    let clients = Client::several(system.access()?, MANY).await?;
    let (before, start) = (system.cpu()?, Instant::now());
    let mut tasks = JoinSet::new();
    for (number, client) in clients.into_iter().enumerate() {
        tasks.spawn(turns(client, number, bodies.clone(), count, start + time));
    }
    let mut all = Vec::new();
    while let Some(task) = tasks.join_next().await {
        all.extend(task.context("a client panicked")??);
    }
    let elapsed = start.elapsed().as_secs_f64();
    let cpu = system.cpu()?.since(before);
    figures.add("mixed", "1/s", all.len() as f64 / elapsed);
    for (name, acts) in REPORTED {
        let took = all.iter().filter(|(act, _)| acts.contains(act));
        let took = Samples::milliseconds(took.map(|(_, took)| *took));
        figures.add(format!("mixed, {name}, P50"), "ms", took.quantile(0.5)?);
        figures.add(format!("mixed, {name}, P99"), "ms", took.quantile(0.99)?);
    }
    let each = |seconds: f64| seconds * 1e3 / all.len() as f64;
    let cost = each(cpu.server + cpu.backing);
    figures.add("mixed, CPU of server and store", "ms each", cost);
    figures.add("mixed, CPU of the load", "ms each", each(cpu.load));
    Ok(())
}

async fn turns(
    mut client: Client,
    number: usize,
    bodies: Arc<Bodies>,
    count: usize,
    end: Instant,
) -> Result<Vec<(Act, Duration)>> {
    let mut took = Vec::new();
    let mut turn = 0;
    while Instant::now() < end {
        // Each client has a part of the objects to itself.
        let object = kept((number + MANY * turn) % count);
        let own = format!("mixed-{number}");
        for act in TURN {
            let call = match act {
                Act::Get => Call::get(path(LOAD, &object)),
                Act::Update => {
                    let version = turn * TURN.len() + took.len();
                    let body = bodies.object(&object, version);
                    Call::new(Method::PUT, path(LOAD, &object)).with(body)
                }
                Act::Create => {
                    Call::new(Method::POST, collection(LOAD)).with(bodies.object(&own, turn))
                }
                Act::Delete => Call::new(Method::DELETE, path(LOAD, &own)),
                Act::List => Call::get(format!("{}?limit=100", collection(LOAD))),
            };
            let sent = Instant::now();
            client.call(call).await?;
            took.push((act, sent.elapsed()));
        }
        turn += 1;
    }
    Ok(took)
}
