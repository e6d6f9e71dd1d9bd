//! The state of the store in memory, in order: gets, lists and watches are answered from here.
//!
//! One task follows the store's changes and is the only writer. Readers never wait for it: they take a [`Snapshot`],
//! a persistent map that later changes leave alone. Every resource has a bounded ring of its latest events, and a
//! [`Watcher`] is a cursor in that ring: it costs nothing while idle, sees every event once and in order, and ends if it
//! is so slow that the ring forgets what it had to read next. It never skips.
//!
//! Revisions are global. What the cache has applied ([`Cache::revision`]) is published only after every ring has what
//! belongs to it, so "applied up to R and nothing left in my ring" means "everything up to R was seen".

mod apply;
mod feed;
mod follow;
mod handle;
mod history;
#[cfg(test)]
mod tests;
mod view;
mod watcher;

pub use feed::Event;
pub use follow::CacheError;
pub use handle::{Cache, CacheOptions};
pub use history::AtError;
pub use view::{ObjectName, Objects, Snapshot};
pub use watcher::{Lost, TooOld, Watcher};
