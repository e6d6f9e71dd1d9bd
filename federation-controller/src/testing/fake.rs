//! The API server in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures::StreamExt;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower::BoxError;

use super::path::ApiPath;
use crate::clients::GuardLayer;

type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// How the server behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It answers.
    #[default]
    Up,
    /// Connections are refused.
    Down,
    /// Requests are never answered.
    Hanging,
}

#[derive(Default)]
struct State {
    revision: u64,
    /// By group/resource, then namespace/name.
    objects: BTreeMap<String, BTreeMap<(String, String), Value>>,
    watchers: Vec<(String, mpsc::UnboundedSender<Value>)>,
    writes: Vec<String>,
    /// `group/resource` of kinds that are not served.
    missing: BTreeSet<String>,
    mood: Mood,
}

/// One cluster.
#[derive(Clone, Default)]
pub(crate) struct FakeCluster(Arc<Mutex<State>>);

impl FakeCluster {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// A client for it.
    pub(crate) fn client(&self) -> kube::Client {
        let cluster = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let cluster = cluster.clone();
            async move { cluster.serve(request).await }
        });
        kube::Client::new(service, "default")
    }

    /// A client that obeys the rules of a guard.
    pub(crate) fn guarded_client(&self, guard: &GuardLayer) -> kube::Client {
        let cluster = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let cluster = cluster.clone();
            async move { cluster.serve(request).await }
        });
        kube::Client::new(tower::Layer::layer(guard, service), "default")
    }

    /// Changes how it behaves. When it goes down its watches end.
    pub(crate) fn set_mood(&self, mood: Mood) {
        let mut state = self.lock();
        state.mood = mood;
        if mood != Mood::Up {
            state.watchers.clear();
        }
    }

    /// Stops serving a kind, given as `group/resource`.
    pub(crate) fn set_missing(&self, kind: &str, missing: bool) {
        let mut state = self.lock();
        if missing {
            state.missing.insert(kind.to_owned());
        } else {
            state.missing.remove(kind);
        }
    }

    /// Puts an object in without noting a write. `kind` is `group/resource`.
    pub(crate) fn seed(&self, kind: &str, object: Value) {
        self.lock().put(kind, object, Part::All);
    }

    /// Changes an object as somebody in the cluster would, without noting a write.
    pub(crate) fn touch(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) {
        let mut state = self.lock();
        let key = (namespace.to_owned(), name.to_owned());
        let mut object = state.objects[kind][&key].clone();
        change(&mut object);
        state.put(kind, object, Part::All);
    }

    /// The object, `Null` if there is none.
    pub(crate) fn get(&self, kind: &str, namespace: &str, name: &str) -> Value {
        let key = (namespace.to_owned(), name.to_owned());
        let state = self.lock();
        state
            .objects
            .get(kind)
            .and_then(|all| all.get(&key))
            .cloned()
            .unwrap_or_default()
    }

    /// The writes since the last call, e.g. `PUT foos bank-rz00a/foo-01`.
    pub(crate) fn take_writes(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().writes)
    }

    async fn serve(&self, request: Request<Body>) -> Result<Answer, BoxError> {
        let mood = self.lock().mood;
        match mood {
            Mood::Up => {}
            Mood::Down => {
                return Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into());
            }
            Mood::Hanging => std::future::pending().await,
        }
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let path = parts.uri.path().to_owned();
        if path == "/healthz" {
            return Ok(text("ok"));
        }
        if path == "/version" {
            return Ok(answer(
                StatusCode::OK,
                &json!({"major": "1", "minor": "35", "gitVersion": "v1.35.0"}),
            ));
        }
        let Some(path) = ApiPath::parse(&path) else {
            return Ok(failure(404, "NotFound"));
        };
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body)?
        };
        let mut state = self.lock();
        let kind = format!("{}/{}", path.group, path.resource);
        if state.missing.contains(&kind) {
            return Ok(failure(404, "NotFound"));
        }
        Ok(match parts.method {
            Method::GET if query.contains("watch=true") => state.watch(&kind, &query),
            Method::GET if path.name.is_empty() => state.list(&kind, &path, &query),
            Method::GET => state.read(&kind, &path),
            method => {
                let line = [path.resource.as_str(), path.subresource.as_str()].join("/");
                let name = if path.name.is_empty() {
                    text_at(&body, "/metadata/name")
                } else {
                    path.name.clone()
                };
                let note = format!(
                    "{method} {} {}/{name}",
                    line.trim_end_matches('/'),
                    path.namespace
                );
                if path.resource != "events" {
                    state.writes.push(note);
                }
                state.change(&method, &kind, &path, body)
            }
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    Status,
}

impl State {
    fn put(&mut self, kind: &str, mut object: Value, part: Part) -> Value {
        self.revision += 1;
        let key = (
            text_at(&object, "/metadata/namespace"),
            text_at(&object, "/metadata/name"),
        );
        let old = self
            .objects
            .get(kind)
            .and_then(|all| all.get(&key))
            .cloned();
        if let Some(old) = &old {
            let (kept, from) = if part == Part::Status {
                (old.clone(), &object["status"])
            } else {
                (object.clone(), &object["status"])
            };
            let status = from.clone();
            object = kept;
            object["status"] = status;
            if object["status"].is_null() {
                object.as_object_mut().unwrap().remove("status");
            }
        }
        let meta = object["metadata"].as_object_mut().unwrap();
        meta.insert(
            "resourceVersion".to_owned(),
            json!(self.revision.to_string()),
        );
        let old_meta = |field: &str| old.as_ref().map(|old| old["metadata"][field].clone());
        meta.insert(
            "uid".to_owned(),
            old_meta("uid").unwrap_or_else(|| json!(format!("uid-{}", self.revision))),
        );
        if object.get("spec").is_some() {
            let same = old
                .as_ref()
                .is_some_and(|old| old["spec"] == object["spec"]);
            let held = old
                .as_ref()
                .and_then(|old| old["metadata"]["generation"].as_i64())
                .unwrap_or(0);
            object["metadata"]["generation"] = json!(if same { held } else { held + 1 });
        }
        let gone = object["metadata"].get("deletionTimestamp").is_some()
            && object["metadata"]["finalizers"]
                .as_array()
                .is_none_or(Vec::is_empty);
        let event = match (&old, gone) {
            (_, true) => "DELETED",
            (None, false) => "ADDED",
            (Some(_), false) => "MODIFIED",
        };
        let all = self.objects.entry(kind.to_owned()).or_default();
        if gone {
            all.remove(&key);
        } else {
            all.insert(key, object.clone());
        }
        self.tell(kind, event, &object, old.as_ref());
        object
    }

    /// Tells watchers, to whom an object that stops matching their selector is deleted.
    fn tell(&mut self, kind: &str, event: &str, object: &Value, old: Option<&Value>) {
        self.watchers.retain(|(watched, sender)| {
            let Some((watched_kind, query)) = watched.split_once('?') else {
                return false;
            };
            if watched_kind != kind {
                return true;
            }
            let (now, before) = (
                selected(object, query),
                old.is_some_and(|old| selected(old, query)),
            );
            let event = match (before, now) {
                (false, false) => return true,
                (false, true) if event != "DELETED" => "ADDED",
                (true, false) => "DELETED",
                _ => event,
            };
            sender
                .send(json!({"type": event, "object": object}))
                .is_ok()
        });
    }

    fn watch(&mut self, kind: &str, query: &str) -> Answer {
        let (sender, receiver) = mpsc::unbounded_channel();
        let from: u64 = parameter(query, "resourceVersion").parse().unwrap_or(0);
        for object in self
            .objects
            .get(kind)
            .into_iter()
            .flat_map(BTreeMap::values)
        {
            let newer = text_at(object, "/metadata/resourceVersion")
                .parse::<u64>()
                .unwrap_or(0)
                > from;
            if newer && selected(object, query) {
                let _ = sender.send(json!({"type": "ADDED", "object": object}));
            }
        }
        self.watchers.push((format!("{kind}?{query}"), sender));
        let lines = futures::stream::unfold(receiver, |mut receiver| async move {
            let event = receiver.recv().await?;
            Some((Bytes::from(format!("{event}\n")), receiver))
        });
        Response::new(StreamBody::new(lines.map(|line| Ok(Frame::data(line)))).boxed_unsync())
    }

    fn list(&self, kind: &str, path: &ApiPath, query: &str) -> Answer {
        let items: Vec<&Value> = self
            .objects
            .get(kind)
            .into_iter()
            .flatten()
            .filter(|((namespace, _), object)| {
                (path.namespace.is_empty() || *namespace == path.namespace)
                    && selected(object, query)
            })
            .map(|(_, object)| object)
            .collect();
        answer(
            StatusCode::OK,
            &json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": self.revision.to_string()}, "items": items}),
        )
    }

    fn read(&self, kind: &str, path: &ApiPath) -> Answer {
        match self.stored(kind, path) {
            Some(object) => answer(StatusCode::OK, object),
            None => failure(404, "NotFound"),
        }
    }

    fn stored(&self, kind: &str, path: &ApiPath) -> Option<&Value> {
        self.objects
            .get(kind)?
            .get(&(path.namespace.clone(), path.name.clone()))
    }

    fn change(&mut self, method: &Method, kind: &str, path: &ApiPath, mut body: Value) -> Answer {
        let part = if path.subresource == "status" {
            Part::Status
        } else {
            Part::All
        };
        if !path.namespace.is_empty() && matches!(*method, Method::POST | Method::PUT) {
            body["metadata"]["namespace"] = json!(path.namespace);
        }
        if *method == Method::POST {
            let name = text_at(&body, "/metadata/name");
            if self
                .stored(
                    kind,
                    &ApiPath {
                        name,
                        ..path.clone()
                    },
                )
                .is_some()
            {
                return failure(409, "AlreadyExists");
            }
            return answer(StatusCode::CREATED, &self.put(kind, body, part));
        }
        let Some(old) = self.stored(kind, path).cloned() else {
            return failure(404, "NotFound");
        };
        let new = match *method {
            Method::PUT => body,
            Method::PATCH => {
                let mut new = old.clone();
                merge(&mut new, &body);
                new
            }
            _ => return self.delete(kind, old),
        };
        let version = text_at(&new, "/metadata/resourceVersion");
        if !version.is_empty() && version != text_at(&old, "/metadata/resourceVersion") {
            return failure(409, "Conflict");
        }
        answer(StatusCode::OK, &self.put(kind, new, part))
    }

    fn delete(&mut self, kind: &str, mut object: Value) -> Answer {
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let object = self.put(kind, object, Part::All);
        answer(StatusCode::OK, &object)
    }
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let target = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Obeys a `labelSelector` of the form `key=value`.
fn selected(object: &Value, query: &str) -> bool {
    let selector = parameter(query, "labelSelector")
        .replace("%3D", "=")
        .replace("%2F", "/");
    match selector.split_once('=') {
        None => true,
        Some((key, value)) => object["metadata"]["labels"][key] == value,
    }
}

fn parameter(query: &str, name: &str) -> String {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        .unwrap_or_default()
        .to_owned()
}

fn text_at(object: &Value, pointer: &str) -> String {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn body(text: String) -> UnsyncBoxBody<Bytes, BoxError> {
    Full::new(Bytes::from(text))
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn text(text: &str) -> Answer {
    Response::new(body(text.to_owned()))
}

fn answer(status: StatusCode, value: &Value) -> Answer {
    let mut response = Response::new(body(value.to_string()));
    *response.status_mut() = status;
    response
}

fn failure(code: u16, reason: &str) -> Answer {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": format!("fake: {reason}")});
    answer(StatusCode::from_u16(code).unwrap(), &status)
}
