//! The store around a backend: one writer, one history, bounded memory of the past.
//!
//! Three tasks' worth of parts: the writer (`writer`, `settle`) is the only one that commits; the feed
//! (`feed`, `stream`) tells what was committed; the compactor (`compactor`, `retention`) forgets it in time.
//! The handle ties them together.

mod compactor;
mod error;
mod feed;
mod handle;
mod options;
mod retention;
mod settle;
mod stream;
mod writer;

pub use compactor::CompactReport;
pub use error::{CommitError, CompactError, OpenError, ReadError};
pub use handle::Store;
pub use options::{Retention, StoreOptions};
pub use stream::ChangeStream;
