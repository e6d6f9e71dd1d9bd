//! Create, update and delete, at several numbers of clients; and filling a store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use http::Method;

use crate::client::{Call, Client};
use crate::crowd::{Done, crowd};
use crate::figures::Figures;
use crate::objects::{Bodies, LOAD, collection, namespace, path};
use crate::system::{Cpu, System};

/// Clients at once; the last number is the one that most is measured with.
const CLIENTS: [usize; 3] = [1, 8, MANY];
pub(crate) const MANY: usize = 32;

/// Makes a namespace.
pub(crate) async fn make_namespace(client: &mut Client, name: &str) -> Result<()> {
    let call = Call::new(Method::POST, "/api/v1/namespaces").with(namespace(name));
    client.call(call).await?;
    Ok(())
}

/// Writes for some time at each number of clients; deletes what was written.
pub(crate) async fn measure(
    system: &System,
    bodies: &Arc<Bodies>,
    time: Duration,
    figures: &mut Figures,
) -> Result<()> {
    let mut created = Vec::new();
    for count in CLIENTS {
        let clients = Client::several(system.access()?, count).await?;
        let (done, cpu) = with_cpu(system, create(&clients, bodies, count, time)).await?;
        figures.crowd(&format!("create, {}", people(count)), &done, cpu)?;
        created.push(done.each);
    }
    let last = created.last().context("there are numbers of clients")?;
    let clients = Client::several(system.access()?, MANY).await?;
    let updates = update(&clients, bodies, last.clone(), time);
    let (done, cpu) = with_cpu(system, updates).await?;
    figures.crowd(&format!("update, {}", people(MANY)), &done, cpu)?;
    let deletes = delete(&clients, created);
    let (done, cpu) = with_cpu(system, deletes).await?;
    figures.crowd(&format!("delete, {}", people(MANY)), &done, cpu)
}

fn people(count: usize) -> String {
    match count {
        1 => "1 client".to_owned(),
        _ => format!("{count} clients"),
    }
}

/// What was done, and what it cost.
pub(crate) async fn with_cpu(
    system: &System,
    work: impl Future<Output = Result<Done>>,
) -> Result<(Done, Cpu)> {
    let before = system.cpu()?;
    let done = work.await?;
    Ok((done, system.cpu()?.since(before)))
}

fn name(stage: usize, client: usize, number: usize) -> String {
    format!("w{stage}-{client}-{number}")
}

async fn create(
    clients: &[Client],
    bodies: &Arc<Bodies>,
    stage: usize,
    time: Duration,
) -> Result<Done> {
    let bodies = bodies.clone();
    let make = move |client, number| {
        let body = bodies.object(&name(stage, client, number), 0);
        Some(Call::new(Method::POST, collection(LOAD)).with(body))
    };
    crowd(clients, Some(time), make).await
}

/// Every client goes round the objects that it has made.
async fn update(
    clients: &[Client],
    bodies: &Arc<Bodies>,
    made: Vec<usize>,
    time: Duration,
) -> Result<Done> {
    let bodies = bodies.clone();
    let make = move |client: usize, number: usize| {
        let name = name(MANY, client, number % made[client].max(1));
        let body = bodies.object(&name, number + 1);
        Some(Call::new(Method::PUT, path(LOAD, &name)).with(body))
    };
    crowd(clients, Some(time), make).await
}

/// Deletes all that [`create`] has made, in the order in which it was made.
async fn delete(clients: &[Client], made: Vec<Vec<usize>>) -> Result<Done> {
    let mut names = Vec::new();
    for (stage, made) in CLIENTS.into_iter().zip(&made) {
        for (client, count) in made.iter().enumerate() {
            names.extend((0..*count).map(|number| name(stage, client, number)));
        }
    }
    let next = AtomicUsize::new(0);
    let make = move |_, _| {
        let name = names.get(next.fetch_add(1, Ordering::Relaxed))?;
        Some(Call::new(Method::DELETE, path(LOAD, name)))
    };
    crowd(clients, None, make).await
}

/// Fills an empty namespace with objects.
pub(crate) async fn fill(system: &System, bodies: &Arc<Bodies>, count: usize) -> Result<Done> {
    let clients = Client::several(system.access()?, MANY).await?;
    let (bodies, next) = (bodies.clone(), AtomicUsize::new(0));
    let make = move |_, _| {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let body = (number < count).then(|| bodies.object(&kept(number), 0))?;
        Some(Call::new(Method::POST, collection(LOAD)).with(body))
    };
    crowd(&clients, None, make).await
}

/// The name of an object of [`fill`].
pub(crate) fn kept(number: usize) -> String {
    format!("kept-{number:06}")
}
