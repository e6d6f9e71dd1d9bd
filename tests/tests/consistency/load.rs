//! Clients that write and read a few objects as fast as they may, each request at any of the hubs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use federation_tests::history::{
    Call, Freshness, Outcome, Refusal, Revision, Time, Version, Write,
};
use federation_tests::{Endpoint, Moments, Reply};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::recorder::Recorder;

/// Where the objects are.
pub(crate) const OBJECTS: &str = "/api/v1/namespaces/history/configmaps";
/// Few, so that clients get into each other's way.
const KEYS: u64 = 5;
/// The longest pause between two requests of a client.
const PAUSE: u64 = 25;

/// One client.
pub(crate) struct Client {
    name: String,
    hubs: Vec<Endpoint>,
    recorder: Arc<Recorder>,
    moments: Moments,
    /// The revision of each object that it saw last.
    known: BTreeMap<String, Revision>,
    /// The highest revision that it saw.
    seen: Revision,
    /// The values that it has written are numbered.
    count: usize,
}

/// Connections to all of some hubs.
pub(crate) async fn connect(kubeconfigs: &[PathBuf]) -> Vec<Endpoint> {
    let mut hubs = Vec::new();
    for kubeconfig in kubeconfigs {
        let hub = Endpoint::connect(kubeconfig).await;
        hubs.push(hub.expect("a kubeconfig that a hub has written"));
    }
    hubs
}

impl Client {
    pub(crate) fn new(
        name: String,
        hubs: Vec<Endpoint>,
        recorder: Arc<Recorder>,
        moments: Moments,
    ) -> Self {
        Self {
            name,
            hubs,
            recorder,
            moments,
            known: BTreeMap::new(),
            seen: 0,
            count: 0,
        }
    }

    /// Goes on until it is to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            self.step().await;
            let pause = self.moments.next(PAUSE);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    async fn step(&mut self) {
        let key = format!("k{}", self.moments.next(KEYS));
        let known = self.known.get(&key).copied();
        let value = || format!("{}-{}", self.name, self.count);
        let write = match (self.moments.next(20), known) {
            (0..=2, _) => Some(Write::Create { value: value() }),
            (3..=5, _) => Some(Write::Update {
                value: value(),
                expect: None,
            }),
            (6..=9, Some(expect)) => Some(Write::Update {
                value: value(),
                expect: Some(expect),
            }),
            (10, Some(expect)) => Some(Write::Delete { expect }),
            _ => None,
        };
        match write {
            Some(write) => self.write(&key, write).await,
            None => self.read(&key).await,
        }
    }

    async fn read(&mut self, key: &str) {
        let seen = self.seen;
        match self.moments.next(8) {
            0..=2 => self.get(key, Freshness::Latest).await,
            3 => self.get(key, Freshness::Any).await,
            4 => self.get(key, Freshness::NotOlderThan(seen.max(1))).await,
            5 => self.list(Freshness::Latest).await,
            6 => self.list(Freshness::NotOlderThan(seen.max(1))).await,
            _ if seen > 0 => {
                let back = self.moments.next(20).min(seen - 1);
                self.list(Freshness::Exact(seen - back)).await;
            }
            _ => self.list(Freshness::Any).await,
        }
    }

