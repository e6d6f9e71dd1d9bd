//! Events on hub objects, aggregated: the same thing said again counts up instead of piling up.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use federation_api::Time;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};

use crate::clients::{Failure, chain};
use crate::work::Env;

/// Whether an event is good news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// As it should be.
    Normal,
    /// Somebody may have to look.
    Warning,
}

impl Severity {
    fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// The hub object an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// Something worth telling.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Notice {
    /// About what.
    pub subject: Subject,
    /// Good or bad.
    pub severity: Severity,
    /// One word, from `federation_api::events`.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// Who says it, e.g. `federateddeployment-controller`.
    pub component: String,
}

/// Notices that may wait to be written. When more come, they are dropped: events are a courtesy and must never hold up
/// the work they tell of.
const QUEUE: usize = 1024;
/// Things remembered for counting up; the oldest half is forgotten when there are more.
const REMEMBERED: usize = 4096;
/// The same thing is written at most this often; what happens between is counted.
const REPEAT_GAP: Duration = Duration::from_secs(5);
/// After this time without a repeat, an event starts anew (client-go: 10 minutes).
const FORGET: Duration = Duration::from_secs(600);

/// Takes notices. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Recorder {
    queue: mpsc::Sender<Notice>,
}

/// Notices on their way to the hub.
pub struct Notices {
    queue: mpsc::Receiver<Notice>,
    said: HashMap<u64, Said>,
}

struct Said {
    name: String,
    count: i32,
    written: Instant,
}

impl Recorder {
    /// A recorder and what it feeds.
    #[must_use]
    pub fn new() -> (Self, Notices) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let notices = Notices {
            queue: receiver,
            said: HashMap::new(),
        };
        (Self { queue: sender }, notices)
    }

    /// Takes a notice; never waits.
    pub fn tell(&self, notice: Notice) {
        if self.queue.try_send(notice).is_err() {
            tracing::debug!("too many events; one was dropped");
        }
    }
}

impl Notices {
    /// Writes notices to the hub until dropped.
    pub async fn run(mut self, hub_client: kube::Client, env: Env) {
        while let Some(notice) = self.queue.recv().await {
            self.write(&hub_client, &env, notice).await;
        }
    }

    async fn write(&mut self, hub_client: &kube::Client, env: &Env, notice: Notice) {
        let key = fingerprint(&notice);
        let now = Instant::now();
        if self.said.len() > REMEMBERED {
            self.forget_older_half();
        }
        let namespace = event_namespace(&notice.subject).to_owned();
        let resource = kube::core::ApiResource::erase::<k8s_openapi::api::core::v1::Event>(&());
        let api: Api<DynamicObject> =
            Api::namespaced_with(hub_client.clone(), &namespace, &resource);
        let stamp = Time::new(env.now());
        if let Some(said) = self.said.get_mut(&key)
            && now.duration_since(said.written) < FORGET
        {
            said.count = said.count.saturating_add(1);
            if now.duration_since(said.written) < REPEAT_GAP {
                return;
            }
            said.written = now;
            let patch = Patch::Merge(json!({"count": said.count, "lastTimestamp": stamp}));
            let patched = api.patch(&said.name, &PatchParams::default(), &patch).await;
            match patched {
                Err(error) if Failure::of(&error) == Failure::NotFound => {}
                Err(error) => {
                    return tracing::debug!(error = %chain(&error), "cannot count an event up");
                }
                Ok(_) => return,
            }
        }
        let name = event_name(&notice.subject.name, env);
        let object = event(&notice, &namespace, &name, stamp);
        if let Err(error) = api.create(&PostParams::default(), &object).await {
            tracing::debug!(error = %chain(&error), "cannot write an event");
        }
        self.said.insert(
            key,
            Said {
                name,
                count: 1,
                written: now,
            },
        );
    }

    fn forget_older_half(&mut self) {
        let mut times: Vec<Instant> = self.said.values().map(|said| said.written).collect();
        times.sort_unstable();
        let median = times[times.len() / 2];
        self.said.retain(|_, said| said.written > median);
    }
}

fn fingerprint(notice: &Notice) -> u64 {
    let mut hasher = DefaultHasher::new();
    notice.hash(&mut hasher);
    hasher.finish()
}

/// Events about cluster-scoped objects live in `default`, as with client-go.
fn event_namespace(subject: &Subject) -> &str {
    if subject.namespace.is_empty() {
        "default"
    } else {
        &subject.namespace
    }
}

/// Names are unique by a nanosecond time stamp, as with client-go.
fn event_name(subject: &str, env: &Env) -> String {
    format!("{subject}.{:x}", env.now().as_nanosecond())
}

fn event(notice: &Notice, namespace: &str, name: &str, stamp: Time) -> DynamicObject {
    let subject = &notice.subject;
    let mut involved = json!({
        "apiVersion": subject.api_version,
        "kind": subject.kind,
        "name": subject.name,
        "uid": subject.uid,
    });
    if !subject.namespace.is_empty() {
        involved["namespace"] = json!(subject.namespace);
    }
    let resource = kube::core::ApiResource::erase::<k8s_openapi::api::core::v1::Event>(&());
    DynamicObject::new(name, &resource)
        .within(namespace)
        .data(json!({
            "involvedObject": involved,
            "reason": notice.reason,
            "message": notice.message,
            "type": notice.severity.as_str(),
            "source": {"component": notice.component},
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
        }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_what_kubectl_describe_looks_for() {
        let notice = Notice {
            subject: Subject {
                api_version: "types.kubefed.io/v1beta1".to_owned(),
                kind: "FederatedFoo".to_owned(),
                namespace: "bank-prod".to_owned(),
                name: "foo-01".to_owned(),
                uid: "u".to_owned(),
            },
            severity: Severity::Warning,
            reason: "CreateInClusterFailed".to_owned(),
            message: "m".to_owned(),
            component: "federatedfoo-controller".to_owned(),
        };
        let stamp = Time::new(jiff::Timestamp::from_second(0).unwrap());
        let event = serde_json::to_value(event(&notice, "bank-prod", "foo-01.1", stamp)).unwrap();
        assert_eq!(event["kind"], "Event");
        assert_eq!(event["involvedObject"]["uid"], "u");
        assert_eq!(event["involvedObject"]["namespace"], "bank-prod");
        assert_eq!(event["type"], "Warning");
        assert_eq!(event["lastTimestamp"], "1970-01-01T00:00:00Z");
    }
}
