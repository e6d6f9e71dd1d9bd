//! What one change does to the view, and the event that comes of it. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use apiserver_store::{Change, ChangeKind, Key, Revision};

use super::feed::Event;
use super::view::View;
use crate::object::Obj;

/// Carries a change out on the view. `None` if the stored bytes are not an object; then it is treated as absent.
pub(super) fn advance(view: &mut View, change: &Change) -> Option<Arc<Event>> {
    view.revision = change.revision;
    let previous = view.get(&change.key).cloned();
    let Some(object) = parse(&change.key, change.revision, &change.value) else {
        view.remove(&change.key);
        return None;
    };
    match change.kind {
        ChangeKind::Created | ChangeKind::Updated => view.insert(object.clone()),
        ChangeKind::Deleted => view.remove(&change.key),
    }
    Some(event(change, object, previous))
}

/// Makes events of changes that a view already contains, sharing its objects where they are still the same.
#[derive(Default)]
pub(super) struct Replay {
    last: HashMap<Key, Arc<Obj>>,
}

impl Replay {
    /// The event of the next change.
    pub(super) fn event(&mut self, view: &View, change: &Change) -> Option<Arc<Event>> {
        let known = self.last.remove(&change.key);
        let previous = change.previous.as_ref().and_then(|previous| {
            known
                .filter(|object| object.revision == previous.revision)
                .or_else(|| parse(&change.key, previous.revision, &previous.value))
        });
        let current = view.get(&change.key);
        let object = current
            .filter(|object| object.revision == change.revision)
            .cloned()
            .or_else(|| parse(&change.key, change.revision, &change.value))?;
        if change.kind != ChangeKind::Deleted {
            self.last.insert(change.key.clone(), object.clone());
        }
        Some(event(change, object, previous))
    }
}

fn event(change: &Change, object: Arc<Obj>, previous: Option<Arc<Obj>>) -> Arc<Event> {
    Arc::new(Event {
        revision: change.revision,
        kind: change.kind,
        object,
        previous,
    })
}

/// An object from stored bytes; `None`, and a line in the log, if they are not one.
pub(super) fn parse(key: &Key, revision: Revision, value: &[u8]) -> Option<Arc<Obj>> {
    match Obj::from_store(key.clone(), revision, value) {
        Ok(object) => Some(Arc::new(object)),
        Err(error) => {
            tracing::error!(%key, %revision, %error, "a stored object is not readable and is left out");
            None
        }
    }
}
