//! Waiting with a deadline, and watching that nothing happens.

use std::fmt::Display;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Between two looks at first.
const PAUSE: Duration = Duration::from_millis(50);
/// Between two looks once it is clear that it takes longer: what looks is mostly kubectl, and there are many of them.
const LONG_PAUSE: Duration = Duration::from_millis(250);
/// After how long that is clear.
const LONGER: Duration = Duration::from_secs(2);
/// Long enough for a loaded machine: what takes longer is broken, not slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks again and again until `look` is content, and returns what it found.
///
/// # Panics
/// It is not content within half a minute; the message names `what` and holds its last complaint.
pub fn eventually<T, E: Display>(what: &str, look: impl FnMut() -> Result<T, E>) -> T {
    within(PATIENCE, what, look)
}

/// The same, with a deadline of one's own.
///
/// # Panics
/// As [`eventually`].
pub fn within<T, E: Display>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> Result<T, E>,
) -> T {
    let start = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(complaint) if start.elapsed() > patience => {
                panic!("not within {patience:?}: {what}; at last: {complaint}")
            }
            Err(_) if start.elapsed() > LONGER => sleep(LONG_PAUSE),
            Err(_) => sleep(PAUSE),
        }
    }
}

/// Looks for `how_long` and wants the same answer each time.
///
/// # Panics
/// The answer changed.
pub fn stays<T: PartialEq + std::fmt::Debug>(
    how_long: Duration,
    what: &str,
    mut look: impl FnMut() -> T,
) {
    let before = look();
    let start = Instant::now();
    while start.elapsed() < how_long {
        sleep(LONG_PAUSE);
        assert_eq!(look(), before, "changed: {what}");
    }
}