    /// Creates one object more and returns its revision, once that has worked.
    pub(crate) async fn mark(&mut self, key: &str) -> Revision {
        loop {
            let value = format!("{}-{}", self.name, self.count);
            self.write(key, Write::Create { value }).await;
            if let Some(revision) = self.known.get(key) {
                return *revision;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            self.get(key, Freshness::Latest).await;
            if let Some(revision) = self.known.get(key) {
                return *revision;
            }
        }
    }

    /// Reads everything from each hub, once that has worked.
    pub(crate) async fn read_everywhere(&mut self) {
        for place in 0..self.hubs.len() {
            let hub = self.hubs[place].clone();
            while !self.list_at(&hub, Freshness::Latest).await {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }

    async fn write(&mut self, key: &str, write: Write) {
        self.count += 1;
        let path = format!("{OBJECTS}/{key}");
        let hub = self.moments.pick(&self.hubs).clone();
        let start = self.recorder.now();
        let answer = match &write {
            Write::Create { value } => hub.send("POST", OBJECTS, Some(&object(key, value))).await,
            Write::Update { value, expect } => {
                let mut object = object(key, value);
                if let Some(expect) = expect {
                    object["metadata"]["resourceVersion"] = expect.to_string().into();
                }
                // Both replace what is there, whatever it is.
                let method = match (expect, self.count % 2) {
                    (None, 0) => "PATCH",
                    _ => "PUT",
                };
                hub.send(method, &path, Some(&object)).await
            }
            Write::Delete { expect } => {
                let options = json!({
                    "apiVersion": "v1",
                    "kind": "DeleteOptions",
                    "preconditions": {"resourceVersion": expect.to_string()},
                });
                hub.send("DELETE", &path, Some(&options)).await
            }
        };
        let outcome = self.outcome(&write, answer);
        match outcome {
            Outcome::Done(Some(revision)) => self.learn(key, revision),
            Outcome::Done(None) | Outcome::Refused(Refusal::Missing | Refusal::Conflict) => {
                self.known.remove(key);
            }
            Outcome::Refused(_) | Outcome::Unknown => {}
        }
        let key = key.to_owned();
        let call = Call::Write {
            key,
            write,
            outcome,
        };
        self.recorder.record(&self.name, start, call);
    }

    fn outcome(&self, write: &Write, answer: anyhow::Result<Reply>) -> Outcome {
        let Ok(reply) = answer else {
            return Outcome::Unknown;
        };
        let creates = matches!(write, Write::Create { .. });
        match (reply.status, reply.reason()) {
            (200 | 201, _) => match (write, revision_of(&reply.body)) {
                (Write::Delete { .. }, _) => Outcome::Done(None),
                (_, Some(revision)) => Outcome::Done(Some(revision)),
                _ => self.surprised(write, &reply),
            },
            (409, "AlreadyExists") if creates => Outcome::Refused(Refusal::Exists),
            (409, "Conflict") if !creates => Outcome::Refused(Refusal::Conflict),
            (404, "NotFound") if !creates => Outcome::Refused(Refusal::Missing),
            (503, "ServiceUnavailable") => Outcome::Refused(Refusal::Unavailable),
            (504, "Timeout") => Outcome::Unknown,
            _ => self.surprised(write, &reply),
        }
    }

    fn surprised(&self, write: &Write, reply: &Reply) -> Outcome {
        self.surprise(&format!("{write}"), reply);
        Outcome::Unknown
    }

    fn surprise(&self, asked: &str, reply: &Reply) {
        let what = format!("{}: {asked}: {} {}", self.name, reply.status, reply.body);
        self.recorder.note(|book| book.surprises.push(what));
    }

    async fn get(&mut self, key: &str, freshness: Freshness) {
        let path = format!("{OBJECTS}/{key}{}", query(freshness));
        let hub = self.moments.pick(&self.hubs).clone();
        let start = self.recorder.now();
        let Some(reply) = self.ask(&hub, &path).await else {
            return;
        };
        let found = match reply.status {
            200 => version_of(&reply.body),
            404 => None,
            _ => return,
        };
        match &found {
            Some(version) => self.learn(key, version.revision),
            None => drop(self.known.remove(key)),
        }
        let key = key.to_owned();
        let call = Call::Get {
            key,
            freshness,
            found,
        };
        self.recorder.record(&self.name, start, call);
    }

    async fn list(&mut self, freshness: Freshness) {
        let hub = self.moments.pick(&self.hubs).clone();
        self.list_at(&hub, freshness).await;
    }

    async fn list_at(&mut self, hub: &Endpoint, freshness: Freshness) -> bool {
        let path = format!("{OBJECTS}{}", query(freshness));
        let start = self.recorder.now();
        let Some(reply) = self.ask(hub, &path).await else {
            return false;
        };
        if reply.status != 200 {
            return false;
        }
        let revision = record_list(&self.recorder, &self.name, start, freshness, &reply.body);
        self.seen = self.seen.max(revision);
        true
    }

    /// Reads something. Nothing, if no answer came or one that says to come back later.
    async fn ask(&self, hub: &Endpoint, path: &str) -> Option<Reply> {
        let reply = hub.send("GET", path, None).await.ok()?;
        match reply.status {
            200 | 404 => {}
            410 => self.recorder.note(|book| book.expired += 1),
            503 | 504 => self.recorder.note(|book| book.unavailable += 1),
            _ => self.surprise(path, &reply),
        }
        Some(reply)
    }

    fn learn(&mut self, key: &str, revision: Revision) {
        self.known.insert(key.to_owned(), revision);
        self.seen = self.seen.max(revision);
    }
}

/// Writes down a list that was read. Returns its revision.
pub(crate) fn record_list(
    recorder: &Recorder,
    client: &str,
    start: Time,
    freshness: Freshness,
    list: &Value,
) -> Revision {
    let revision = revision_of(list).expect("a list has a revision");
    let items = list["items"].as_array().into_iter().flatten();
    let items = items.filter(|item| is_ours(item)).map(|item| {
        let version = version_of(item).expect("an object has a revision");
        (name_of(item), version)
    });
    let call = Call::List {
        freshness,
        revision,
        items: items.collect(),
    };
    recorder.record(client, start, call);
    revision
}

fn object(key: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": key, "namespace": "history"},
        "data": {"value": value},
    })
}

fn query(freshness: Freshness) -> String {
    match freshness {
        Freshness::Latest => String::new(),
        Freshness::Any => "?resourceVersion=0".to_owned(),
        Freshness::NotOlderThan(revision) => format!("?resourceVersion={revision}"),
        Freshness::Exact(revision) => {
            format!("?resourceVersion={revision}&resourceVersionMatch=Exact")
        }
    }
}

/// Not one that the server makes in every namespace.
pub(crate) fn is_ours(object: &Value) -> bool {
    object["data"]["value"].is_string()
}

pub(crate) fn name_of(object: &Value) -> String {
    object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

pub(crate) fn revision_of(object: &Value) -> Option<Revision> {
    object["metadata"]["resourceVersion"].as_str()?.parse().ok()
}

pub(crate) fn version_of(object: &Value) -> Option<Version> {
    Some(Version {
        revision: revision_of(object)?,
        value: object["data"]["value"].as_str()?.to_owned(),
    })
}
