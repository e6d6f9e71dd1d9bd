//! A client that writes without pause, and remembers what was acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, spawn};

use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use kube::{Api, Client, Config};
use serde_json::{Value, json};

use crate::world::{AddOn, GROUP};

/// Objects that each of the two writers makes and changes in turn.
const OBJECTS: usize = 10;

/// Two writers in a thread: one speaks v1, the other v1beta1.
pub(crate) struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Written>,
}

/// What the writers did.
#[derive(Default)]
pub(crate) struct Written {
    /// Requests that were acknowledged.
    pub(crate) done: usize,
    /// Requests that were not, with the complaint.
    pub(crate) failures: Vec<String>,
    /// The value that each object was given last.
    pub(crate) last: BTreeMap<String, String>,
}

impl Writer {
    pub(crate) fn start(add_on: &AddOn) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let (stopped, kubeconfig) = (stop.clone(), add_on.plane.kubeconfig());
        let thread = spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
                let options = KubeConfigOptions::default();
                let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
                let client = Client::try_from(config.expect("a kubeconfig")).expect("a client");
                let (mut one, other) = tokio::join!(
                    write(client.clone(), "v1", &stopped),
                    write(client.clone(), "v1beta1", &stopped)
                );
                one.done += other.done;
                one.failures.extend(other.failures);
                one.last.extend(other.last);
                one
            })
        });
        Self { stop, thread }
    }

    /// Lets the writers finish what they are at.
    pub(crate) fn stop(self) -> Written {
        self.stop.store(true, Ordering::Release);
        self.thread.join().expect("the writer does not panic")
    }
}

async fn write(client: Client, version: &str, stop: &AtomicBool) -> Written {
    let gvk = GroupVersionKind::gvk("types.kubefed.io", version, "FederatedConfigMap");
    let resource = ApiResource::from_gvk(&gvk);
    let api: Api<DynamicObject> = Api::namespaced_with(client, GROUP, &resource);
    let mut written = Written::default();
    for turn in 0.. {
        if stop.load(Ordering::Acquire) {
            break;
        }
        let name = format!("{version}-{}", turn % OBJECTS);
        let value = turn.to_string();
        let outcome = match turn < OBJECTS {
            true => create(&api, &resource, version, &name, &value).await,
            false => change(&api, &name, &value).await,
        };
        match outcome {
            Ok(()) => {
                written.done += 1;
                written.last.insert(name, value);
            }
            Err(error) => written.failures.push(format!("{name}: {error}")),
        }
        if turn % OBJECTS == OBJECTS - 1
            && let Err(error) = api.list(&ListParams::default()).await
        {
            written.failures.push(format!("list in {version}: {error}"));
        }
    }
    written
}

async fn create(
    api: &Api<DynamicObject>,
    resource: &ApiResource,
    version: &str,
    name: &str,
    value: &str,
) -> Result<(), String> {
    let template = json!({"data": {"n": value}});
    let spec = match version {
        "v1" => json!({"topologyType": "cell", "template": template,
            "placement": {"topologies": [{"name": "rz00a"}]}}),
        _ => json!({"template": template,
            "placement": {"clusters": [{"name": format!("rz00a.{GROUP}")}]}}),
    };
    let object = DynamicObject::new(name, resource).data(json!({"spec": spec}));
    let made = api.create(&PostParams::default(), &object).await;
    check(made, value)
}

async fn change(api: &Api<DynamicObject>, name: &str, value: &str) -> Result<(), String> {
    let patch = Patch::Merge(json!({"spec": {"template": {"data": {"n": value}}}}));
    let changed = api.patch(name, &PatchParams::default(), &patch).await;
    check(changed, value)
}

/// The answer must hold what was written.
fn check(answer: kube::Result<DynamicObject>, value: &str) -> Result<(), String> {
    let object = answer.map_err(|error| format!("{error:?}"))?;
    match &object.data["spec"]["template"]["data"]["n"] {
        Value::String(held) if held == value => Ok(()),
        held => Err(format!("{held} was answered to {value}")),
    }
}
