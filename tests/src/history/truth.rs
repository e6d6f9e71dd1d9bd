//! What has happened, as far as anybody saw it: every change under its revision, and each object's lives.

use std::collections::{BTreeMap, HashMap, btree_map::Entry};

use super::record::{Call, Event, History, Operation, Outcome, Revision, Version, Write};
use super::tell::Source;
use super::violation::{Kind, Violation};

/// A change that somebody saw.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point<'a> {
    pub(super) key: &'a str,
    pub(super) what: What,
    /// What was written; for a deletion, what was there.
    pub(super) value: &'a str,
    /// Who saw it first, in the order of the recording.
    pub(super) source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Created,
    Updated,
    Deleted,
}

/// From one write of an object to the next, or to its deletion.
#[derive(Clone, Debug)]
pub(super) struct Life<'a> {
    pub(super) born: Revision,
    pub(super) value: &'a str,
    /// From this revision on it may be gone; `Revision::MAX`: never.
    pub(super) may_end: Revision,
    /// At this revision it is gone.
    pub(super) must_end: Revision,
    /// An acknowledged deletion that nobody saw: its number.
    pub(super) deleter: Option<usize>,
}

/// All changes and all lives.
pub(super) struct Truth<'a> {
    pub(super) history: &'a History,
    pub(super) points: BTreeMap<Revision, Point<'a>>,
    pub(super) lines: BTreeMap<&'a str, Vec<Life<'a>>>,
    /// The write of each value.
    writers: HashMap<&'a str, usize>,
    /// The revision of each value, and who saw it first.
    revisions: HashMap<&'a str, (Revision, Source)>,
    /// The deletions of each revision of each object that may have happened.
    pub(super) deleters: HashMap<(&'a str, Revision), Vec<usize>>,
    /// The latest revision at which a list showed each revision of an object.
    shown: HashMap<(&'a str, Revision), Revision>,
    pub(super) violations: Vec<Violation>,
}

impl<'a> Truth<'a> {
    /// Puts together what was seen.
    ///
    /// # Panics
    /// Two writes write the same value.
    pub(super) fn of(history: &'a History) -> Self {
        let mut truth = Self {
            history,
            points: BTreeMap::new(),
            lines: BTreeMap::new(),
            writers: HashMap::new(),
            revisions: HashMap::new(),
            deleters: HashMap::new(),
            shown: HashMap::new(),
            violations: Vec::new(),
        };
        truth.index();
        truth.gather();
        truth.live();
        truth.settle_deletions();
        truth
    }

    fn index(&mut self) {
        for (number, operation) in self.history.operations.iter().enumerate() {
            let Call::Write {
                key,
                write,
                outcome,
            } = &operation.call
            else {
                continue;
            };
            if let Some(value) = write.value() {
                let twice = self.writers.insert(value, number);
                assert!(twice.is_none(), "{value:?} is written twice");
            }
            if let Write::Delete { expect } = write
                && !matches!(outcome, Outcome::Refused(_))
            {
                let deleters = self.deleters.entry((key, *expect)).or_default();
                deleters.push(number);
            }
        }
    }

    fn gather(&mut self) {
        for (number, operation) in self.history.operations.iter().enumerate() {
            let source = Source::Operation(number);
            match &operation.call {
                Call::Write {
                    key,
                    write: Write::Create { value } | Write::Update { value, .. },
                    outcome: Outcome::Done(Some(revision)),
                } => self.put(key, *revision, value, source),
                Call::Get {
                    key,
                    found: Some(version),
                    ..
                } => self.put(key, version.revision, &version.value, source),
                Call::List {
                    revision, items, ..
                } => {
                    for (key, version) in items {
                        self.put(key, version.revision, &version.value, source);
                        let shown = self.shown.entry((key, version.revision)).or_default();
                        *shown = (*shown).max(*revision);
                    }
                }
                Call::Write { .. } | Call::Get { .. } => {}
            }
        }
        for (number, watch) in self.history.watches.iter().enumerate() {
            for (place, seen) in watch.events.iter().enumerate() {
                let source = Source::Watch(number, place);
                match &seen.event {
                    Event::Added(key, version) | Event::Modified(key, version) => {
                        self.put(key, version.revision, &version.value, source);
                    }
                    Event::Deleted(key, version) => self.delete(key, version, source),
                    Event::Bookmark(_) | Event::InitialEnd(_) => {}
                }
            }
        }
    }

    /// Somebody saw that an object held a value under a revision.
    fn put(&mut self, key: &'a str, revision: Revision, value: &'a str, source: Source) {
        let Some((writer, write, outcome)) = self.writer(key, value) else {
            let what = format!("nobody has written {value:?} to {key}");
            return self.accuse(Kind::Phantom, &what, &[source]);
        };
        if let Outcome::Refused(_) = outcome {
            let sources = [Source::Operation(writer), source];
            return self.accuse(Kind::Phantom, "a refused write is there", &sources);
        }
        let known = *self.revisions.entry(value).or_insert((revision, source));
        if known.0 != revision {
            let sources = [known.1, source];
            self.accuse(Kind::Reused, "one write has two revisions", &sources);
        }
        let what = match write {
            Write::Create { .. } => What::Created,
            Write::Update { .. } | Write::Delete { .. } => What::Updated,
        };
        let point = Point {
            key,
            what,
            value,
            source,
        };
        self.add(revision, point);
    }

    fn delete(&mut self, key: &'a str, version: &'a Version, source: Source) {
        let point = Point {
            key,
            what: What::Deleted,
            value: &version.value,
            source,
        };
        self.add(version.revision, point);
    }

    fn add(&mut self, revision: Revision, point: Point<'a>) {
        let known = match self.points.entry(revision) {
            Entry::Vacant(place) => {
                place.insert(point);
                return;
            }
            Entry::Occupied(place) => *place.get(),
        };
        if (known.key, known.value) != (point.key, point.value)
            || (known.what == What::Deleted) != (point.what == What::Deleted)
        {
            let what = format!("revision {revision} belongs to two changes");
            self.accuse(Kind::Reused, &what, &[known.source, point.source]);
        }
    }

    /// The write of a value to an object.
    pub(super) fn writer(&self, key: &str, value: &str) -> Option<(usize, &'a Write, Outcome)> {
        let number = *self.writers.get(value)?;
        match &self.history.operations[number].call {
            Call::Write {
                key: written,
                write,
                outcome,
            } if written == key => Some((number, write, *outcome)),
            _ => None,
        }
    }

    /// The deletions that may have ended the life that began at `born`.
    pub(super) fn deleters(&self, key: &'a str, born: Revision) -> &[usize] {
        self.deleters.get(&(key, born)).map_or(&[], Vec::as_slice)
    }

    /// The first revision at which the life that began at `born` may be gone, if it ended unseen: it was there when a list showed it.
    pub(super) fn unseen_end(&self, key: &'a str, born: Revision) -> Revision {
        let shown = self.shown.get(&(key, born)).copied().unwrap_or_default();
        shown.max(born) + 1
    }

    /// The life of an object that began at a revision.
    pub(super) fn life(&self, key: &str, born: Revision) -> Option<&Life<'a>> {
        let line = self.lines.get(key)?;
        let place = line.binary_search_by_key(&born, |life| life.born).ok()?;
        line.get(place)
    }

    /// The revision at which the life that began at `born` was seen to be deleted.
    pub(super) fn deletion_of(&self, key: &str, born: Revision) -> Option<Revision> {
        let end = self.life(key, born)?.must_end;
        let point = self.points.get(&end)?;
        (point.what == What::Deleted && point.key == key).then_some(end)
    }

    /// The life that was under way right before a revision.
    pub(super) fn life_before(&self, key: &str, revision: Revision) -> Option<&Life<'a>> {
        let line = self.lines.get(key)?;
        let place = line.partition_point(|life| life.born < revision);
        line.get(place.checked_sub(1)?)
    }

    pub(super) fn accuse(&mut self, kind: Kind, what: &str, sources: &[Source]) {
        let mut evidence = what.to_owned();
        for source in sources {
            evidence.push_str("\n  ");
            evidence.push_str(&source.tell(self.history));
        }
        self.violations.push(Violation { kind, evidence });
    }

    /// The write that a life began with.
    pub(super) fn tell_life(&self, life: &Life<'_>) -> String {
        let writer = self.writers.get(life.value);
        let writer = writer.map(|number| &self.history.operations[*number]);
        let told = writer.map(Operation::to_string).unwrap_or_default();
        format!("  revision {}: {told}", life.born)
    }

    /// Who saw a change first.
    pub(super) fn tell_point(&self, revision: Revision) -> String {
        let point = self.points.get(&revision);
        let told = point.map(|point| point.source.tell(self.history));
        format!("  seen as {}", told.unwrap_or_default())
    }

    /// What is known of an object around a revision.
    pub(super) fn tell_line(&self, key: &str, around: Revision) -> String {
        const NEIGHBOURS: usize = 2;
        let Some(line) = self.lines.get(key) else {
            return format!("  {key} never was");
        };
        let place = line.partition_point(|life| life.born <= around);
        let first = place.saturating_sub(NEIGHBOURS);
        let lives = line.iter().skip(first).take(2 * NEIGHBOURS);
        let told: Vec<String> = lives
            .map(|life| {
                let end = match (life.may_end, life.must_end) {
                    (Revision::MAX, _) => "still there".to_owned(),
                    (end, other) if end == other => format!("until {end}"),
                    (end, Revision::MAX) => format!("perhaps until {end} or later"),
                    (end, other) => format!("until somewhere from {end} to {other}"),
                };
                format!("{} ({end})", self.tell_life(life))
            })
            .collect();
        told.join("\n")
    }
}
