//! What is put onto the hub before anything is measured.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, PostParams};
use serde_json::{Value, json};

use crate::world::{
    CELLS, PATIENCE, World, federated_deployments, federated_foos, kind, remote_status,
};

/// Federated objects that changes take turns over.
pub(crate) const OBJECTS: usize = 8;
/// The newcomer's example, as in the walk through the examples.
const EXAMPLES: [&str; 2] = [
    include_str!("../../../../examples/foo-01.yaml"),
    include_str!("../../../../examples/foo-02.yaml"),
];
const DEPLOYMENTS: &str = include_str!("../../../../examples/types/deployments.yaml");
/// Between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(50);

/// The name of the object whose turn it is.
pub(crate) fn name(turn: usize) -> String {
    format!("bench-{}", turn % OBJECTS)
}

/// Applies the two example Foos and waits until each cell's status is back.
pub(crate) async fn apply_examples(world: &World) -> Result<()> {
    let api = world.on_hub(&federated_foos());
    for example in EXAMPLES {
        let object: Value = serde_saphyr::from_str(example).context("read an example")?;
        create(&api, object).await?;
    }
    for name in ["foo-01", "foo-02"] {
        let everywhere = |object: &DynamicObject| {
            CELLS
                .iter()
                .all(|(cell, _)| remote_status(object, cell).is_some())
        };
        wait(&api, name, everywhere).await?;
    }
    Ok(())
}

/// Makes the Foos that changes take turns over, in all cells, and waits until each cell's status is back.
pub(crate) async fn make_foos(world: &World) -> Result<()> {
    let api = world.on_hub(&federated_foos());
    for turn in 0..OBJECTS {
        let template = json!({"spec": {"name": "nobody"}});
        create(&api, federated(&federated_foos(), &name(turn), &template)).await?;
    }
    for turn in 0..OBJECTS {
        let everywhere = |object: &DynamicObject| {
            CELLS
                .iter()
                .all(|(cell, _)| remote_status(object, cell).is_some())
        };
        wait(&api, &name(turn), everywhere).await?;
    }
    Ok(())
}

/// Enables Deployments, makes as many of them, and waits until they are in all cells. Members of the playground run no
/// Deployment controller, so nobody else writes their status.
pub(crate) async fn make_deployments(world: &World) -> Result<()> {
    let types = kind(
        "core.kubefed.io",
        "v1beta1",
        "FederatedTypeConfig",
        "federatedtypeconfigs",
    );
    let types: Api<DynamicObject> =
        Api::namespaced_with(world.hub_client.clone(), "kube-federation-system", &types);
    let deployments: Value = serde_saphyr::from_str(DEPLOYMENTS).context("read the type")?;
    create(&types, deployments).await?;
    wait(&types, "deployments.apps", |config| {
        config.data["status"]["propagationController"] == "Running"
    })
    .await?;
    let api = world.on_hub(&federated_deployments());
    let labels = json!({"app": "bench"});
    let template = json!({
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "main:1"}]},
            },
        },
    });
    for turn in 0..OBJECTS {
        create(
            &api,
            federated(&federated_deployments(), &name(turn), &template),
        )
        .await?;
    }
    for turn in 0..OBJECTS {
        wait(&api, &name(turn), |object| {
            let entries = object.data["status"]["topologies"].as_array();
            entries.is_some_and(|entries| entries.len() == CELLS.len())
        })
        .await?;
    }
    Ok(())
}

fn federated(kind: &ApiResource, name: &str, template: &Value) -> Value {
    let topologies: Vec<Value> = CELLS
        .iter()
        .map(|(cell, _)| json!({"name": cell}))
        .collect();
    json!({
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name},
        "spec": {
            "topologyType": "cell",
            "placement": {"topologies": topologies},
            "template": template,
        },
    })
}

async fn create(api: &Api<DynamicObject>, object: Value) -> Result<()> {
    let object = serde_json::from_value(object).context("an object to create")?;
    api.create(&PostParams::default(), &object)
        .await
        .context("create")?;
    Ok(())
}

/// Reads an object until `is_so` holds.
async fn wait(
    api: &Api<DynamicObject>,
    name: &str,
    is_so: impl Fn(&DynamicObject) -> bool,
) -> Result<()> {
    let before = Instant::now();
    loop {
        let object = api.get(name).await.with_context(|| format!("get {name}"))?;
        if is_so(&object) {
            return Ok(());
        }
        ensure!(
            before.elapsed() < PATIENCE,
            "{name} does not get there; its status is {}",
            object.data["status"]
        );
        tokio::time::sleep(LOOK).await;
    }
}
