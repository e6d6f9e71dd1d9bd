//! Revisions against the clock.

use super::record::{Call, Event, Freshness, Outcome, Revision, Time, Write};
use super::tell::Source;
use super::truth::{Truth, What};
use super::violation::Kind;

/// Somebody had seen a revision at some time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    pub(super) at: Time,
    pub(super) revision: Revision,
    source: Source,
}

/// Which revisions there can have been when.
pub(super) struct Clock {
    /// By revision: when the write that began last, of it and all before it, began; and that write's revision.
    starts: Vec<(Revision, Time, Revision)>,
    /// All that was seen, by time.
    pub(super) sightings: Vec<Sighting>,
}

impl Clock {
    /// Reads the clock off what was seen.
    pub(super) fn of(truth: &Truth<'_>) -> Self {
        let mut starts: Vec<(Revision, Time, Revision)> = Vec::new();
        for (&revision, point) in &truth.points {
            let begun = match point.what {
                What::Created | What::Updated => truth.writer(point.key, point.value).map(|w| w.0),
                What::Deleted => truth
                    .life_before(point.key, revision)
                    .and_then(|life| truth.deleters(point.key, life.born).first().copied()),
            };
            let begun = begun.map_or(0, |number| truth.history.operations[number].start);
            let latest = match starts.last() {
                Some(&(_, time, at)) if time >= begun => (revision, time, at),
                _ => (revision, begun, revision),
            };
            starts.push(latest);
        }
        let mut sightings = sightings(truth);
        sightings.sort_by_key(|sighting| sighting.at);
        Self { starts, sightings }
    }

    /// The highest revision that there can have been at some time.
    pub(super) fn ceiling(&self, time: Time) -> Revision {
        let place = self.starts.partition_point(|(_, begun, _)| *begun <= time);
        self.starts
            .get(place)
            .map_or(Revision::MAX, |(revision, ..)| revision - 1)
    }

    /// Accuses what was seen before it, or something of a lower revision, began.
    pub(super) fn check(&self, truth: &mut Truth<'_>) {
        for sighting in &self.sightings {
            let place = self
                .starts
                .partition_point(|(revision, ..)| *revision <= sighting.revision);
            let Some(&(_, begun, at)) = place.checked_sub(1).and_then(|p| self.starts.get(p))
            else {
                continue;
            };
            if begun <= sighting.at {
                continue;
            }
            let what = format!(
                "revision {at} began after revision {} was seen\n{}",
                sighting.revision,
                truth.tell_point(at)
            );
            truth.accuse(Kind::Disorder, &what, &[sighting.source]);
        }
    }
}

/// Everything that shows a revision, with the time by which it was shown.
fn sightings(truth: &Truth<'_>) -> Vec<Sighting> {
    let history = truth.history;
    let mut sightings = Vec::new();
    for (number, operation) in history.operations.iter().enumerate() {
        let source = Source::Operation(number);
        let revision = match &operation.call {
            Call::Write {
                outcome: Outcome::Done(Some(revision)),
                ..
            }
            | Call::List { revision, .. } => *revision,
            Call::Get {
                found: Some(found), ..
            } => found.revision,
            Call::Write {
                key,
                write: Write::Delete { expect },
                outcome: Outcome::Done(_),
            } => match truth.deletion_of(key, *expect) {
                Some(revision) => revision,
                None => continue,
            },
            Call::Write { .. } | Call::Get { .. } => continue,
        };
        sightings.push(Sighting {
            at: operation.end,
            revision,
            source,
        });
    }
    for (number, watch) in history.watches.iter().enumerate() {
        for (place, seen) in watch.events.iter().enumerate() {
            sightings.push(Sighting {
                at: seen.at,
                revision: seen.event.revision(),
                source: Source::Watch(number, place),
            });
        }
    }
    sightings
}

/// What was known when: grows as reads are looked at by the time of their ends.
pub(super) struct Known {
    /// Time, and the highest revision that was seen by then.
    floors: Vec<(Time, Revision)>,
    next: usize,
}

impl Known {
    pub(super) fn new() -> Self {
        Self {
            floors: Vec::new(),
            next: 0,
        }
    }

    /// Takes in what was seen until some time.
    pub(super) fn advance(&mut self, clock: &Clock, time: Time) {
        while let Some(sighting) = clock.sightings.get(self.next).filter(|s| s.at <= time) {
            self.add(sighting.at, sighting.revision);
            self.next += 1;
        }
    }

    /// Somebody knew a revision at a time, which is not before any other.
    pub(super) fn add(&mut self, at: Time, revision: Revision) {
        let highest = self.floors.last().map_or(0, |(_, highest)| *highest);
        self.floors.push((at, highest.max(revision)));
    }

    /// The oldest state that a read may show which began at `start`.
    pub(super) fn floor(&self, start: Time, freshness: Freshness) -> Revision {
        match freshness {
            Freshness::Latest => {
                let place = self.floors.partition_point(|(at, _)| *at < start);
                let last = place.checked_sub(1).and_then(|last| self.floors.get(last));
                last.map_or(0, |(_, highest)| *highest)
            }
            Freshness::Any => 0,
            Freshness::NotOlderThan(revision) | Freshness::Exact(revision) => revision,
        }
    }
}

/// Whether an event shows a state that was, and not only a change.
pub(super) fn is_mark(event: &Event) -> bool {
    matches!(event, Event::Bookmark(_) | Event::InitialEnd(_))
}
