//! The reconciler of type configs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use federation_api::FederatedTypeConfig;
use federation_api::finalizers;
use federation_api::kinds::{ControllerState, FederatedTypeConfigStatus, Scope, Switch};
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::watcher;
use serde_json::json;
use tokio::sync::{Mutex, broadcast};

use super::{definition, facts};
use crate::clients::{Failure, chain, message};
use crate::context::Context;
use crate::hub::{Change, Followed, ObjectKey, Store, follow};
use crate::members::MemberEvent;
use crate::propagation::Propagation;
use crate::work::{Backoff, Next, OwnedTask, Priority, Queue, drive};

/// While nobody knows a type's target, its facts are looked for this often, besides whenever a member becomes ready.
const FACTS_PERIOD: Duration = Duration::from_secs(30);

/// While the webhook has no CA, it is looked for this often.
const AUTHORITY_PERIOD: Duration = Duration::from_secs(1);

/// Runs propagation for every enabled type.
pub(crate) struct TypeController {
    context: Arc<Context>,
    configs: Arc<Store<FederatedTypeConfig>>,
    queue: Queue<String>,
    running: Mutex<HashMap<String, Running>>,
}

struct Running {
    generation: i64,
    task: OwnedTask,
}

/// One reconcile of one type config.
struct TypeScope {
    name: String,
    stored: Arc<FederatedTypeConfig>,
    /// The stored object with KubeFed's defaults.
    config: FederatedTypeConfig,
    runs: bool,
    message: Option<String>,
    next: Next,
}

impl TypeController {
    pub(crate) fn new(context: Arc<Context>) -> Arc<Self> {
        let queue = Queue::new(Backoff::OBJECT, context.env.clone());
        Arc::new(Self {
            context,
            configs: Arc::default(),
            queue,
            running: Mutex::default(),
        })
    }

    /// Runs until dropped. Dropping ends all propagation.
    pub(crate) async fn run(self: Arc<Self>) {
        let followed = Followed {
            api: Api::namespaced(self.context.hub_client.clone(), &self.context.namespace),
            config: watcher::Config::default(),
            store: Arc::clone(&self.configs),
            trim: |_| {},
            env: self.context.env.clone(),
        };
        let queue = self.queue.clone();
        let watched = follow(
            followed,
            move |change| match change {
                Change::Applied { key, .. } | Change::Removed { key, .. } => {
                    queue.add(key.name.clone(), Priority::Edit);
                }
                Change::Synced => {}
            },
            |error| tracing::warn!(error = %chain(error), "watch of type configs interrupted"),
        );
        let reconciled = drive(self.queue.clone(), 4, |name| {
            let this = Arc::clone(&self);
            async move { this.reconcile(&name).await }
        });
        tokio::join!(watched, reconciled, self.follow_members());
    }

