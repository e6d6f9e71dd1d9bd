//! Tests of the crate as a whole: the suite on each backend, and what only one of them can show.

mod crash;
mod faults;
mod memory;
mod remote;
mod restore;
mod retention;
mod sqlite;

use tempfile::TempDir;

use crate::{Action, Expect, Key, Mutation, SqliteBackend, SqliteOptions, Store, StoreOptions};

/// Creates an object; the name is the key.
fn create(name: &str, value: impl Into<bytes::Bytes>) -> Mutation {
    Mutation {
        key: Key::new("/configmaps", "default", name),
        expect: Expect::Absent,
        action: Action::Put(value.into()),
    }
}

async fn sqlite(directory: &TempDir) -> SqliteBackend {
    SqliteBackend::open(SqliteOptions::new(directory.path()))
        .await
        .unwrap()
}

async fn open_sqlite(directory: &TempDir) -> Store {
    let options = StoreOptions {
        retention: None,
        ..StoreOptions::default()
    };
    Store::open(sqlite(directory).await, options).await.unwrap()
}

/// Histories of every shape, up to `length` steps.
pub(crate) fn ops(
    length: usize,
) -> impl proptest::strategy::Strategy<Value = Vec<crate::conformance::Op>> {
    use proptest::prelude::*;

    use crate::conformance::Op;
    let op = prop_oneof![
        6 => (0..Op::KEYS).prop_map(Op::Put),
        3 => (0..Op::KEYS).prop_map(Op::Delete),
        1 => (0..Op::KEYS).prop_map(Op::Fail),
        1 => (0..20_u64).prop_map(Op::Compact),
    ];
    proptest::collection::vec(op, 1..length)
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}
