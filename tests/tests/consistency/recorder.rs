//! Where everything that happens to the clients is written down.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use federation_tests::history::{Call, History, Operation, Outcome, Time, Watch};

/// Shared by all clients: one clock, one book.
#[derive(Debug)]
pub(crate) struct Recorder {
    start: Instant,
    book: Mutex<Book>,
    acknowledged: AtomicUsize,
}

/// What was written down.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// For the checker.
    pub(crate) history: History,
    /// Answers that no server should give.
    pub(crate) surprises: Vec<String>,
    /// Reads and watches that were told to begin anew because what they asked for is forgotten.
    pub(crate) expired: usize,
    /// Reads that were told to come back later.
    pub(crate) unavailable: usize,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            book: Mutex::default(),
            acknowledged: AtomicUsize::new(0),
        }
    }

    /// The time.
    pub(crate) fn now(&self) -> Time {
        u64::try_from(self.start.elapsed().as_nanos()).expect("tests do not run for centuries")
    }

    /// Writes down what came of a request that was sent at `start` and is over now.
    pub(crate) fn record(&self, client: &str, start: Time, call: Call) {
        let end = self.now();
        if let Call::Write {
            outcome: Outcome::Done(_),
            ..
        } = call
        {
            self.acknowledged.fetch_add(1, Ordering::AcqRel);
        }
        self.book().history.operations.push(Operation {
            client: client.to_owned(),
            start,
            end,
            call,
        });
    }

    /// How many writes were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// Writes down a watch that is over.
    pub(crate) fn watched(&self, watch: Watch) {
        self.book().history.watches.push(watch);
    }

    /// Writes something else down.
    pub(crate) fn note(&self, note: impl FnOnce(&mut Book)) {
        note(&mut self.book());
    }

    /// Everything so far, and begins a new book.
    pub(crate) fn take(&self) -> Book {
        std::mem::take(&mut self.book())
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
