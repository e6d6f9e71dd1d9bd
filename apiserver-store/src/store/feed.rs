//! What was committed: the watermark everyone waits on, and the newest changes in memory.
//!
//! Streams pull: each has its own cursor, so a slow one costs nothing but its own reading of the log. The ring
//! is only a shortcut for the newest part of the log; when it lacks something, or has to start over because
//! another process wrote in between, the log has it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::watch, time::Instant};

use super::{StoreOptions, retention::Marks};
use crate::{Change, Head, Revision};

/// How far the history is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// Everything up to here is durable and may be shown.
    pub(super) committed: Revision,
    /// Everything up to here may be gone from the log.
    pub(super) compacted: Revision,
    /// Which run of revisions these belong to.
    pub(super) epoch: u64,
    /// Nothing will be added any more.
    pub(super) closed: bool,
}

#[derive(Debug)]
pub(super) struct Feed {
    progress: watch::Sender<Progress>,
    recent: Mutex<Recent>,
    options: StoreOptions,
}

#[derive(Debug)]
struct Recent {
    /// Consecutive batches without a gap between them.
    batches: VecDeque<Arc<[Change]>>,
    changes: usize,
    bytes: usize,
    marks: Marks,
}

impl Feed {
    pub(super) fn new(head: Head, options: StoreOptions) -> Self {
        let Head {
            revision: committed,
            compacted,
            epoch,
        } = head;
        let recent = Recent {
            batches: VecDeque::new(),
            changes: 0,
            bytes: 0,
            marks: Marks::new(Instant::now(), compacted, committed),
        };
        Self {
            progress: watch::Sender::new(Progress {
                committed,
                compacted,
                epoch,
                closed: false,
            }),
            recent: Mutex::new(recent),
            options,
        }
    }

    pub(super) fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Tells everyone of durable, consecutive changes. What was told before is not told again: the writer and the
    /// follower may both know. What lies between the last one told and the first of these has to be read from
    /// the log.
    pub(super) fn publish(&self, changes: &Arc<[Change]>) {
        let mut recent = self.recent();
        let committed = self.progress().committed;
        let new = changes.partition_point(|change| change.revision <= committed);
        let Some(last) = changes.get(new..).and_then(<[Change]>::last) else {
            return;
        };
        if new == 0 {
            recent.push(changes, &self.options);
        } else {
            recent.push(&changes.iter().skip(new).cloned().collect(), &self.options);
        }
        // Under the lock, so that revisions are told in order.
        self.progress
            .send_modify(|progress| progress.committed = last.revision);
    }

    /// Everything up to `head` is history that cannot be told any more: the log was compacted before it was read
    /// here, or the numbers jumped because the database lost a part of them. Who follows has to start anew.
    pub(super) fn skip_to(&self, head: Head) {
        let mut recent = self.recent();
        recent.clear();
        self.progress.send_modify(|progress| {
            progress.committed = progress.committed.max(head.revision);
            progress.compacted = progress.compacted.max(head.compacted);
            progress.epoch = head.epoch;
        });
        recent.marks.forget(head.compacted);
    }

    /// Tells everyone that there are changes, but not which: they have to be read from the log.
    pub(super) fn publish_unread(&self, changes: &[Change]) {
        let Some(last) = changes.last() else { return };
        let mut recent = self.recent();
        recent.clear();
        self.progress
            .send_modify(|progress| progress.committed = progress.committed.max(last.revision));
    }

    /// Tells everyone that entries up to `through` can no longer be read.
    pub(super) fn compacted(&self, through: Revision) {
        self.progress
            .send_modify(|progress| progress.compacted = progress.compacted.max(through));
        self.recent().marks.forget(through);
    }

    /// Ends all streams once they have told everything.
    pub(super) fn close(&self) {
        self.progress.send_modify(|progress| progress.closed = true);
    }

    /// The changes right after `cursor`, if they are in memory.
    pub(super) fn after(&self, cursor: Revision) -> Option<Arc<[Change]>> {
        self.recent().after(cursor)
    }

