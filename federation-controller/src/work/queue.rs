//! A keyed work queue: each key waits at most once, runs at most once at a time, and runs again if it was added while
//! it ran.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Backoff, Env};

/// Which keys go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Somebody changed the object on the hub and is waiting.
    Edit,
    /// Something happened in a member: status to bring back, drift to repair.
    Live,
    /// Lists, recoveries, retries, periodic passes.
    Backlog,
}

const LANES: usize = 3;

/// After this many keys from the same or higher lanes, a waiting lower lane gets one turn: edits overtake a backlog but
/// cannot starve it.
const TURNS_BEFORE_LOWER: u32 = 16;

struct State<K> {
    lanes: [VecDeque<K>; LANES],
    /// Keys that wait in a lane, with the highest priority asked for. An entry of a lane that does not agree is stale.
    waiting: HashMap<K, Priority>,
    running: HashSet<K>,
    /// Keys added while they ran.
    again: HashMap<K, Priority>,
    delayed: HashMap<K, (Instant, Priority)>,
    deadlines: BTreeSet<(Instant, K)>,
    failures: HashMap<K, u32>,
    turns: u32,
}

/// The queue. Cheap to clone; clones share everything.
pub struct Queue<K> {
    state: Arc<Mutex<State<K>>>,
    wake: Arc<Notify>,
    backoff: Backoff,
    env: Env,
}

impl<K> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
            wake: Arc::clone(&self.wake),
            backoff: self.backoff,
            env: self.env.clone(),
        }
    }
}

impl<K: Clone + Eq + Hash + Ord> Queue<K> {
    /// An empty queue whose [`Queue::retry`] waits as `backoff` says.
    #[must_use]
    pub fn new(backoff: Backoff, env: Env) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                lanes: [VecDeque::new(), VecDeque::new(), VecDeque::new()],
                waiting: HashMap::new(),
                running: HashSet::new(),
                again: HashMap::new(),
                delayed: HashMap::new(),
                deadlines: BTreeSet::new(),
                failures: HashMap::new(),
                turns: 0,
            })),
            wake: Arc::new(Notify::new()),
            backoff,
            env,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Asks for a run as soon as possible. A key that waits already moves up if `priority` is higher.
    pub fn add(&self, key: K, priority: Priority) {
        self.lock().add(key, priority);
        self.wake.notify_one();
    }

    /// Asks for a run after `delay`. Of several pending delays of one key the earliest counts.
    pub fn add_after(&self, key: K, delay: Duration, priority: Priority) {
        if delay.is_zero() {
            return self.add(key, priority);
        }
        self.lock().delay(key, Instant::now() + delay, priority);
        self.wake.notify_one();
    }

    /// Counts a failure of the key and asks for a run after the backoff that this number of failures calls for.
    pub fn retry(&self, key: K) {
        let delay = {
            let mut state = self.lock();
            let failures = state.failures.entry(key.clone()).or_insert(0);
            let delay = self.backoff.delay(*failures, self.env.unit());
            *failures = failures.saturating_add(1);
            delay
        };
        self.add_after(key, delay, Priority::Backlog);
    }

    /// Forgets the failures of the key.
    pub fn forget(&self, key: &K) {
        self.lock().failures.remove(key);
    }

    /// Keys that wait for a run now, those with a delay not counted.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Waits for the next key. It counts as running until [`Queue::done`]. Dropping the future loses nothing.
    pub async fn next(&self) -> K {
        loop {
            let notified = self.wake.notified();
            let deadline = {
                let mut state = self.lock();
                state.promote(Instant::now());
                if let Some(key) = state.pop() {
                    if !state.waiting.is_empty() {
                        self.wake.notify_one();
                    }
                    return key;
                }
                state.deadlines.first().map(|(at, _)| *at)
            };
            match deadline {
                Some(at) => tokio::select! {
                    () = notified => {}
                    () = tokio::time::sleep_until(at) => {}
                },
                None => notified.await,
            }
        }
    }

    /// Ends the run of a key; if it was added meanwhile it waits again.
    pub fn done(&self, key: &K) {
        let mut state = self.lock();
        state.running.remove(key);
        if let Some(priority) = state.again.remove(key) {
            state.add(key.clone(), priority);
            drop(state);
            self.wake.notify_one();
        }
    }
}

