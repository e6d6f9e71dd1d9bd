//! Which of a cluster's connections a new stream takes.

use crate::wire::Class;

/// What is known about a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) class: Class,
    pub(crate) draining: bool,
    /// Bytes per second lately, both directions.
    pub(crate) rate: u64,
    pub(crate) streams: u64,
}

/// The place of the best candidate: not draining, then of the wanted class, then with the least traffic (in steps of 1 MiB/s, so that noise does
/// not decide), then with the fewest streams, then the first. A connection that drains is better than none.
pub(crate) fn choose(candidates: &[Candidate], wanted: Class) -> Option<usize> {
    candidates
        .iter()
        .enumerate()
        .min_by_key(|(_, candidate)| {
            (
                candidate.draining,
                candidate.class != wanted,
                candidate.rate >> 20,
                candidate.streams,
            )
        })
        .map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(class: Class, draining: bool, rate: u64, streams: u64) -> Candidate {
        Candidate {
            class,
            draining,
            rate,
            streams,
        }
    }

    #[test]
    fn the_order_of_preferences() {
        use Class::{Bulk, Interactive};
        let all = [
            candidate(Interactive, true, 0, 0),
            candidate(Bulk, false, 50 << 20, 3),
            candidate(Interactive, false, 9 << 20, 1),
            candidate(Interactive, false, 1000, 8),
            candidate(Interactive, false, 9000, 7),
        ];
        assert_eq!(
            choose(&all, Interactive),
            Some(4),
            "least busy of its class"
        );
        assert_eq!(
            choose(&all[..3], Interactive),
            Some(2),
            "its class, though busy"
        );
        assert_eq!(
            choose(&all[..2], Interactive),
            Some(1),
            "another class before a draining one"
        );
        assert_eq!(
            choose(&all[..1], Bulk),
            Some(0),
            "a draining one before none"
        );
        assert_eq!(choose(&[], Bulk), None);
    }
}