    /// Runs `decide` on the record of when what was committed.
    pub(super) fn with_marks<T>(&self, decide: impl FnOnce(&mut Marks) -> T) -> T {
        decide(&mut self.recent().marks)
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        // The ring is whole between any two of its statements: a reader checks what it takes.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
    fn push(&mut self, changes: &Arc<[Change]>, options: &StoreOptions) {
        let (Some(first), Some(last)) = (changes.first(), changes.last()) else {
            return;
        };
        let end = self.batches.back().and_then(|batch| batch.last());
        if end.is_some_and(|end| end.revision.next() != first.revision) {
            self.clear();
        }
        let bytes = weight(changes);
        self.changes += changes.len();
        self.bytes += bytes;
        self.batches.push_back(changes.clone());
        while (self.changes > options.live_changes || self.bytes > options.live_bytes)
            && self.batches.len() > 1
        {
            let Some(oldest) = self.batches.pop_front() else {
                break;
            };
            self.changes -= oldest.len();
            self.bytes -= weight(&oldest);
        }
        if let Some(policy) = &options.retention {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            self.marks
                .observe(Instant::now(), last.revision, bytes, policy);
        }
    }

    fn clear(&mut self) {
        self.batches.clear();
        (self.changes, self.bytes) = (0, 0);
    }

    fn after(&self, cursor: Revision) -> Option<Arc<[Change]>> {
        let wanted = cursor.next();
        let starts_before = |batch: &Arc<[Change]>| {
            batch
                .first()
                .is_some_and(|change| change.revision <= wanted)
        };
        let index = self.batches.partition_point(starts_before).checked_sub(1)?;
        let batch = self.batches.get(index)?;
        let skip = batch.iter().position(|change| change.revision == wanted)?;
        Some(if skip == 0 {
            batch.clone()
        } else {
            batch.get(skip..)?.into()
        })
    }
}

fn weight(changes: &[Change]) -> usize {
    changes.iter().map(Change::weight).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChangeKind, Key};

    fn changes(revisions: std::ops::RangeInclusive<u64>) -> Arc<[Change]> {
        let change = |revision| Change {
            revision: Revision::new(revision),
            key: Key::new("/x", "", "a"),
            kind: ChangeKind::Created,
            create_revision: Revision::new(revision),
            value: "12345678".into(),
            previous: None,
        };
        revisions.map(change).collect()
    }

    fn told(feed: &Feed, cursor: u64) -> Option<Vec<u64>> {
        let batch = feed.after(Revision::new(cursor))?;
        Some(batch.iter().map(|change| change.revision.get()).collect())
    }

    fn feed(options: StoreOptions) -> Feed {
        let head = Head {
            revision: Revision::new(5),
            compacted: Revision::ZERO,
            epoch: 1,
        };
        Feed::new(head, options)
    }

    #[test]
    fn a_cursor_gets_what_follows_it() {
        let feed = feed(StoreOptions::default());
        feed.publish(&changes(6..=8));
        feed.publish(&changes(9..=9));
        assert_eq!(told(&feed, 4), None);
        assert_eq!(told(&feed, 5), Some(vec![6, 7, 8]));
        assert_eq!(told(&feed, 7), Some(vec![8]));
        assert_eq!(told(&feed, 8), Some(vec![9]));
        assert_eq!(told(&feed, 9), None);
        assert_eq!(feed.progress().committed, Revision::new(9));
    }

    #[test]
    fn memory_is_bounded_by_number_and_weight() {
        let by_number = feed(StoreOptions {
            live_changes: 3,
            ..StoreOptions::default()
        });
        let by_weight = feed(StoreOptions {
            live_bytes: 24,
            ..StoreOptions::default()
        });
        for feed in [by_number, by_weight] {
            feed.publish(&changes(6..=7));
            feed.publish(&changes(8..=9));
            assert_eq!(told(&feed, 5), None);
            assert_eq!(told(&feed, 7), Some(vec![8, 9]));
        }
    }

    #[test]
    fn what_two_tell_is_told_once() {
        let feed = feed(StoreOptions::default());
        feed.publish(&changes(6..=8));
        feed.publish(&changes(7..=9));
        feed.publish(&changes(6..=7));
        assert_eq!(told(&feed, 5), Some(vec![6, 7, 8]));
        assert_eq!(told(&feed, 8), Some(vec![9]));
        assert_eq!(feed.progress().committed, Revision::new(9));
    }

    #[test]
    fn after_a_jump_nothing_old_is_told() {
        let feed = feed(StoreOptions::default());
        feed.publish(&changes(6..=8));
        let jumped = Revision::new(1 << 32);
        feed.skip_to(Head {
            revision: jumped,
            compacted: jumped,
            epoch: 2,
        });
        assert_eq!(told(&feed, 5), None);
        let progress = feed.progress();
        assert_eq!(
            (progress.committed, progress.compacted, progress.epoch),
            (jumped, jumped, 2)
        );
    }

    #[test]
    fn a_gap_starts_the_ring_over() {
        let feed = feed(StoreOptions::default());
        feed.publish(&changes(6..=7));
        feed.publish(&changes(10..=10));
        assert_eq!(told(&feed, 5), None);
        assert_eq!(told(&feed, 7), None);
        assert_eq!(told(&feed, 9), Some(vec![10]));
    }
}
