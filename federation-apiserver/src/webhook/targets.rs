//! Where API servers look for the CA of the webhook.

use std::sync::Arc;

use federation_api::labels::{INJECT_CA, INJECT_CA_WEBHOOK};
use kube::api::{DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::watched::{Watched, watch};

/// Who writes, in `managedFields`.
const MANAGER: &str = "koinon-webhook";

/// Definitions and webhook configurations that carry our label.
pub(super) struct Targets {
    client: Client,
    kinds: Vec<(ApiResource, Watched<DynamicObject>)>,
}

/// A target as it was seen.
pub(super) struct Target {
    resource: ApiResource,
    object: Arc<DynamicObject>,
}

impl Targets {
    /// Follows them; the work runs until dropped.
    pub(super) fn follow(
        client: &Client,
        changed: &Arc<Notify>,
    ) -> (Self, Vec<impl Future<Output = ()> + Send + use<>>) {
        let kinds = [
            ("apiextensions.k8s.io", "CustomResourceDefinition"),
            (
                "admissionregistration.k8s.io",
                "ValidatingWebhookConfiguration",
            ),
            (
                "admissionregistration.k8s.io",
                "MutatingWebhookConfiguration",
            ),
        ];
        let config = watcher::Config::default().labels(&format!("{INJECT_CA}={INJECT_CA_WEBHOOK}"));
        let (kinds, work) = kinds
            .into_iter()
            .map(|(group, kind)| {
                let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
                let api = Api::all_with(client.clone(), &resource);
                let (watched, work) = watch(api, config.clone(), resource.clone(), changed.clone());
                ((resource, watched), work)
            })
            .unzip();
        let client = client.clone();
        (Self { client, kinds }, work)
    }

    /// All targets as they are known; `None` if not all kinds of them were seen yet.
    pub(super) fn seen(&self) -> Option<Vec<Target>> {
        if !self.kinds.iter().all(|(_, watched)| watched.is_synced()) {
            return None;
        }
        let of = |(resource, watched): &(ApiResource, Watched<DynamicObject>)| {
            let resource = resource.clone();
            watched.all().into_iter().map(move |object| Target {
                resource: resource.clone(),
                object,
            })
        };
        Some(self.kinds.iter().flat_map(of).collect())
    }

    /// Writes a bundle into a target, if the target still is what was seen and lacks it.
    ///
    /// # Errors
    /// The API server refuses. That somebody else was faster is none: the watch will tell.
    pub(super) async fn inject(&self, target: &Target, bundle: &str) -> Result<(), kube::Error> {
        let Some(wanted) = target.with(bundle) else {
            return Ok(());
        };
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &target.resource);
        let params = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        match api.replace(&wanted.name_any(), &params, &wanted).await {
            Ok(_) => {
                tracing::info!(
                    kind = target.resource.kind,
                    name = wanted.name_any(),
                    "CA written"
                );
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.code == 409 || status.code == 404 => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Target {
    /// Does every place of it hold the bundle (base64)?
    pub(super) fn holds(&self, bundle: &str) -> bool {
        self.with(bundle).is_none()
    }

    /// The object with the bundle in every place; `None` if it is there already.
    fn with(&self, bundle: &str) -> Option<DynamicObject> {
        let mut object = DynamicObject::clone(&self.object);
        let mut changed = false;
        for config in client_configs(&mut object.data) {
            if config["caBundle"] != bundle {
                config["caBundle"] = json!(bundle);
                changed = true;
            }
        }
        // A watch gives them without.
        object.types.get_or_insert_with(|| kube::core::TypeMeta {
            api_version: self.resource.api_version.clone(),
            kind: self.resource.kind.clone(),
        });
        changed.then_some(object)
    }
}

/// The `clientConfig`s of a definition or a webhook configuration.
fn client_configs(object: &mut Value) -> Vec<&mut Value> {
    if object.get("webhooks").is_some() {
        return object["webhooks"]
            .as_array_mut()
            .into_iter()
            .flatten()
            .filter_map(|webhook| webhook.get_mut("clientConfig"))
            .collect();
    }
    object
        .pointer_mut("/spec/conversion/webhook/clientConfig")
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(value: Value) -> Target {
        Target {
            resource: ApiResource::from_gvk(&GroupVersionKind::gvk("g", "v1", "K")),
            object: Arc::new(serde_json::from_value(value).unwrap()),
        }
    }

    #[test]
    fn every_place_gets_the_bundle_and_only_once() {
        let configuration = target(json!({"metadata": {"name": "a", "resourceVersion": "7"},
            "webhooks": [{"clientConfig": {"url": "https://a"}}, {"clientConfig": {"caBundle": "x"}}]}));
        let written = configuration.with("b64").unwrap();
        assert_eq!(
            written.data["webhooks"],
            json!([{"clientConfig": {"url": "https://a", "caBundle": "b64"}}, {"clientConfig": {"caBundle": "b64"}}])
        );
        assert_eq!(written.metadata.resource_version.as_deref(), Some("7"));
        assert!(target(serde_json::to_value(&written).unwrap()).holds("b64"));
        let definition = target(json!({"metadata": {"name": "a"}, "spec": {"conversion":
            {"strategy": "Webhook", "webhook": {"clientConfig": {"url": "https://a"}}}}}));
        assert!(!definition.holds("b64"));
        let other = target(
            json!({"metadata": {"name": "a"}, "spec": {"conversion": {"strategy": "None"}}}),
        );
        assert!(other.holds("b64"), "nothing to write");
    }
}
