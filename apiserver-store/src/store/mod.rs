//! The store around a backend: one writer, one history, bounded memory of the past.
//!
//! Four tasks' worth of parts: the writer (`writer`, `settle`) is the only one that commits; the follower
//! (`follow`) learns what other processes committed; the feed (`feed`, `stream`) tells both; the compactor
//! (`compactor`, `retention`) forgets it in time.
//! The handle ties them together.

mod closing;
mod compactor;
mod error;
mod feed;
mod follow;
mod handle;
mod job;
mod latest;
mod options;
mod reseal;
mod retention;
mod settle;
mod stream;
mod unreadable;
mod writer;

pub use compactor::CompactReport;
pub use error::{CommitError, CompactError, OpenError, ReadError};
pub use handle::Store;
pub use options::{Retention, StoreOptions};
pub use reseal::{ResealError, ResealProgress};
pub use stream::ChangeStream;
pub use unreadable::DeleteUnreadableError;