    /// A member that becomes ready may know a target that nobody knew.
    async fn follow_members(&self) {
        let mut events = self.context.members.listen();
        loop {
            match events.recv().await {
                Ok(MemberEvent::Ready { .. }) | Err(broadcast::error::RecvError::Lagged(_)) => {
                    for key in self.configs.keys() {
                        self.queue.add(key.name, Priority::Backlog);
                    }
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    async fn reconcile(&self, name: &str) -> Next {
        let key = ObjectKey::new(self.context.namespace.clone(), name);
        let Some(stored) = self.configs.get(&key) else {
            self.stop(name).await;
            return Next::Wait;
        };
        let mut config = FederatedTypeConfig::clone(&stored);
        config.apply_defaults();
        let mut scope = TypeScope {
            name: name.to_owned(),
            stored,
            config,
            runs: false,
            message: None,
            next: Next::Wait,
        };
        if scope.stored.metadata.deletion_timestamp.is_some() {
            return self.finalize(&scope).await;
        }
        if let Err(error) = self.normal(&mut scope).await {
            tracing::warn!(type_config = name, error = %chain(&error), "type config cannot be realised");
            scope.message = Some(message(&error));
            scope.next = Next::Retry;
        }
        if let Err(error) = self.write_status(&scope).await {
            tracing::warn!(type_config = name, error = %chain(&error), "cannot write the status of a type config");
            scope.next = Next::Retry;
        }
        scope.next
    }

    async fn normal(&self, scope: &mut TypeScope) -> Result<(), kube::Error> {
        self.ensure_finalizer(scope).await?;
        self.ensure_definition(scope).await?;
        self.ensure_running(scope).await;
        Ok(())
    }

    async fn ensure_finalizer(&self, scope: &TypeScope) -> Result<(), kube::Error> {
        let mut finalizers = scope.stored.metadata.finalizers.clone().unwrap_or_default();
        if finalizers
            .iter()
            .any(|one| one == finalizers::FEDERATED_TYPE_CONFIG)
        {
            return Ok(());
        }
        finalizers.push(finalizers::FEDERATED_TYPE_CONFIG.to_owned());
        self.write_finalizers(scope, &finalizers).await
    }

    /// The resource version guards against a list that somebody else changed meanwhile.
    async fn write_finalizers(
        &self,
        scope: &TypeScope,
        finalizers: &[String],
    ) -> Result<(), kube::Error> {
        let patch = json!({"metadata": {
            "finalizers": finalizers,
            "resourceVersion": scope.stored.metadata.resource_version,
        }});
        self.api()
            .patch(&scope.name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .map(|_| ())
    }

    async fn ensure_definition(&self, scope: &mut TypeScope) -> Result<(), kube::Error> {
        let context = &self.context;
        let target = &scope.config.spec.target_type;
        let facts = facts::gather(&context.hub_client, &context.members, target).await;
        let place = definition::Place {
            hub_client: &context.hub_client,
            namespace: &context.namespace,
            conversion: &context.conversion,
        };
        let ensured = definition::ensure(&place, &scope.config, facts.as_ref()).await?;
        if ensured == definition::Ensured::NoAuthority {
            scope.message = Some(format!(
                "the conversion webhook has not published its CA in ConfigMap {} yet",
                federation_api::names::WEBHOOK_CA
            ));
            scope.next = Next::After(AUTHORITY_PERIOD);
        } else if facts.is_none() {
            scope.message = Some(format!(
                "no ready member knows {} of {} yet",
                target.kind,
                target.api_version()
            ));
            scope.next = Next::After(FACTS_PERIOD);
        }
        Ok(())
    }

    /// Starts, restarts or stops propagation as the config's present generation asks.
    async fn ensure_running(&self, scope: &mut TypeScope) {
        let settings = &self.context.settings;
        let out_of_scope =
            settings.scope == Scope::Namespaced && !scope.config.federated_is_namespaced();
        if out_of_scope {
            scope.message = Some(
                "cluster-scoped kinds are not propagated by a Namespaced control plane".to_owned(),
            );
        }
        let generation = scope.stored.metadata.generation.unwrap_or_default();
        if !settings.push || out_of_scope || !scope.config.propagation_enabled() {
            return self.stop(&scope.name).await;
        }
        scope.runs = true;
        let mut running = self.running.lock().await;
        if running
            .get(&scope.name)
            .is_some_and(|held| held.generation == generation)
        {
            return;
        }
        if let Some(old) = running.remove(&scope.name) {
            old.task.stop().await;
        }
        tracing::info!(type_config = %scope.name, generation, "propagation starts");
        let propagation = Propagation::new(Arc::clone(&self.context), &scope.config);
        let task = OwnedTask::spawn(propagation.run());
        running.insert(scope.name.clone(), Running { generation, task });
    }

    async fn stop(&self, name: &str) {
        if let Some(old) = self.running.lock().await.remove(name) {
            old.task.stop().await;
            tracing::info!(type_config = name, "propagation stopped");
        }
    }

    /// Member objects and federated objects stay as they are: only the work on them ends.
    async fn finalize(&self, scope: &TypeScope) -> Next {
        self.stop(&scope.name).await;
        let held = scope.stored.metadata.finalizers.clone().unwrap_or_default();
        let left: Vec<String> = held
            .iter()
            .filter(|one| *one != finalizers::FEDERATED_TYPE_CONFIG)
            .cloned()
            .collect();
        if left.len() == held.len() {
            return Next::Wait;
        }
        match self.write_finalizers(scope, &left).await {
            Ok(()) => Next::Wait,
            Err(error) if Failure::of(&error) == Failure::NotFound => Next::Wait,
            Err(error) => {
                tracing::warn!(type_config = %scope.name, error = %chain(&error), "cannot release a type config");
                Next::Retry
            }
        }
    }

    async fn write_status(&self, scope: &TypeScope) -> Result<(), kube::Error> {
        let new = status(scope);
        if scope.stored.status.as_ref() == Some(&new) {
            return Ok(());
        }
        let mut body = json!(new);
        if new.message.is_none() {
            body["message"] = serde_json::Value::Null;
        }
        let patch = Patch::Merge(json!({"status": body}));
        let written = self
            .api()
            .patch_status(&scope.name, &PatchParams::default(), &patch)
            .await;
        match written {
            Err(error) if Failure::of(&error) == Failure::NotFound => Ok(()),
            other => other.map(|_| ()),
        }
    }

    fn api(&self) -> Api<FederatedTypeConfig> {
        Api::namespaced(self.context.hub_client.clone(), &self.context.namespace)
    }
}

fn status(scope: &TypeScope) -> FederatedTypeConfigStatus {
    let state = |runs: bool| {
        if runs {
            ControllerState::Running
        } else {
            ControllerState::NotRunning
        }
    };
    let collects = scope.config.spec.status_collection == Some(Switch::Enabled);
    FederatedTypeConfigStatus {
        observed_generation: scope.stored.metadata.generation.unwrap_or_default(),
        propagation_controller: Some(state(scope.runs)),
        status_controller: scope
            .config
            .spec
            .status_collection
            .is_some()
            .then(|| state(scope.runs && collects)),
        message: scope.message.clone(),
    }
}
