//! From a change of a member object's status to the status of the hub object.

use std::time::Instant;

use anyhow::{Context, Result};
use bench::Samples;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::objects::{OBJECTS, name};
use crate::world::{
    CELLS, GAP, PATIENCE, Place, World, deployments, federated_deployments, member_namespace,
    remote_status,
};

/// Milliseconds from just before the change was sent.
#[derive(Default)]
pub(crate) struct Status {
    /// Until the member's own watch had it.
    pub(crate) member: Samples,
    /// Until the hub's watch had it.
    pub(crate) hub: Samples,
}

/// Writes the status of one Deployment after the other, taking turns over cells.
pub(crate) async fn measure(world: &World, count: usize, status: &mut Status) -> Result<()> {
    let mut sightings = world
        .watch(&federated_deployments(), &deployments())
        .await?;
    for turn in 0..count {
        let (name, (cell, _)) = (name(turn), CELLS[turn / OBJECTS % CELLS.len()]);
        let api = world.in_cell(cell, &deployments())?;
        let wanted = turn + 1;
        let patch = Patch::Merge(json!({"status": {"replicas": wanted}}));
        let before = Instant::now();
        api.patch_status(&name, &PatchParams::default(), &patch)
            .await
            .with_context(|| format!("write the status of {name} in {cell}"))?;
        let namespace = member_namespace(cell);
        let (mut in_member, mut on_hub) = (false, false);
        while !in_member || !on_hub {
            let sighting = sightings.next(PATIENCE).await?;
            let (object, meta) = (&sighting.object, &sighting.object.metadata);
            if meta.name.as_ref() != Some(&name) {
                continue;
            }
            let milliseconds = sighting.at.duration_since(before).as_secs_f64() * 1e3;
            match sighting.place {
                Place::Member
                    if !in_member
                        && meta.namespace.as_ref() == Some(&namespace)
                        && object.data["status"]["replicas"] == wanted =>
                {
                    in_member = true;
                    status.member.push(milliseconds);
                }
                Place::Hub
                    if !on_hub
                        && remote_status(object, cell)
                            .is_some_and(|remote| remote["replicas"] == wanted) =>
                {
                    on_hub = true;
                    status.hub.push(milliseconds);
                }
                Place::Hub | Place::Member => {}
            }
        }
        tokio::time::sleep(GAP).await;
    }
    Ok(())
}
