//! `fedctl federate`: a federated object from an ordinary one.

use anyhow::{Context, bail};
use kube::api::{Api, DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Map, Value, json};

use crate::cli::{Federate, Global};
use crate::hub::{self, Hub};
use crate::{print, resolve};

/// Makes (or with `--dry-run` prints) the federated object.
pub(crate) async fn federate(global: &Global, args: &Federate) -> anyhow::Result<()> {
    let hub = Hub::connect(global).await?;
    let config = resolve::type_config(&hub, &args.target).await?;
    let target = &config.spec.target_type;
    let source_client = match &args.from_kubeconfig {
        None => hub.hub_client.clone(),
        Some(file) => kube::Client::try_from(hub::load(Some(file), None, false).await?)
            .context("cannot use the kubeconfig to read the object from")?,
    };
    let resource = ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk(
            target.group.as_deref().unwrap_or_default(),
            &target.version,
            &target.kind,
        ),
        &target.plural_name,
    );
    let sources: Api<DynamicObject> = if target.is_namespaced() {
        Api::namespaced_with(source_client, &hub.namespace, &resource)
    } else {
        Api::all_with(source_client, &resource)
    };
    let source = sources
        .get(&args.name)
        .await
        .with_context(|| format!("cannot read {} \"{}\"", target.kind, args.name))?;
    let source = serde_json::to_value(&source).context("cannot read the object")?;
    let federated = resolve::northbound(&config);
    let mut object = json!({
        "apiVersion": federated.api_version,
        "kind": federated.kind,
        "metadata": {"name": args.name},
        "spec": spec(args, template(&source))?,
    });
    if config.federated_is_namespaced() {
        object["metadata"]["namespace"] = json!(hub.namespace);
    }
    if args.dry_run {
        if !print::object(global.output, &object)? {
            out!(
                "{}",
                serde_saphyr::to_string(&object).context("cannot print as YAML")?
            );
        }
        return Ok(());
    }
    let object: DynamicObject =
        serde_json::from_value(object).context("cannot make the federated object")?;
    let made = resolve::objects(&hub, &config, false)
        .create(&PostParams::default(), &object)
        .await
        .with_context(|| format!("cannot create {} \"{}\"", federated.kind, args.name))?;
    if !print::object(global.output, &made)? {
        outln!("{}/{} created", federated.kind.to_lowercase(), args.name);
    }
    Ok(())
}

fn spec(args: &Federate, template: Value) -> anyhow::Result<Value> {
    let entries = |names: &[String]| -> Vec<Value> {
        names.iter().map(|name| json!({"name": name})).collect()
    };
    let (topology_type, placement) = match (args.cells.is_empty(), args.clusters.is_empty()) {
        (false, true) => ("cell", json!({"topologies": entries(&args.cells)})),
        (true, false) => ("cluster", json!({"topologies": entries(&args.clusters)})),
        _ => bail!("say where it goes: --cells rz00a,rz01a or --clusters hz-1"),
    };
    Ok(json!({"topologyType": topology_type, "placement": placement, "template": template}))
}

/// What of a live object is intent, as `kubefedctl federate` keeps it: no status, of the metadata only labels, and
/// nothing that the cluster allocated.
fn template(source: &Value) -> Value {
    let mut body: Map<String, Value> = source.as_object().cloned().unwrap_or_default();
    let kind = body.remove("kind");
    body.remove("apiVersion");
    body.remove("status");
    let metadata = body.remove("metadata");
    if let Some(labels) = metadata
        .as_ref()
        .and_then(|m| m.get("labels"))
        .filter(|l| !l.is_null())
    {
        body.insert("metadata".to_owned(), json!({"labels": labels}));
    }
    match kind.as_ref().and_then(Value::as_str) {
        Some("Service") => {
            if let Some(spec) = body.get_mut("spec").and_then(Value::as_object_mut) {
                for field in ["clusterIP", "clusterIPs", "healthCheckNodePort"] {
                    spec.remove(field);
                }
                let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
                for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
                    port.remove("nodePort");
                }
            }
        }
        Some("ServiceAccount") => {
            body.remove("secrets");
        }
        Some("Namespace") => {
            body.remove("spec");
        }
        _ => {}
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_holds_intent_only() {
        let live = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "s", "uid": "u", "labels": {"a": "b"}, "annotations": {"x": "y"}},
            "spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": [{"port": 80, "nodePort": 30000}]},
            "status": {"loadBalancer": {}},
        });
        assert_eq!(
            template(&live),
            json!({"metadata": {"labels": {"a": "b"}}, "spec": {"ports": [{"port": 80}]}})
        );
    }
}