impl<K: Clone + Eq + Hash + Ord> State<K> {
    fn add(&mut self, key: K, priority: Priority) {
        if self.running.contains(&key) {
            let asked = self.again.entry(key).or_insert(priority);
            *asked = (*asked).min(priority);
            return;
        }
        if self.waiting.get(&key).is_some_and(|held| *held <= priority) {
            return;
        }
        self.waiting.insert(key.clone(), priority);
        self.lanes[priority as usize].push_back(key);
    }

    fn delay(&mut self, key: K, at: Instant, priority: Priority) {
        if let Some((held, _)) = self.delayed.get(&key) {
            if *held <= at {
                return;
            }
            self.deadlines.remove(&(*held, key.clone()));
        }
        self.deadlines.insert((at, key.clone()));
        self.delayed.insert(key, (at, priority));
    }

    fn promote(&mut self, now: Instant) {
        while let Some((at, _)) = self.deadlines.first() {
            if *at > now {
                return;
            }
            let (_, key) = self.deadlines.pop_first().expect("it was just seen");
            if let Some((_, priority)) = self.delayed.remove(&key) {
                self.add(key, priority);
            }
        }
    }

    fn pop(&mut self) -> Option<K> {
        let lower_first = self.turns >= TURNS_BEFORE_LOWER;
        let order: [usize; LANES] = if lower_first { [2, 1, 0] } else { [0, 1, 2] };
        for lane in order {
            while let Some(key) = self.lanes[lane].pop_front() {
                if self.waiting.get(&key).map(|held| *held as usize) != Some(lane) {
                    continue;
                }
                self.waiting.remove(&key);
                self.running.insert(key.clone());
                self.turns = if lower_first || lane == LANES - 1 {
                    0
                } else {
                    self.turns + 1
                };
                return Some(key);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> Queue<u32> {
        Queue::new(Backoff::OBJECT, Env::default())
    }

    #[tokio::test(start_paused = true)]
    async fn edits_overtake_a_backlog_and_do_not_starve_it() {
        let queue = queue();
        for key in 100..110 {
            queue.add(key, Priority::Backlog);
        }
        for key in 0..40 {
            queue.add(key, Priority::Edit);
        }
        let mut taken = Vec::new();
        for _ in 0..20 {
            let key = queue.next().await;
            queue.done(&key);
            taken.push(key);
        }
        assert_eq!(taken[..16], (0..16).collect::<Vec<_>>());
        assert_eq!(taken[16], 100);
        assert_eq!(taken[17], 16);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_never_runs_twice_at_once_and_runs_again_when_added_meanwhile() {
        let queue = queue();
        queue.add(1, Priority::Edit);
        queue.add(1, Priority::Backlog);
        assert_eq!(queue.next().await, 1);
        queue.add(1, Priority::Live);
        assert!(
            tokio::time::timeout(Duration::from_secs(1), queue.next())
                .await
                .is_err()
        );
        queue.done(&1);
        assert_eq!(queue.next().await, 1);
        queue.done(&1);
        assert_eq!(queue.depth(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_key_moves_up() {
        let queue = queue();
        queue.add(1, Priority::Backlog);
        queue.add(2, Priority::Live);
        queue.add(1, Priority::Edit);
        assert_eq!(queue.next().await, 1);
        assert_eq!(queue.next().await, 2);
        assert!(
            tokio::time::timeout(Duration::from_secs(1), queue.next())
                .await
                .is_err()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_earlier_delay_wins() {
        let queue = queue();
        let start = Instant::now();
        queue.add_after(1, Duration::from_secs(60), Priority::Backlog);
        queue.add_after(1, Duration::from_secs(5), Priority::Backlog);
        queue.add_after(1, Duration::from_secs(30), Priority::Backlog);
        assert_eq!(queue.next().await, 1);
        assert_eq!(start.elapsed().as_secs(), 5);
        queue.done(&1);
        assert!(
            tokio::time::timeout(Duration::from_secs(120), queue.next())
                .await
                .is_err()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn retries_wait_longer_each_time_until_forgotten() {
        let queue = queue();
        let mut waits = Vec::new();
        for _ in 0..12 {
            let start = Instant::now();
            queue.retry(7);
            queue.next().await;
            queue.done(&7);
            waits.push(start.elapsed());
        }
        assert!(waits[0] <= Duration::from_millis(501));
        assert!(waits[11] >= Duration::from_secs(6));
        queue.forget(&7);
        let start = Instant::now();
        queue.retry(7);
        queue.next().await;
        assert!(start.elapsed() <= Duration::from_millis(501));
    }
}
