//! Backup and restore: all current objects of a store in one file, as the database holds them.
//!
//! What is sealed stays sealed in the file, and can be opened only with the keys it was sealed with. The history is
//! not in it: a restored store begins far above every revision that the old one may have given out since, in a new
//! epoch, so that no client can go on from a revision of the lost time.
//!
//! The file, all numbers big-endian: the line `koinon backup 1`; revision and epoch (8 bytes each); for each
//! object in key order a byte 1, its revision and the revision of its creation (8 bytes each), then resource, namespace, name and
//! value, each with its length before it (4 bytes); a byte 0, the number of objects (8 bytes), and the SHA-256 of everything
//! before it (32 bytes).

mod error;
mod read;
mod write;

pub use error::{BackupError, RestoreError};
pub use read::{check_backup, restore};
pub use write::backup;

use crate::Revision;

/// The first line.
const MAGIC: &[u8] = b"koinon backup 1\n";
const RECORD: u8 = 1;
const END: u8 = 0;

/// What is in a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// The revision that it shows.
    pub revision: Revision,
    /// The epoch of that revision.
    pub epoch: u64,
    /// How many objects it has.
    pub objects: u64,
}
