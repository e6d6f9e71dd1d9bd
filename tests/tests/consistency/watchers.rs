//! Clients that follow all objects, and go on at another hub where a watch ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use federation_tests::history::{Event, Freshness, Origin, Revision, Seen, Watch};
use federation_tests::{Endpoint, Events, Moments};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::load::{OBJECTS, is_ours, name_of, record_list, revision_of, version_of};
use crate::recorder::Recorder;

/// Until a hub that does not answer is asked again, or another one.
const PAUSE: Duration = Duration::from_millis(150);

/// One watcher.
pub(crate) struct Watcher {
    pub(crate) name: String,
    pub(crate) hubs: Vec<Endpoint>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) moments: Moments,
    /// Begins each watch with the state, instead of going on.
    pub(crate) initial: bool,
    /// The highest revision that it was told.
    pub(crate) reached: Arc<AtomicU64>,
}

impl Watcher {
    /// Goes on until it is to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut after = None;
        while !stop.is_cancelled() {
            let hub = self.moments.pick(&self.hubs).clone();
            let origin = match (self.initial, after) {
                (true, _) => Some(Origin::Initial),
                (false, Some(revision)) => Some(Origin::After(revision)),
                (false, None) => self.list(&hub).await.map(Origin::After),
            };
            let next = match origin {
                Some(origin) => self.watch(&hub, origin, &stop).await,
                None => Next::Again,
            };
            match next {
                Next::After(revision) => after = Some(revision),
                Next::Anew => after = None,
                Next::Again => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn list(&self, hub: &Endpoint) -> Option<Revision> {
        let start = self.recorder.now();
        let reply = hub.send("GET", OBJECTS, None).await.ok()?;
        let latest = Freshness::Latest;
        let record = || record_list(&self.recorder, &self.name, start, latest, &reply.body);
        (reply.status == 200).then(record)
    }

    async fn watch(&mut self, hub: &Endpoint, origin: Origin, stop: &CancellationToken) -> Next {
        let seconds = 4 + self.moments.next(6);
        let mut path =
            format!("{OBJECTS}?watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}");
        path.push_str(&match origin {
            Origin::After(revision) => format!("&resourceVersion={revision}"),
            Origin::Initial => {
                "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan".to_owned()
            }
        });
        let events = match hub.watch(&path).await {
            Ok(Ok(events)) => events,
            Ok(Err(reply)) if reply.status == 410 => return self.forgotten(),
            Ok(Err(reply)) => {
                if !matches!(reply.status, 503 | 504) {
                    let what = format!("{}: {path}: {} {}", self.name, reply.status, reply.body);
                    self.recorder.note(|book| book.surprises.push(what));
                }
                return Next::Again;
            }
            Err(_) => return Next::Again,
        };
        let (seen, end) = self.follow(events, stop).await;
        let last = seen.last().map(|seen| seen.event.revision());
        self.recorder.watched(Watch {
            client: self.name.clone(),
            origin,
            events: seen,
        });
        match (end, last) {
            (Some(410), _) => self.forgotten(),
            (Some(_), _) | (None, None) => Next::Again,
            (None, Some(last)) => Next::After(last),
        }
    }

    /// Takes events until the stream ends. The code of the error that it ended with, if it was one.
    async fn follow(
        &self,
        mut events: Events,
        stop: &CancellationToken,
    ) -> (Vec<Seen>, Option<u64>) {
        let mut seen = Vec::new();
        loop {
            let next = tokio::select! {
                next = events.next() => next,
                () = stop.cancelled() => None,
            };
            let Some(next) = next else {
                return (seen, None);
            };
            let at = self.recorder.now();
            if next["type"] == "ERROR" {
                return (seen, next["object"]["code"].as_u64().or(Some(0)));
            }
            if let Some(event) = event(&next) {
                self.reached.fetch_max(event.revision(), Ordering::AcqRel);
                seen.push(Seen { at, event });
            }
        }
    }

    fn forgotten(&self) -> Next {
        self.recorder.note(|book| book.expired += 1);
        Next::Anew
    }
}

/// How to go on after a watch.
enum Next {
    After(Revision),
    /// With a list.
    Anew,
    /// As before, after a pause.
    Again,
}

fn event(line: &Value) -> Option<Event> {
    let object = &line["object"];
    if line["type"] == "BOOKMARK" {
        let revision = revision_of(object)?;
        let initial = &object["metadata"]["annotations"]["k8s.io/initial-events-end"];
        return Some(match initial.as_str() {
            Some("true") => Event::InitialEnd(revision),
            _ => Event::Bookmark(revision),
        });
    }
    if !is_ours(object) {
        return None;
    }
    let (name, version) = (name_of(object), version_of(object)?);
    match line["type"].as_str()? {
        "ADDED" => Some(Event::Added(name, version)),
        "MODIFIED" => Some(Event::Modified(name, version)),
        "DELETED" => Some(Event::Deleted(name, version)),
        _ => None,
    }
}
