//! Random moments that can be had again.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

/// SplitMix64: a seed, printed, makes the same choices again.
#[derive(Clone, Debug)]
pub struct Moments(u64);

impl Moments {
    /// From `KOINON_SEED`, or from the clock. Prints the seed and returns it too.
    ///
    /// # Panics
    /// `KOINON_SEED` is not a number.
    #[must_use]
    pub fn start() -> (u64, Self) {
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH);
        let seed = env::var("KOINON_SEED").map_or_else(
            |_| clock().map_or(0, |now| now.subsec_nanos().into()),
            |seed| seed.parse().expect("KOINON_SEED is a number"),
        );
        println!("KOINON_SEED={seed}");
        (seed, Self(seed))
    }

    /// Others that depend on these and on `number` only.
    #[must_use]
    pub fn branch(&self, number: u64) -> Self {
        let mut branch = Self(self.0 ^ number.wrapping_mul(0xd6e8_feb8_6659_fd93));
        branch.next(u64::MAX);
        branch
    }

    /// The next number, below `below`.
    pub fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    /// One of them.
    ///
    /// # Panics
    /// There are none.
    pub fn pick<'a, T>(&mut self, some: &'a [T]) -> &'a T {
        let count = u64::try_from(some.len()).expect("fits");
        let place = usize::try_from(self.next(count)).expect("is an index");
        &some[place]
    }
}
