//! From a change of a template on the hub to the member objects.

use std::time::Instant;

use anyhow::{Context, Result};
use bench::Samples;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::objects::name;
use crate::world::{CELLS, GAP, PATIENCE, Place, World, federated_foos, foos, member_namespace};

/// Milliseconds from just before the change was sent.
#[derive(Default)]
pub(crate) struct Release {
    /// Until the hub's own watch had it.
    pub(crate) hub: Samples,
    /// Until a member's watch had it: each cell of each change.
    pub(crate) each: Samples,
    /// Until all members' watches had it.
    pub(crate) all: Samples,
}

/// Changes the template of one Foo after the other.
pub(crate) async fn measure(world: &World, count: usize, release: &mut Release) -> Result<()> {
    let api = world.on_hub(&federated_foos());
    let mut sightings = world.watch(&federated_foos(), &foos()).await?;
    for turn in 0..count {
        let (name, wanted) = (name(turn), format!("friend-{turn}"));
        let patch = Patch::Merge(json!({"spec": {"template": {"spec": {"name": wanted}}}}));
        let before = Instant::now();
        api.patch(&name, &PatchParams::default(), &patch)
            .await
            .with_context(|| format!("change {name}"))?;
        let mut awaited: Vec<String> = CELLS
            .iter()
            .map(|(cell, _)| member_namespace(cell))
            .collect();
        let mut on_hub = false;
        while !on_hub || !awaited.is_empty() {
            let sighting = sightings.next(PATIENCE).await?;
            let meta = &sighting.object.metadata;
            if meta.name.as_ref() != Some(&name) {
                continue;
            }
            let milliseconds = sighting.at.duration_since(before).as_secs_f64() * 1e3;
            let data = &sighting.object.data;
            match sighting.place {
                Place::Hub if !on_hub && data["spec"]["template"]["spec"]["name"] == *wanted => {
                    on_hub = true;
                    release.hub.push(milliseconds);
                }
                Place::Member if data["spec"]["name"] == *wanted => {
                    let held = awaited.len();
                    awaited.retain(|namespace| Some(namespace) != meta.namespace.as_ref());
                    if awaited.len() < held {
                        release.each.push(milliseconds);
                        if awaited.is_empty() {
                            release.all.push(milliseconds);
                        }
                    }
                }
                Place::Hub | Place::Member => {}
            }
        }
        tokio::time::sleep(GAP).await;
    }
    Ok(())
}
