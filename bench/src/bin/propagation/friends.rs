//! What a user of the Foo example sees: a Pod comes or goes in a member, its Foo's operator notices, and the hub says so.

use std::time::Instant;

use anyhow::{Context, Result};
use bench::Samples;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::objects::{OBJECTS, name};
use crate::world::{CELLS, GAP, PATIENCE, Place, World, federated_foos, foos, kind, remote_status};

/// Makes and deletes the friends of one Foo after the other, taking turns over cells. Milliseconds from just before the
/// Pod's request was sent until the hub's watch said that its Foo is happy, or is no longer.
pub(crate) async fn measure(world: &World, count: usize, samples: &mut Samples) -> Result<()> {
    let on_hub = world.on_hub(&federated_foos());
    for turn in 0..OBJECTS {
        let friend = json!({"spec": {"template": {"spec": {"name": name(turn)}}}});
        on_hub
            .patch(&name(turn), &PatchParams::default(), &Patch::Merge(friend))
            .await
            .context("choose a friend")?;
    }
    tokio::time::sleep(GAP * 20).await;
    let pods = kind("", "v1", "Pod", "pods");
    let mut sightings = world.watch(&federated_foos(), &foos()).await?;
    for turn in 0..count {
        let (name, (cell, _)) = (name(turn), CELLS[turn / OBJECTS % CELLS.len()]);
        let wanted = (turn / OBJECTS / CELLS.len()).is_multiple_of(2);
        let api = world.in_cell(cell, &pods)?;
        let before = Instant::now();
        if wanted {
            api.create(&PostParams::default(), &pod(&name)?)
                .await
                .context("make a friend")?;
        } else {
            api.delete(&name, &DeleteParams::default().grace_period(0))
                .await
                .context("delete a friend")?;
        }
        loop {
            let sighting = sightings.next(PATIENCE).await?;
            if sighting.place == Place::Hub
                && sighting.object.metadata.name.as_ref() == Some(&name)
                && remote_status(&sighting.object, cell)
                    .is_some_and(|remote| remote["happy"] == wanted)
            {
                let taken = sighting.at.duration_since(before);
                samples.push(taken.as_secs_f64() * 1e3);
                break;
            }
        }
        tokio::time::sleep(GAP).await;
    }
    Ok(())
}

fn pod(name: &str) -> Result<DynamicObject> {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": "main:1"}]},
    });
    serde_json::from_value(pod).context("a Pod")
}
