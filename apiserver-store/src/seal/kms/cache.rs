//! Seeds that the plugin has opened already.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::seal::cipher::Cipher;

/// Seeds are few: one per process start and key of the plugin. So many are remembered before the oldest is forgotten.
const SEEDS: usize = 4096;

/// Remembers opened seeds by [`Envelope::fingerprint`](super::envelope::Envelope::fingerprint).
#[derive(Default)]
pub(super) struct SeedCache(Mutex<Seeds>);

#[derive(Default)]
struct Seeds {
    known: HashMap<[u8; 32], Arc<dyn Cipher>>,
    oldest: VecDeque<[u8; 32]>,
}

impl SeedCache {
    pub(super) fn get(&self, fingerprint: &[u8; 32]) -> Option<Arc<dyn Cipher>> {
        self.seeds().known.get(fingerprint).cloned()
    }

    pub(super) fn put(&self, fingerprint: [u8; 32], cipher: Arc<dyn Cipher>) {
        let mut seeds = self.seeds();
        if seeds.known.insert(fingerprint, cipher).is_some() {
            return;
        }
        seeds.oldest.push_back(fingerprint);
        if seeds.oldest.len() > SEEDS
            && let Some(oldest) = seeds.oldest.pop_front()
        {
            seeds.known.remove(&oldest);
        }
    }

    fn seeds(&self) -> MutexGuard<'_, Seeds> {
        // Nothing panics between the two halves of a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::gcm::SeededGcm;

    #[test]
    fn the_oldest_seed_is_forgotten_first() {
        let cache = SeedCache::default();
        let cipher: Arc<dyn Cipher> = Arc::new(SeededGcm::new(&[1; 32]).unwrap());
        let fingerprint = |number: usize| {
            let mut fingerprint = [0; 32];
            fingerprint[..8].copy_from_slice(&number.to_be_bytes());
            fingerprint
        };
        for number in 0..=SEEDS {
            cache.put(fingerprint(number), cipher.clone());
        }
        assert!(cache.get(&fingerprint(0)).is_none());
        assert!(cache.get(&fingerprint(1)).is_some());
        assert!(cache.get(&fingerprint(SEEDS)).is_some());
    }
}
