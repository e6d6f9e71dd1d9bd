//! Whether what was read, and why writes were refused, can have been so.

use std::collections::BTreeMap;

use super::record::{Call, Freshness, Operation, Outcome, Refusal, Revision, Time, Version, Write};
use super::tell::Source;
use super::time::{Clock, Known};
use super::truth::{Life, Truth};
use super::violation::Kind;

/// The states that an answer can be about.
#[derive(Clone, Copy, Debug)]
struct Window {
    floor: Revision,
    ceiling: Revision,
}

impl Window {
    /// Whether some state in it is one of those from `first` up to, and not, `end`.
    fn meets(self, first: Revision, end: Revision) -> bool {
        end > self.floor && first <= self.ceiling
    }
}

/// Looks at every read and every refusal, by the time of their ends.
pub(super) fn check(truth: &mut Truth<'_>, clock: &Clock) {
    let history = truth.history;
    let mut order: Vec<usize> = (0..history.operations.len()).collect();
    order.sort_by_key(|number| history.operations[*number].end);
    let mut known = Known::new();
    for number in order {
        let operation = &history.operations[number];
        known.advance(clock, operation.end);
        let window = |freshness| Window {
            floor: known.floor(operation.start, freshness),
            ceiling: clock.ceiling(operation.end),
        };
        match &operation.call {
            Call::Get {
                key,
                freshness,
                found,
            } => {
                let window = window(*freshness);
                match found {
                    Some(found) => check_found(truth, number, key, found, window),
                    None => {
                        if let Some(since) = check_absent(truth, number, key, window) {
                            known.add(operation.end, since);
                        }
                    }
                }
            }
            Call::List {
                freshness,
                revision,
                items,
            } => {
                check_age(truth, number, *freshness, *revision, window(*freshness));
                check_items(truth, Source::Operation(number), *revision, items);
                check_deletions(truth, number, items);
            }
            Call::Write {
                key,
                write,
                outcome: Outcome::Refused(refusal),
            } => {
                let window = window(Freshness::Latest);
                check_refusal(truth, number, key, write, *refusal, window);
            }
            Call::Write { .. } => {}
        }
    }
}

fn check_found(truth: &mut Truth<'_>, number: usize, key: &str, found: &Version, window: Window) {
    let Some(life) = truth.life(key, found.revision).cloned() else {
        // It was seen, and so is known, or was accused already.
        return;
    };
    if life.must_end <= window.floor {
        let what = format!(
            "revision {} of {key} was read after revision {} was known\n{}",
            found.revision,
            window.floor,
            truth.tell_line(key, found.revision)
        );
        truth.accuse(Kind::Stale, &what, &[Source::Operation(number)]);
    }
    let operation = &truth.history.operations[number];
    if let Call::Get {
        freshness: Freshness::Latest,
        ..
    } = operation.call
    {
        check_deleted(truth, number, key, &life, operation.start);
    }
}

/// An acknowledged deletion that nobody saw must show in what is read after it.
fn check_deleted(truth: &mut Truth<'_>, number: usize, key: &str, life: &Life<'_>, start: Time) {
    let Some(deleter) = life.deleter else { return };
    if truth.history.operations[deleter].end < start {
        let what = format!("{key} is there after its deletion was acknowledged");
        let sources = [Source::Operation(deleter), Source::Operation(number)];
        truth.accuse(Kind::Lost, &what, &sources);
    }
}

/// Returns a revision that the state which was read has reached at least.
fn check_absent(
    truth: &mut Truth<'_>,
    number: usize,
    key: &str,
    window: Window,
) -> Option<Revision> {
    let absences = absences(truth, key);
    let fits = absences
        .iter()
        .find(|(first, end)| window.meets(*first, *end));
    if let Some((first, _)) = fits {
        return Some(*first);
    }
    let kind = if acknowledged_later(truth, key, window.floor) {
        Kind::Lost
    } else {
        Kind::Stale
    };
    let what = format!(
        "{key} was there from what was known before ({}) to what can have come until then\n{}",
        window.floor,
        truth.tell_line(key, window.floor)
    );
    truth.accuse(kind, &what, &[Source::Operation(number)]);
    None
}

