//! Which servers an agent has, and when it looks for another: decisions only.
//!
//! Servers stand behind one address. Each says its id and how many there are, so the only way to reach all of them is to connect until
//! all have been met, and to drop the second connection to one.

use std::collections::HashSet;
use std::time::Duration;

use super::AgentTiming;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    /// There is a connection to this server.
    Duplicate,
}

#[derive(Debug)]
pub(super) struct Pool {
    timing: AgentTiming,
    wanted: usize,
    servers: HashSet<String>,
    /// Attempts in a row that brought no new server.
    vain: u32,
    first: bool,
}

impl Pool {
    pub(super) fn new(timing: AgentTiming) -> Self {
        Self {
            timing,
            wanted: 1,
            servers: HashSet::new(),
            vain: 0,
            first: true,
        }
    }

    pub(super) fn welcomed(&mut self, server: &str, count: usize) -> Verdict {
        self.wanted = count.max(1);
        self.first = false;
        if self.servers.insert(server.to_owned()) {
            self.vain = 0;
            return Verdict::Keep;
        }
        self.vain = self.vain.saturating_add(1);
        Verdict::Duplicate
    }

    pub(super) fn failed(&mut self) {
        self.first = false;
        self.vain = self.vain.saturating_add(1);
    }

    pub(super) fn lost(&mut self, server: &str) {
        self.servers.remove(server);
    }

    pub(super) fn connected(&self) -> usize {
        self.servers.len()
    }

    pub(super) fn wanted(&self) -> usize {
        self.wanted
    }

    /// How long to wait before the next attempt; `None` until a connection is lost. `unit` in `0.0..1.0` spreads agents that lost the same
    /// server: only a wait that may be short for some is short for none together.
    pub(super) fn next(&self, unit: f64) -> Option<Duration> {
        let AgentTiming {
            retry,
            retry_most,
            probe,
            ..
        } = self.timing;
        if self.servers.len() < self.wanted {
            if self.first {
                return Some(Duration::ZERO);
            }
            let longest = retry
                .saturating_mul(1 << self.vain.min(16))
                .min(retry_most.max(retry));
            return Some(longest.mul_f64(unit.clamp(0.0, 1.0)));
        }
        (self.wanted > 1).then(|| probe.mul_f64(0.9 + unit.clamp(0.0, 1.0) / 5.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pool() -> Pool {
        Pool::new(AgentTiming::default())
    }

    #[test]
    fn the_first_attempt_is_at_once_and_one_server_is_enough_where_there_is_one() {
        let mut pool = pool();
        assert_eq!(pool.next(0.9), Some(Duration::ZERO));
        assert_eq!(pool.welcomed("a", 1), Verdict::Keep);
        assert_eq!(pool.next(0.9), None);
        pool.lost("a");
        assert_eq!(pool.next(1.0), Some(Duration::from_secs(1)));
        assert_eq!(pool.next(0.0), Some(Duration::ZERO));
    }

    #[test]
    fn servers_are_looked_for_until_all_are_met() {
        let mut pool = pool();
        assert_eq!(pool.welcomed("a", 2), Verdict::Keep);
        assert_eq!(pool.welcomed("a", 2), Verdict::Duplicate);
        assert_eq!(pool.next(1.0), Some(Duration::from_secs(2)));
        assert_eq!(pool.welcomed("b", 2), Verdict::Keep);
        assert_eq!(
            pool.next(0.5),
            Some(Duration::from_secs(300)),
            "more may come"
        );
        pool.lost("a");
        assert_eq!(pool.next(1.0), Some(Duration::from_secs(1)));
    }

    proptest! {
        #[test]
        fn waits_are_bounded(vain in 0_u32..200, unit in 0.0_f64..1.0) {
            let mut pool = pool();
            for _ in 0..vain {
                pool.failed();
            }
            let wait = pool.next(unit).unwrap();
            prop_assert!(wait <= Duration::from_secs(10));
        }
    }
}
