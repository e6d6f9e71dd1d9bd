//! From what a file says to providers that work.

use std::sync::Arc;

use apiserver_store::{KmsProvider, Provider, SealRules};

use super::EncryptionError;
use super::document::{Document, Spec};

/// Starts the plugins that a document names, except for those that run already with the same settings, whose seeds are kept.
pub(super) async fn build(
    document: Document,
    running: &[Arc<KmsProvider>],
) -> Result<SealRules, EncryptionError> {
    let mut rules = SealRules::none();
    for rule in document.rules {
        let mut providers = Vec::with_capacity(rule.providers.len());
        for spec in rule.providers {
            providers.push(match spec {
                Spec::Identity => Provider::Identity,
                Spec::Keys(keys) => Provider::Keys(Arc::new(keys)),
                Spec::Kms(options) => {
                    match running.iter().find(|plugin| *plugin.options() == options) {
                        Some(plugin) => Provider::Kms(plugin.clone()),
                        None => {
                            let name = options.name.clone();
                            let started = KmsProvider::start(options).await;
                            let plugin = started
                                .map_err(|source| EncryptionError::Plugin { name, source })?;
                            Provider::Kms(Arc::new(plugin))
                        }
                    }
                }
            });
        }
        for pattern in rule.patterns {
            rules.add(pattern, &providers);
        }
    }
    Ok(rules)
}
