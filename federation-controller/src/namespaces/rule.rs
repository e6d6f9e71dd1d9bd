//! The rule of one namespace.

use std::sync::{Arc, RwLock};

use federation_api::federated::southbound::FederatedObject;
use federation_api::kinds::Scope;
use federation_api::names;
use federation_core::field::Path;
use federation_core::member::Member;
use federation_core::placement::{self, NamespaceRule, Topology};

use crate::hub::{JsonObject, ObjectKey, Store};

/// True for namespaces that are never federated (KubeFed).
pub(crate) fn is_system_namespace(name: &str, system_namespace: &str) -> bool {
    name == system_namespace || names::SYSTEM_NAMESPACES.contains(&name)
}

/// The FederatedNamespaces of the hub, while their type is propagated.
#[derive(Default)]
pub(crate) struct FederatedNamespaces {
    objects: RwLock<Option<Arc<Store<JsonObject>>>>,
}

impl FederatedNamespaces {
    /// Called by the propagation of the type `namespaces` when it starts (with its objects) and ends (with `None`).
    pub(crate) fn attach(&self, objects: Option<Arc<Store<JsonObject>>>) {
        *self.objects.write().expect("no holder of this lock panics") = objects;
    }

    /// The rule of a namespace, or `None` if it cannot be told now: then nothing may be concluded from it, least of all
    /// that objects are to be removed. `members` must be limited to the namespace's tenancy.
    pub(crate) fn rule(
        &self,
        namespace: &str,
        scope: Scope,
        members: &[Member],
    ) -> Option<NamespaceRule> {
        let objects = self
            .objects
            .read()
            .expect("no holder of this lock panics")
            .clone();
        let limit = |objects: &Store<JsonObject>| {
            let stored = objects.get(&ObjectKey::new(namespace, namespace))?;
            Some(limited(&stored, members))
        };
        match (scope, objects) {
            (_, Some(objects)) if !objects.is_synced() => None,
            (Scope::Namespaced, objects) => Some(
                objects
                    .and_then(|objects| limit(&objects))
                    .unwrap_or(NamespaceRule::Unrestricted),
            ),
            (Scope::Cluster, None) => None,
            (Scope::Cluster, Some(objects)) => {
                Some(limit(&objects).unwrap_or(NamespaceRule::NotFederated))
            }
        }
    }
}

/// The clusters of one FederatedNamespace. One that cannot be read admits nothing new, which its own status explains.
fn limited(stored: &JsonObject, members: &[Member]) -> NamespaceRule {
    let clusters = FederatedObject::from_value(stored.value())
        .ok()
        .and_then(|object| {
            let path = Path::new("spec").child("placement");
            placement::resolve(
                object.spec.placement.as_ref(),
                &Topology::of(&object),
                members,
                &path,
            )
            .ok()
        })
        .unwrap_or_default();
    NamespaceRule::Limited(clusters)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members() -> Vec<Member> {
        ["hz-1", "sh-1"]
            .map(|name| Member {
                name: name.to_owned(),
                ready: true,
                ..Member::default()
            })
            .to_vec()
    }

    fn attached(synced: bool) -> FederatedNamespaces {
        let store = Store::default();
        let object = json!({
            "apiVersion": "types.kubefed.io/v1beta1",
            "kind": "FederatedNamespace",
            "metadata": {"name": "shop", "namespace": "shop"},
            "spec": {"placement": {"clusters": [{"name": "hz-1"}, {"name": "gone"}]}},
        });
        store.insert(
            ObjectKey::new("shop", "shop"),
            Arc::new(JsonObject::new(object)),
        );
        if synced {
            store.mark_synced();
        }
        let all = FederatedNamespaces::default();
        all.attach(Some(Arc::new(store)));
        all
    }

    #[test]
    fn namespaces_limit_only_when_that_is_known() {
        let limited = NamespaceRule::Limited(["hz-1".to_owned()].into());
        let rule = |all: &FederatedNamespaces, name: &str, scope| all.rule(name, scope, &members());
        let all = attached(true);
        assert_eq!(rule(&all, "shop", Scope::Cluster), Some(limited.clone()));
        assert_eq!(
            rule(&all, "other", Scope::Cluster),
            Some(NamespaceRule::NotFederated)
        );
        assert_eq!(rule(&all, "shop", Scope::Namespaced), Some(limited));
        assert_eq!(
            rule(&all, "other", Scope::Namespaced),
            Some(NamespaceRule::Unrestricted)
        );
        assert_eq!(rule(&attached(false), "shop", Scope::Cluster), None);
        let none = FederatedNamespaces::default();
        assert_eq!(rule(&none, "shop", Scope::Cluster), None);
        assert_eq!(
            rule(&none, "shop", Scope::Namespaced),
            Some(NamespaceRule::Unrestricted)
        );
    }

    #[test]
    fn system_namespaces_are_known() {
        assert!(is_system_namespace("kube-system", "fed"));
        assert!(is_system_namespace("fed", "fed"));
        assert!(!is_system_namespace("bank-prod", "fed"));
    }
}
