//! The work of one type.

use std::sync::Arc;
use std::time::Duration;

use federation_api::FederatedTypeConfig;
use federation_api::kinds::Switch;
use federation_api::names;
use federation_core::target::Target;
use kube::core::{ApiResource, GroupVersionKind};

use super::caches::{Caches, Residence};
use super::execute::Meaning;
use super::flights::Flights;
use crate::context::Context;
use crate::hub::{JsonObject, ObjectKey, Store};
use crate::members::TargetKind;
use crate::work::{Backoff, Queue, drive};

/// How long the first reconcile waits for the first lists of ready members.
const FIRST_LISTS: Duration = Duration::from_secs(5);

/// Propagation of one enabled type.
pub(crate) struct Propagation {
    work: Arc<TypeWork>,
}

/// What the reconciles of one type share.
pub(super) struct TypeWork {
    pub(super) context: Arc<Context>,
    /// Name of the type config.
    pub(super) name: String,
    pub(super) target: Target,
    /// Whether the status holds the member objects' own.
    pub(super) remote_status: bool,
    pub(super) kind: TargetKind,
    pub(super) federated: ApiResource,
    pub(super) residence: Residence,
    pub(super) is_namespace: bool,
    pub(super) objects: Arc<Store<JsonObject>>,
    pub(super) queue: Queue<ObjectKey>,
    pub(super) caches: Caches,
    pub(super) flights: Flights<Meaning>,
    pub(super) trim: fn(&mut JsonObject),
}

/// Tells everybody that FederatedNamespaces are not known any more when their propagation ends.
struct Detach(Arc<Context>);

impl Drop for Detach {
    fn drop(&mut self) {
        self.0.federated_namespaces.attach(None);
    }
}

impl Propagation {
    /// Propagation of the type that `config` (with its defaults applied) describes.
    pub(crate) fn new(context: Arc<Context>, config: &FederatedTypeConfig) -> Self {
        let federated = &config.spec.federated_type;
        let gvk = GroupVersionKind::gvk(
            federated.group(),
            names::SOUTHBOUND_VERSION,
            &federated.kind,
        );
        let queue = Queue::new(Backoff::OBJECT, context.env.clone());
        let kind = TargetKind::from(&config.spec.target_type);
        let residence = match (config.is_namespace(), kind.namespaced) {
            (true, _) => Residence::Namespace,
            (false, true) => Residence::Namespaced,
            (false, false) => Residence::Clustered,
        };
        let work = TypeWork {
            federated: ApiResource::from_gvk_with_plural(&gvk, &federated.plural_name),
            is_namespace: config.is_namespace(),
            name: config.metadata.name.clone().unwrap_or_default(),
            target: Target::of(config),
            remote_status: config.spec.status_collection != Some(Switch::Disabled),
            context,
            kind,
            residence,
            objects: Arc::default(),
            queue,
            caches: Caches::default(),
            flights: Flights::default(),
            trim: trim_member_object,
        };
        Self {
            work: Arc::new(work),
        }
    }

    /// Runs until dropped.
    pub(crate) async fn run(self) {
        let work = self.work;
        let context = Arc::clone(&work.context);
        let _detach = work.is_namespace.then(|| {
            context
                .federated_namespaces
                .attach(Some(Arc::clone(&work.objects)));
            Detach(Arc::clone(&context))
        });
        let reconciled = async {
            work.ready().await;
            let concurrency = context.settings.concurrency;
            let driven = drive(work.queue.clone(), concurrency, |key| {
                let work = Arc::clone(&work);
                async move { work.reconcile(&key).await }
            });
            tokio::join!(driven, work.follow_members());
        };
        tokio::join!(
            work.follow_objects(),
            work.follow_hub(),
            work.pass_periodically(),
            reconciled
        );
    }
}

impl TypeWork {
    /// Waits until everything that decisions look at was seen once: before that, what is missing may just not have been
    /// read yet.
    async fn ready(self: &Arc<Self>) {
        let context = &self.context;
        context.cells.synced().await;
        context.namespaces.synced().await;
        context.members.settled().await;
        self.objects.synced().await;
        self.keep_caches();
        let judged = async {
            for (name, cache) in self.caches.all() {
                if context
                    .members
                    .get(&name)
                    .is_some_and(|member| member.is_ready())
                {
                    cache.judged().await;
                }
            }
        };
        // A member whose list takes longer is one of which nothing is known yet; the others do not wait for it.
        let _ = tokio::time::timeout(FIRST_LISTS, judged).await;
    }

    /// Key of the record of a federated object.
    pub(super) fn record_key(&self, key: &ObjectKey) -> ObjectKey {
        ObjectKey::new(
            key.namespace.clone(),
            names::propagated_version(&self.kind.kind, &key.name),
        )
    }
}

/// Decisions compare whole objects, so all but the bookkeeping of field managers is kept.
fn trim_member_object(object: &mut JsonObject) {
    if let Some(metadata) = object.value_mut()["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
}
