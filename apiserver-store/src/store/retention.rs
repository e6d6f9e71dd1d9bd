//! Decides what of the log may go. Pure: the clock's readings come from outside.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::Retention;
use crate::Revision;

/// Marks per retention age, and per retention size: how finely either limit is kept to.
const GRAIN: u32 = 32;

/// Remembers coarsely when revisions were committed and how much the log grew by them.
#[derive(Debug)]
pub(super) struct Marks {
    /// The newest mark that the log no longer reaches below; the log weighs what came after it.
    floor: Mark,
    /// Rising in every respect, above the floor.
    marks: VecDeque<Mark>,
    newest: Mark,
    /// Where the log ended when it was opened.
    opened: Revision,
}

/// Everything up to `revision` was committed at or before `at`.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Instant,
    revision: Revision,
    /// Bytes ever seen in the log up to `revision`.
    bytes: u64,
}

impl Marks {
    /// Starts with a log of the entries after `compacted` through `opened`, which count as committed now.
    pub(super) fn new(at: Instant, compacted: Revision, opened: Revision) -> Self {
        let floor = Mark {
            at,
            revision: compacted,
            bytes: 0,
        };
        let newest = Mark {
            revision: opened,
            ..floor
        };
        Self {
            floor,
            marks: VecDeque::from([newest]),
            newest,
            opened,
        }
    }

    /// What the observed commits weigh together.
    pub(super) fn observed_bytes(&self) -> u64 {
        self.newest.bytes
    }

    /// Learns what the log weighed before anything was observed.
    pub(super) fn set_initial_bytes(&mut self, bytes: u64) {
        let all = self
            .marks
            .iter_mut()
            .chain([&mut self.floor, &mut self.newest]);
        for mark in all.filter(|mark| mark.revision >= self.opened) {
            mark.bytes += bytes;
        }
    }

    /// Learns of commits up to `revision` that together weigh `bytes`.
    pub(super) fn observe(
        &mut self,
        at: Instant,
        revision: Revision,
        bytes: u64,
        policy: &Retention,
    ) {
        // The end of a burst before a pause is worth a mark, or it would seem as young as what follows.
        if at.duration_since(self.newest.at) >= policy.age / GRAIN {
            self.mark_newest();
        }
        self.newest = Mark {
            at,
            revision,
            bytes: self.newest.bytes + bytes,
        };
        let last = self.marks.back().unwrap_or(&self.floor);
        let due = at.duration_since(last.at) >= policy.age / GRAIN
            || self.newest.bytes - last.bytes >= policy.bytes / u64::from(GRAIN);
        if due {
            self.mark_newest();
        }
    }

    fn mark_newest(&mut self) {
        let last = self.marks.back().unwrap_or(&self.floor);
        if last.revision < self.newest.revision {
            self.marks.push_back(self.newest);
        }
    }

    /// The revision through which the log may go now, if that is more than `compacted`.
    pub(super) fn target(
        &self,
        now: Instant,
        compacted: Revision,
        policy: &Retention,
    ) -> Option<Revision> {
        let keep_from = self.newest.revision.get().saturating_sub(policy.changes);
        let old = |mark: &&Mark| now.duration_since(mark.at) >= policy.age;
        let aged = self.marks.iter().chain([&self.newest]).rev().find(old);
        let aged = aged.map(|mark| mark.revision.min(Revision::new(keep_from)));
        let fits = |mark: &&Mark| self.newest.bytes - mark.bytes <= policy.bytes;
        let weighed = if fits(&&self.floor) {
            None
        } else {
            Some(
                self.marks
                    .iter()
                    .find(fits)
                    .unwrap_or(&self.newest)
                    .revision,
            )
        };
        aged.max(weighed).filter(|target| *target > compacted)
    }

    /// Forgets what the log no longer holds, after a compaction through `compacted`.
    pub(super) fn forget(&mut self, compacted: Revision) {
        while let Some(mark) = self.marks.front().filter(|mark| mark.revision <= compacted) {
            self.floor = *mark;
            self.marks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const POLICY: Retention = Retention {
        age: Duration::from_secs(320),
        changes: 10,
        bytes: 3200,
    };

    /// One change of `bytes` per second for `count` seconds, from revision 100 on.
    fn history(count: u64, bytes: u64) -> (Instant, Marks) {
        let start = Instant::now();
        let mut marks = Marks::new(start, Revision::new(50), Revision::new(100));
        for second in 1..=count {
            let at = start + Duration::from_secs(second);
            marks.observe(at, Revision::new(100 + second), bytes, &POLICY);
        }
        (start, marks)
    }

    fn target(marks: &Marks, now: Instant) -> Option<u64> {
        marks
            .target(now, Revision::new(50), &POLICY)
            .map(Revision::get)
    }

    #[test]
    fn what_is_older_than_the_age_goes() {
        let (start, marks) = history(400, 1);
        assert_eq!(target(&marks, start + Duration::from_secs(319)), None);
        assert_eq!(target(&marks, start + Duration::from_secs(320)), Some(100));
        // Every tenth second has a mark; between them the rule errs towards keeping.
        assert_eq!(target(&marks, start + Duration::from_secs(399)), Some(170));
        assert_eq!(target(&marks, start + Duration::from_secs(400)), Some(180));
    }

    #[test]
    fn the_newest_changes_stay_however_old() {
        let (start, marks) = history(20, 1);
        assert_eq!(
            target(&marks, start + Duration::from_secs(99_999)),
            Some(110)
        );
    }

    #[test]
    fn what_is_too_heavy_goes_however_young() {
        let (start, marks) = history(100, 40);
        let now = start + Duration::from_secs(100);
        // 4000 bytes of 3200: at least 800 must go, and little more.
        let through = target(&marks, now).unwrap();
        assert!((120..=125).contains(&through), "{through}");
        let (_, light) = history(80, 40);
        assert_eq!(target(&light, now), None);
    }

    #[test]
    fn what_was_there_before_goes_first_when_too_heavy() {
        let (start, mut marks) = history(10, 1);
        marks.set_initial_bytes(5000);
        let now = start + Duration::from_secs(10);
        assert_eq!(target(&marks, now), Some(100));
        marks.forget(Revision::new(100));
        assert_eq!(marks.target(now, Revision::new(100), &POLICY), None);
    }

    #[test]
    fn one_huge_batch_can_go_as_a_whole() {
        let (start, mut marks) = history(1, 1);
        marks.observe(
            start + Duration::from_secs(2),
            Revision::new(150),
            9999,
            &POLICY,
        );
        assert_eq!(target(&marks, start + Duration::from_secs(2)), Some(150));
    }

    #[test]
    fn marks_do_not_pile_up() {
        let (start, mut marks) = history(10_000, 1);
        let through = marks.target(start + Duration::from_secs(10_000), Revision::ZERO, &POLICY);
        marks.forget(through.unwrap());
        assert!(marks.marks.len() < 70, "{}", marks.marks.len());
    }
}
