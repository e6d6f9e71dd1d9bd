//! Which objects are sealed by what.

use std::sync::Arc;

use super::{CipherError, KeyRing, KmsError, KmsProvider};

/// What all sealed values begin with, and no other value may.
pub(super) const SEALED: &[u8] = b"k8s:enc:";

/// Some resources, as [`Key::resource`](crate::Key::resource) names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourcePattern {
    /// One: `/secrets`, `apps/deployments`.
    Resource(String),
    /// All of a group; the core group is empty.
    Group(String),
    /// All.
    All,
}

/// One way to seal and open.
#[derive(Clone, Debug)]
pub enum Provider {
    /// Not at all: values are stored as they are.
    Identity,
    /// With a key that we hold.
    Keys(Arc<KeyRing>),
    /// With a key that a plugin holds.
    Kms(Arc<KmsProvider>),
}

/// Which resources have which providers, as kube-apiserver's `EncryptionConfiguration` says it: the first provider seals, all of them
/// open. What no rule names is not sealed.
#[derive(Clone, Debug, Default)]
pub struct SealRules(Vec<(ResourcePattern, Vec<Provider>)>);

impl SealRules {
    /// No rules: nothing is sealed, and nothing sealed can be read.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds providers for a resource, after those that it has already.
    pub fn add(&mut self, pattern: ResourcePattern, providers: &[Provider]) {
        match self.0.iter_mut().find(|(known, _)| *known == pattern) {
            Some((_, known)) => known.extend_from_slice(providers),
            None => self.0.push((pattern, providers.to_vec())),
        }
    }

    /// The providers of a resource: those of the rule for just this resource, or else for its group, or else for all.
    pub(super) fn providers(&self, resource: &str) -> &[Provider] {
        let group = resource.split_once('/').map_or("", |(group, _)| group);
        let rule = |wanted: &dyn Fn(&ResourcePattern) -> bool| {
            let (_, providers) = self.0.iter().find(|(pattern, _)| wanted(pattern))?;
            Some(providers.as_slice())
        };
        rule(&|pattern| matches!(pattern, ResourcePattern::Resource(name) if name == resource))
            .or_else(|| {
                rule(&|pattern| matches!(pattern, ResourcePattern::Group(name) if name == group))
            })
            .or_else(|| rule(&|pattern| *pattern == ResourcePattern::All))
            .unwrap_or(&[Provider::Identity])
    }

    /// The plugins that are in use, each once.
    pub fn plugins(&self) -> Vec<Arc<KmsProvider>> {
        let mut plugins: Vec<Arc<KmsProvider>> = Vec::new();
        for provider in self.0.iter().flat_map(|(_, providers)| providers) {
            if let Provider::Kms(plugin) = provider
                && !plugins.iter().any(|known| Arc::ptr_eq(known, plugin))
            {
                plugins.push(plugin.clone());
            }
        }
        plugins
    }
}

/// How one provider fared with a value.
pub(super) enum Attempt {
    /// It is not this provider's.
    NotMine,
    /// It is, and this came of it.
    Mine(Result<Vec<u8>, Trouble>),
}

/// Why a provider did not seal or open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// A key of ours.
    #[error(transparent)]
    Cipher(#[from] CipherError),
    /// A plugin.
    #[error("KMS plugin {name:?}: {cause}")]
    Kms {
        /// Which one.
        name: String,
        /// What it said.
        cause: Box<KmsError>,
    },
}

impl Provider {
    /// What to store; `None` for the value as it is.
    pub(super) fn seal(&self, plain: &[u8], path: &[u8]) -> Option<Result<Vec<u8>, Trouble>> {
        match self {
            Self::Identity => None,
            Self::Keys(keys) => Some(keys.seal(plain, path).map_err(Trouble::from)),
            Self::Kms(plugin) => Some(plugin.seal(plain, path).map_err(|e| kms(plugin, e))),
        }
    }

    pub(super) async fn open(&self, stored: &[u8], path: &[u8]) -> Attempt {
        match self {
            Self::Identity => Attempt::NotMine,
            Self::Keys(keys) => match keys.open(stored, path) {
                Some(outcome) => Attempt::Mine(outcome.map_err(Trouble::from)),
                None => Attempt::NotMine,
            },
            Self::Kms(plugin) => match plugin.ours(stored) {
                Some(rest) => {
                    let outcome = plugin.open(rest, path).await;
                    Attempt::Mine(outcome.map_err(|error| kms(plugin, error)))
                }
                None => Attempt::NotMine,
            },
        }
    }

    pub(super) fn is_current(&self, stored: &[u8], path: &[u8]) -> bool {
        match self {
            Self::Identity => !stored.starts_with(SEALED),
            Self::Keys(keys) => keys.is_current(stored, path),
            Self::Kms(plugin) => plugin.is_current(stored),
        }
    }
}

fn kms(plugin: &KmsProvider, error: KmsError) -> Trouble {
    match error {
        KmsError::Cipher(error) => Trouble::Cipher(error),
        cause => Trouble::Kms {
            name: plugin.name().to_owned(),
            cause: Box::new(cause),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::SealKey;

    fn keys(name: &str) -> Provider {
        let ring = KeyRing::aes_gcm(&[SealKey::new(name, vec![0; 32])]).unwrap();
        Provider::Keys(Arc::new(ring))
    }

    fn shown(rules: &SealRules, resource: &str) -> String {
        format!("{:?}", rules.providers(resource))
    }

    #[test]
    fn the_narrowest_rule_counts_and_rules_for_one_resource_add_up() {
        let mut rules = SealRules::none();
        rules.add(
            ResourcePattern::Resource("/events".into()),
            &[Provider::Identity],
        );
        rules.add(ResourcePattern::Resource("/secrets".into()), &[keys("a")]);
        rules.add(ResourcePattern::Resource("/secrets".into()), &[keys("b")]);
        rules.add(ResourcePattern::Group(String::new()), &[keys("core")]);
        rules.add(ResourcePattern::Group("apps".into()), &[keys("apps")]);
        assert_eq!(
            shown(&rules, "/secrets"),
            r#"[Keys(k8s:enc:aesgcm:v1:["a"]), Keys(k8s:enc:aesgcm:v1:["b"])]"#
        );
        assert_eq!(shown(&rules, "/events"), "[Identity]");
        assert!(shown(&rules, "/pods").contains("core"));
        assert!(shown(&rules, "apps/deployments").contains("apps"));
        assert_eq!(shown(&rules, "batch/jobs"), "[Identity]");
        rules.add(ResourcePattern::All, &[keys("rest")]);
        assert!(shown(&rules, "batch/jobs").contains("rest"));
    }
}
