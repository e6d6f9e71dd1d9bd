//! One watch in progress: the initial objects, then events, until something ends it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use apiserver_store::ChangeKind;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::options::WatchOptions;
use super::reply::WatchItem;
use crate::api::Api;
use crate::cache::{Event, Snapshot, Watcher};
use crate::convert;
use crate::kinds::Kind;
use crate::object::{Obj, encode};
use crate::selector::Selector;
use crate::status::ApiError;

/// Time between bookmarks, as upstream.
const BOOKMARKS: Duration = Duration::from_secs(60);

/// The last bookmark comes so long before the end.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// Initial objects that are queued at once: the rest stays shared in the snapshot.
const CHUNK: usize = 256;

/// Which objects a watch is about.
pub(super) struct Scope {
    pub(super) kind: Arc<Kind>,
    pub(super) version: Arc<str>,
    pub(super) namespace: Option<Arc<str>>,
    pub(super) selector: Selector,
}

/// Where it starts.
pub(super) struct Start {
    /// Yields what follows the initial objects, or the revision asked for.
    pub(super) watcher: Watcher,
    /// The objects to begin with, if any are to be sent.
    pub(super) initial: Option<Snapshot>,
}

enum Phase {
    /// Sending the snapshot; the name of the last object that was queued.
    Initial(Snapshot, Option<Arc<Obj>>),
    Live,
    Ended,
}

/// What the loop woke up for.
enum Wake {
    Events(Vec<Arc<Event>>),
    Bookmark,
    KindChanged,
    End,
}

pub(super) struct Session {
    api: Api,
    scope: Scope,
    watcher: Watcher,
    phase: Phase,
    queue: VecDeque<WatchItem>,
    bookmarks: bool,
    mark_initial_end: bool,
    next_bookmark: Instant,
    deadline: Instant,
    ending: CancellationToken,
    /// Done when `ending` is cancelled. This and the next one are waited for with every event, so they are not made anew each time.
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Done when a bookmark is due, or at the deadline.
    alarm: Pin<Box<Sleep>>,
    kinds: watch::Receiver<u64>,
}

impl Session {
    pub(super) fn new(
        api: Api,
        scope: Scope,
        start: Start,
        options: &WatchOptions,
        deadline: Instant,
    ) -> Self {
        let phase = match start.initial {
            Some(snapshot) => Phase::Initial(snapshot, None),
            None => Phase::Live,
        };
        let ending = api.cache.watches_end();
        Self {
            ended: Box::pin(ending.clone().cancelled_owned()),
            alarm: Box::pin(sleep_until(deadline)),
            ending,
            kinds: api.registry.changes(),
            api,
            scope,
            watcher: start.watcher,
            phase,
            queue: VecDeque::new(),
            bookmarks: options.bookmarks,
            mark_initial_end: options.mark_initial_end,
            next_bookmark: next_bookmark(Instant::now(), deadline),
            deadline,
        }
    }

    /// The next item; `None` ends the stream. Nothing is lost if the future is dropped with the session.
    pub(super) async fn step(mut self) -> Option<(WatchItem, Self)> {
        loop {
            if let Some(item) = self.queue.pop_front() {
                if matches!(item, WatchItem::Error(_)) {
                    self.phase = Phase::Ended;
                    self.queue.clear();
                }
                return Some((item, self));
            }
            match &self.phase {
                Phase::Ended => return None,
                Phase::Initial(..) => self.continue_initial().await,
                Phase::Live => {
                    let wake = self.wait().await;
                    self.handle(wake).await;
                }
            }
        }
    }

    /// Queues some more of the initial objects, or marks their end.
    async fn continue_initial(&mut self) {
        let phase = std::mem::replace(&mut self.phase, Phase::Live);
        let Phase::Initial(snapshot, last) = phase else {
            return;
        };
        if self.ending.is_cancelled() || Instant::now() >= self.deadline {
            self.phase = Phase::Ended;
            return;
        }
        let from = last.as_ref().map(|o| (&**o.namespace(), &**o.name()));
        let skip = usize::from(last.is_some());
        let objects = snapshot.range(self.scope.namespace.as_deref(), from);
        let chunk: Vec<Arc<Obj>> = objects.skip(skip).take(CHUNK).cloned().collect();
        let Some(end) = chunk.last().cloned() else {
            if self.mark_initial_end {
                self.queue.push_back(WatchItem::Bookmark {
                    revision: snapshot.revision,
                    initial_events_end: true,
                });
            }
            return;
        };
        match self.judge(&chunk).await {
            Ok(selected) => {
                let chosen = chunk.into_iter().zip(selected).filter(|(_, s)| *s);
                let items = chosen.map(|(object, _)| WatchItem::Added(object));
                self.queue.extend(items);
                self.phase = Phase::Initial(snapshot, Some(end));
            }
            Err(error) => self.queue.push_back(WatchItem::Error(error)),
        }
    }

