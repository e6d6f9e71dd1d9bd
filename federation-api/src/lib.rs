//! Koinon's API: kinds, names, labels, annotations, conditions and reasons. No I/O.