/// Whether an object that is not found was there all the time, so that it is lost and the read not merely old.
fn acknowledged_later(truth: &Truth<'_>, key: &str, floor: Revision) -> bool {
    let line = truth.lines.get(key);
    line.and_then(|line| line.last())
        .is_some_and(|life| life.born <= floor && life.may_end == Revision::MAX)
}

/// From when until when an object was not there; the widest possible.
fn absences(truth: &Truth<'_>, key: &str) -> Vec<(Revision, Revision)> {
    let mut absences = Vec::new();
    let mut since = Some(0);
    for life in truth.lines.get(key).into_iter().flatten() {
        if let Some(since) = since
            && since < life.born
        {
            absences.push((since, life.born));
        }
        since = (life.may_end < Revision::MAX).then_some(life.may_end);
    }
    absences.extend(since.map(|since| (since, Revision::MAX)));
    absences
}

fn check_age(
    truth: &mut Truth<'_>,
    number: usize,
    freshness: Freshness,
    revision: Revision,
    window: Window,
) {
    let wrong = match freshness {
        Freshness::Exact(asked) => revision != asked,
        _ => revision < window.floor,
    };
    if wrong {
        let what = format!(
            "a list shows revision {revision}, but {} was known or asked for",
            window.floor
        );
        truth.accuse(Kind::Stale, &what, &[Source::Operation(number)]);
    }
}

/// Whether some objects are the whole state at a revision.
pub(super) fn check_items(
    truth: &mut Truth<'_>,
    source: Source,
    revision: Revision,
    items: &BTreeMap<String, Version>,
) {
    let mut wrong = Vec::new();
    for (key, line) in &truth.lines {
        let place = line.partition_point(|life| life.born <= revision);
        let life = place.checked_sub(1).and_then(|last| line.get(last));
        let shown = items.get(*key).map(|version| version.revision);
        let (born, must, may) = match life {
            Some(life) => (
                Some(life.born),
                life.may_end > revision,
                life.must_end > revision,
            ),
            None => (None, false, false),
        };
        let right = match shown {
            Some(shown) => may && born == Some(shown),
            None => !must,
        };
        if !right {
            let kind = if shown < born { Kind::Lost } else { Kind::Torn };
            let shown = shown.map_or("nothing".to_owned(), |shown| format!("revision {shown}"));
            let line = truth.tell_line(key, revision);
            wrong.push((
                kind,
                format!("of {key}, {shown} is shown at {revision}\n{line}"),
            ));
        }
    }
    for (kind, what) in wrong {
        truth.accuse(kind, &what, &[source]);
    }
}

fn check_deletions(truth: &mut Truth<'_>, number: usize, items: &BTreeMap<String, Version>) {
    let operation: &Operation = &truth.history.operations[number];
    if !matches!(
        operation.call,
        Call::List {
            freshness: Freshness::Latest,
            ..
        }
    ) {
        return;
    }
    for (key, version) in items {
        if let Some(life) = truth.life(key, version.revision).cloned() {
            check_deleted(truth, number, key, &life, operation.start);
        }
    }
}

fn check_refusal(
    truth: &mut Truth<'_>,
    number: usize,
    key: &str,
    write: &Write,
    refusal: Refusal,
    window: Window,
) {
    let line = truth.lines.get(key).map_or(&[][..], Vec::as_slice);
    let can_be = match (refusal, write) {
        (Refusal::Exists, _) => line
            .iter()
            .any(|life| window.meets(life.born, life.must_end)),
        (Refusal::Missing, _) => absences(truth, key)
            .iter()
            .any(|(first, end)| window.meets(*first, *end)),
        (
            Refusal::Conflict,
            Write::Update {
                expect: Some(expect),
                ..
            }
            | Write::Delete { expect },
        ) => !line.iter().any(|life| {
            life.born == *expect && life.born <= window.floor && life.may_end > window.ceiling
        }),
        (Refusal::Conflict | Refusal::Unavailable, _) => true,
    };
    if !can_be {
        let what = format!(
            "that was not so between revision {} and what can have come until then\n{}",
            window.floor,
            truth.tell_line(key, window.floor)
        );
        truth.accuse(Kind::Refused, &what, &[Source::Operation(number)]);
    }
}