    async fn wait(&mut self) -> Wake {
        let due = match self.bookmarks {
            true => self.next_bookmark.min(self.deadline),
            false => self.deadline,
        };
        if self.alarm.deadline() != due {
            self.alarm.as_mut().reset(due);
        }
        tokio::select! {
            biased;
            () = self.ended.as_mut() => Wake::End,
            () = self.alarm.as_mut() => match due == self.deadline {
                true => Wake::End,
                false => Wake::Bookmark,
            },
            changed = self.kinds.changed() => match changed {
                Ok(()) => Wake::KindChanged,
                Err(_) => Wake::End,
            },
            events = self.watcher.next() => events.map_or(Wake::End, Wake::Events),
        }
    }

    async fn handle(&mut self, wake: Wake) {
        match wake {
            Wake::Events(events) => match self.translate(&events).await {
                Ok(items) => self.queue.extend(items),
                Err(error) => self.queue.push_back(WatchItem::Error(error)),
            },
            Wake::Bookmark => self.bookmark(),
            Wake::KindChanged => {
                let kind = &self.scope.kind;
                let kinds = self.api.registry.kinds();
                let row = kinds.resource(&kind.group, &kind.plural);
                if row.is_none_or(|row| row.epoch != kind.epoch) {
                    self.phase = Phase::Ended;
                }
            }
            Wake::End => self.phase = Phase::Ended,
        }
    }

    /// Sends a bookmark if nothing older is still to be sent; else soon.
    fn bookmark(&mut self) {
        let now = Instant::now();
        match self.watcher.progress() {
            Some(revision) => {
                self.queue.push_back(WatchItem::Bookmark {
                    revision,
                    initial_events_end: false,
                });
                self.next_bookmark = next_bookmark(now, self.deadline);
            }
            None => self.next_bookmark = now + Duration::from_millis(10),
        }
    }

    /// What the client is to see of some events.
    async fn translate(&self, events: &[Arc<Event>]) -> Result<Vec<WatchItem>, ApiError> {
        let ours = |event: &&Arc<Event>| {
            let namespace = self.scope.namespace.as_deref();
            namespace.is_none_or(|ns| *event.object.key.namespace == *ns)
        };
        let events = events.iter().filter(ours);
        if self.scope.selector.is_empty() {
            let items = events.filter_map(|event| item(event, event.previous.as_ref(), true));
            return Ok(items.collect());
        }
        let events: Vec<&Arc<Event>> = events.collect();
        let after: Vec<Arc<Obj>> = events.iter().map(|e| e.object.clone()).collect();
        let before: Vec<Arc<Obj>> = events.iter().filter_map(|e| e.previous.clone()).collect();
        let after = self.judge(&after).await?;
        let mut before = self.judge(&before).await?.into_iter();
        let mut items = Vec::with_capacity(events.len());
        for (event, now) in events.into_iter().zip(after) {
            let previous = event.previous.as_ref();
            let was = previous.filter(|_| before.next().unwrap_or(false));
            items.extend(item(event, was, now));
        }
        Ok(items)
    }

    /// Which of the objects the selector chooses.
    async fn judge(&self, objects: &[Arc<Obj>]) -> Result<Vec<bool>, ApiError> {
        let Scope {
            kind,
            version,
            selector,
            ..
        } = &self.scope;
        let wanted = kind.api_version(version);
        let inside = selector.fields.looks_inside();
        if !inside || objects.iter().all(|object| object.api_version == wanted) {
            return Ok(objects.iter().map(|o| selector.matches(o)).collect());
        }
        let views = convert::view(&self.api, kind, version, objects).await?;
        let judged = objects.iter().zip(views);
        Ok(judged
            .map(|(object, view)| {
                selector.labels.matches(&object.meta.labels)
                    && selector.fields.matches(object, &view)
            })
            .collect())
    }
}

/// The item of one event; `was` is the object before if it was selected, `now` whether it is selected after.
fn item(event: &Event, was: Option<&Arc<Obj>>, now: bool) -> Option<WatchItem> {
    let object = event.object.clone();
    let revision = event.revision;
    match (was, event.kind) {
        (None, ChangeKind::Deleted) => None,
        (Some(_), ChangeKind::Deleted) => Some(WatchItem::Deleted { object, revision }),
        (None, _) if now => Some(WatchItem::Added(object)),
        (Some(_), _) if now => Some(WatchItem::Modified(object)),
        (Some(was), _) => Some(WatchItem::Deleted {
            object: at_revision(was, event),
            revision,
        }),
        (None, _) => None,
    }
}

/// The object as it was, with the revision at which it left the selection.
fn at_revision(was: &Arc<Obj>, event: &Event) -> Arc<Obj> {
    let value = encode(&was.to_value());
    match Obj::from_store(was.key.clone(), event.revision, &value) {
        Ok(object) => Arc::new(object),
        // It was read from the same bytes before.
        Err(_) => was.clone(),
    }
}

fn next_bookmark(now: Instant, deadline: Instant) -> Instant {
    let last = deadline.checked_sub(LAST_BOOKMARK).unwrap_or(deadline);
    if last > now {
        (now + BOOKMARKS).min(last)
    } else {
        now + BOOKMARKS
    }
}
