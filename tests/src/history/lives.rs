//! The lives of objects: whether the changes that were seen can follow each other.

use super::record::{Call, Outcome, Revision, Write};
use super::tell::Source;
use super::truth::{Life, Point, Truth, What};
use super::violation::Kind;

/// Which promise a change breaks, and how.
type Misfit = (Kind, String);

impl<'a> Truth<'a> {
    /// Strings the changes of each object together.
    pub(super) fn live(&mut self) {
        let points: Vec<(Revision, Point<'a>)> = self
            .points
            .iter()
            .map(|(at, point)| (*at, *point))
            .collect();
        for (revision, point) in points {
            let current = self.lines.entry(point.key).or_default().last().cloned();
            let current = current.filter(|life| life.may_end == Revision::MAX);
            let fits = match point.what {
                What::Created => self.can_create(revision, &point, current.as_ref()),
                What::Updated => self.can_update(&point, current.as_ref()),
                What::Deleted => self.can_delete(&point, current.as_ref()),
            };
            if let Err((kind, what)) = fits {
                self.accuse(kind, &what, &[point.source]);
            }
            let unseen_end = current.map(|life| self.unseen_end(point.key, life.born));
            let line = self.lines.entry(point.key).or_default();
            if let Some(last) = line.last_mut().filter(|last| last.may_end == Revision::MAX) {
                // One that was deleted unseen, before it was created anew, ended somewhere in between.
                let seen = point.what != What::Created;
                last.must_end = if seen { revision } else { revision - 1 };
                let unseen_end = unseen_end.unwrap_or(last.born + 1).min(last.must_end);
                last.may_end = if seen { revision } else { unseen_end };
            }
            if point.what != What::Deleted {
                line.push(Life {
                    born: revision,
                    value: point.value,
                    may_end: Revision::MAX,
                    must_end: Revision::MAX,
                    deleter: None,
                });
            }
        }
    }

    fn can_create(
        &self,
        revision: Revision,
        point: &Point<'a>,
        current: Option<&Life<'a>>,
    ) -> Result<(), Misfit> {
        match current {
            Some(life) if self.deleters(point.key, life.born).is_empty() => {
                let (key, born) = (point.key, life.born);
                let what = format!(
                    "{key} was created at {revision} though it was there since {born}\n{}",
                    self.tell_life(life)
                );
                Err((Kind::Overwritten, what))
            }
            _ => Ok(()),
        }
    }

    fn can_update(&self, point: &Point<'a>, current: Option<&Life<'a>>) -> Result<(), Misfit> {
        let key = point.key;
        let Some(life) = current else {
            let what = format!("{key} was updated though it was not there");
            return Err((Kind::Overwritten, what));
        };
        let Some((_, Write::Update { expect, .. }, _)) = self.writer(key, point.value) else {
            return Ok(());
        };
        match expect {
            Some(expect) if *expect != life.born => {
                let what = format!(
                    "{:?} was to replace revision {expect} of {key} and replaced {}\n{}",
                    point.value,
                    life.born,
                    self.tell_life(life)
                );
                Err((Kind::Overwritten, what))
            }
            _ => Ok(()),
        }
    }

    fn can_delete(&self, point: &Point<'a>, current: Option<&Life<'a>>) -> Result<(), Misfit> {
        let key = point.key;
        let Some(life) = current else {
            let what = format!("{key} was deleted though it was not there");
            return Err((Kind::Phantom, what));
        };
        if self.deleters(key, life.born).is_empty() {
            let what = format!("nobody has deleted revision {} of {key}", life.born);
            return Err((Kind::Phantom, what));
        }
        if life.value != point.value {
            let what = format!("{key} held {:?} when it was deleted", life.value);
            return Err((Kind::Misreported, what));
        }
        Ok(())
    }

    /// Finds the lives that ended unseen, and the acknowledged deletions that ended none.
    pub(super) fn settle_deletions(&mut self) {
        let history = self.history;
        let is_done = |number: &&usize| {
            matches!(
                &history.operations[**number].call,
                Call::Write {
                    outcome: Outcome::Done(_),
                    ..
                }
            )
        };
        let mut wrong = Vec::new();
        for ((key, expect), deleters) in &self.deleters {
            let done: Vec<usize> = deleters.iter().filter(is_done).copied().collect();
            let sources: Vec<Source> = done.iter().copied().map(Source::Operation).collect();
            if done.len() > 1 {
                let what = format!("revision {expect} of {key} was deleted more than once");
                wrong.push((Kind::Overwritten, what, sources.clone()));
            }
            let unseen_end = self.unseen_end(key, *expect);
            let line = self.lines.get_mut(key);
            let life = line.and_then(|line| line.iter_mut().find(|life| life.born == *expect));
            let Some(life) = life else {
                if !done.is_empty() {
                    let what = format!("a deletion of a revision of {key} that nobody saw");
                    wrong.push((Kind::Phantom, what, sources));
                }
                continue;
            };
            if life.may_end == Revision::MAX {
                life.may_end = unseen_end;
                life.deleter = done.first().copied();
                continue;
            }
            let next = self.points.get(&life.must_end);
            if let Some(next) = next.filter(|next| next.what == What::Updated && next.key == *key)
                && !done.is_empty()
            {
                let what = format!("a deletion of {key} was acknowledged, but it went on");
                let sources = sources.into_iter().chain([next.source]).collect();
                wrong.push((Kind::Lost, what, sources));
            }
        }
        for (kind, what, sources) in wrong {
            self.accuse(kind, &what, &sources);
        }
    }
}
