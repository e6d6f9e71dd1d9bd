//! Publishes the CA bundle: to the API servers, in every target, and to the controller, in a ConfigMap.

use std::collections::BTreeMap;

use base64::Engine;
use federation_api::names::{SECRET_CA_KEY, WEBHOOK_CA};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

use super::targets::{Target, Targets};

/// Writes bundles.
pub(super) struct Injector {
    config_maps: Api<ConfigMap>,
    targets: Targets,
}

/// What was published when one looked.
pub(super) struct Published {
    targets: Option<Vec<Target>>,
    config_map: Option<ConfigMap>,
}

impl Injector {
    /// For the ConfigMap of a namespace and these targets.
    pub(super) fn new(client: Client, namespace: &str, targets: Targets) -> Self {
        Self {
            config_maps: Api::namespaced(client, namespace),
            targets,
        }
    }

    /// Looks. To be asked *before* the bundle is read: what is then written on top of what was seen cannot be older.
    ///
    /// # Errors
    /// The API server does not say.
    pub(super) async fn look(&self) -> Result<Published, kube::Error> {
        Ok(Published {
            targets: self.targets.seen(),
            config_map: self.config_maps.get_opt(WEBHOOK_CA).await?,
        })
    }

    /// Writes a bundle (PEM) wherever it is missing.
    ///
    /// # Errors
    /// The first refusal; the other places were tried all the same.
    pub(super) async fn publish(&self, seen: &Published, bundle: &str) -> Result<(), kube::Error> {
        let mut outcome = self.write_config_map(seen, bundle).await;
        let encoded = encode(bundle);
        for target in seen.targets.iter().flatten() {
            outcome = outcome.and(self.targets.inject(target, &encoded).await);
        }
        outcome
    }

    async fn write_config_map(&self, seen: &Published, bundle: &str) -> Result<(), kube::Error> {
        if seen.config_map_holds(bundle) {
            return Ok(());
        }
        let data = BTreeMap::from([(SECRET_CA_KEY.to_owned(), bundle.to_owned())]);
        let params = PostParams::default();
        let written = match &seen.config_map {
            None => {
                let config_map = ConfigMap {
                    metadata: ObjectMeta {
                        name: Some(WEBHOOK_CA.to_owned()),
                        ..ObjectMeta::default()
                    },
                    data: Some(data),
                    ..ConfigMap::default()
                };
                self.config_maps.create(&params, &config_map).await
            }
            Some(stored) => {
                let config_map = ConfigMap {
                    data: Some(data),
                    ..stored.clone()
                };
                self.config_maps
                    .replace(WEBHOOK_CA, &params, &config_map)
                    .await
            }
        };
        match written {
            // Another replica was faster; the next turn sees what it wrote.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            other => other.map(|_| ()),
        }
    }
}

impl Published {
    /// Does every place hold the bundle?
    pub(super) fn is_complete(&self, bundle: &str) -> bool {
        let encoded = encode(bundle);
        self.config_map_holds(bundle)
            && self
                .targets
                .as_ref()
                .is_some_and(|targets| targets.iter().all(|target| target.holds(&encoded)))
    }

    fn config_map_holds(&self, bundle: &str) -> bool {
        self.config_map
            .as_ref()
            .and_then(|stored| stored.data.as_ref()?.get(SECRET_CA_KEY))
            .is_some_and(|held| held == bundle)
    }
}

fn encode(bundle: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(bundle)
}
