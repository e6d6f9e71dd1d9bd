//! Whether watches told everything, in order, as it was.

use std::collections::BTreeMap;

use super::reads::check_items;
use super::record::{Event, Origin, Revision, Version};
use super::tell::Source;
use super::time::is_mark;
use super::truth::{Truth, What};
use super::violation::Kind;

/// Looks at every watch.
pub(super) fn check(truth: &mut Truth<'_>) {
    for number in 0..truth.history.watches.len() {
        let watch = &truth.history.watches[number];
        match watch.origin {
            Origin::After(revision) => check_changes(truth, number, 0, revision),
            Origin::Initial => {
                if let Some((first, revision)) = check_initial(truth, number) {
                    check_changes(truth, number, first, revision);
                }
            }
        }
    }
}

/// The objects to begin with are a state. Returns where the changes begin, and after which revision.
fn check_initial(truth: &mut Truth<'_>, number: usize) -> Option<(usize, Revision)> {
    let watch = &truth.history.watches[number];
    let mut items: BTreeMap<String, Version> = BTreeMap::new();
    for (place, seen) in watch.events.iter().enumerate() {
        let source = Source::Watch(number, place);
        match &seen.event {
            Event::Added(key, version) => {
                if items.insert(key.clone(), version.clone()).is_some() {
                    truth.accuse(Kind::Reordered, "an object begins twice", &[source]);
                }
            }
            Event::InitialEnd(revision) => {
                check_items(truth, source, *revision, &items);
                return Some((place + 1, *revision));
            }
            Event::Modified(..) | Event::Deleted(..) | Event::Bookmark(_) => {
                let what = "this came before the end of the objects to begin with";
                truth.accuse(Kind::Misreported, what, &[source]);
            }
        }
    }
    None
}

/// From the event of number `first` on, the watch tells every change after `origin`.
fn check_changes(truth: &mut Truth<'_>, number: usize, first: usize, origin: Revision) {
    let events = &truth.history.watches[number].events;
    // Everything up to here was told, or accused.
    let mut told = origin;
    let mut last = Source::Watch(number, first.saturating_sub(1));
    for (place, seen) in events.iter().enumerate().skip(first) {
        let source = Source::Watch(number, place);
        let revision = seen.event.revision();
        let in_order = if is_mark(&seen.event) {
            revision >= told
        } else {
            revision > told
        };
        if !in_order {
            let what = format!("everything until {told} had been told before");
            let before = if place == first { source } else { last };
            truth.accuse(Kind::Reordered, &what, &[before, source]);
            continue;
        }
        check_missed(truth, told, &seen.event, source);
        check_event(truth, &seen.event, source);
        told = revision;
        last = source;
    }
}

/// Nothing lies between what was told and this event.
fn check_missed(truth: &mut Truth<'_>, told: Revision, event: &Event, source: Source) {
    let through = if is_mark(event) {
        event.revision() + 1
    } else {
        event.revision()
    };
    let missed: Vec<Revision> = truth
        .points
        .range(told + 1..through)
        .map(|(revision, _)| *revision)
        .collect();
    for revision in missed {
        let what = format!(
            "the change {revision} was not told\n{}",
            truth.tell_point(revision)
        );
        truth.accuse(Kind::Missed, &what, &[source]);
    }
}

/// The event is the change of its revision.
fn check_event(truth: &mut Truth<'_>, event: &Event, source: Source) {
    let (key, what) = match event {
        Event::Added(key, _) => (key, What::Created),
        Event::Modified(key, _) => (key, What::Updated),
        Event::Deleted(key, _) => (key, What::Deleted),
        Event::Bookmark(_) | Event::InitialEnd(_) => return,
    };
    let revision = event.revision();
    // What was seen of a phantom was accused when it was gathered.
    let Some(point) = truth.points.get(&revision).copied() else {
        return;
    };
    if point.key == key && point.what != what {
        let told = truth.tell_point(revision);
        let what = format!("that change was another one\n{told}");
        truth.accuse(Kind::Misreported, &what, &[source]);
    }
}
