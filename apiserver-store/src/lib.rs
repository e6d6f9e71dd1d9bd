//! A revisioned object store: the one place of an API server that remembers.
//!
//! Every object has a [`Key`] and an opaque value. Every change of any object gets the next [`Revision`]
//! of one store-wide counter, and these promises hold on every backend:
//!
//! - **Gapless**: revisions are 1, 2, 3, …; a change that fails burns none.
//! - **Commit order is revision order**: whoever sees revision *n* can also see every revision below it.
//! - **Compare and swap**: a [`Mutation`] says what it expects to find, and fails with what is there instead.
//! - **Durable before acknowledged**: [`Store::commit`] returns after the change is on disk.
//! - **One history**: [`Store::changes`] yields every change once, in order, from the log and then live,
//!   without a seam; [`Store::list_at`] shows any revision that is not yet compacted.
//!
//! Writes of one process go through one writer task that commits many of them with one transaction (group
//! commit), and never waits for more when the queue is empty.
//!
//! What this crate does not do: it does not look into values, cache objects, or know Kubernetes' rules for
//! them. Backends implement [`Backend`]: [`SqliteBackend`] on disk, [`MemoryBackend`] for tests.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use apiserver_store::{Action, Expect, Key, MemoryBackend, Mutation, Store, StoreOptions};
//! let store = Store::open(MemoryBackend::new(), StoreOptions::default()).await.expect("opens");
//! let key = Key::new("/configmaps", "default", "settings");
//! let create = Mutation { key, expect: Expect::Absent, action: Action::Put("{}".into()) };
//! let revision = store.commit(create).await.expect("commits");
//! assert_eq!(revision, store.committed());
//! # }
//! ```

mod backend;
mod backup;
#[cfg(any(test, feature = "conformance"))]
#[doc(hidden)]
pub mod conformance;
mod database;
mod object;
mod remote;
mod revision;
mod seal;
mod sqlite;
mod store;
#[cfg(test)]
mod tests;

pub use backend::{
    At, Backend, BackendError, Batch, Conflict, Doubt, Head, ListQuery, MemoryBackend, PageLimit,
    Problem, Records, Sharing, Snapshot, TransactError,
};
pub use backup::{BackupError, BackupReport, RestoreError, backup, check_backup, restore};
pub use database::{DatabaseUrl, DatabaseUrlError, OpenBackendError, open_backend};
pub use object::{Action, Change, ChangeKind, Expect, Key, Mutation, Page, Previous, Record};
pub use remote::{RemoteBackend, RemoteOpenError, RemoteOptions};
pub use revision::{ParseRevisionError, Revision};
pub use seal::{
    CipherError, KeyError, KeyRing, KmsError, KmsOptions, KmsProvider, KmsTimes, Provider,
    ResourcePattern, SealError, SealKey, SealRules, Seals, Secret, Trouble, UnsealError,
};
pub use sqlite::{SqliteBackend, SqliteOpenError, SqliteOptions};
pub use store::{
    ChangeStream, CommitError, CompactError, CompactReport, DeleteUnreadableError, OpenError,
    ReadError, ResealError, ResealProgress, Retention, Store, StoreOptions,
};
