//! The state of the store in memory, in order: gets, lists and watches are answered from here.

/// Handle on the cache. Cheap to clone.
#[derive(Clone)]
pub struct Cache {}
