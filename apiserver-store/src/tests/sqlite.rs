//! The suite on SQLite, and what belongs to files: the lock, versions, space.

use proptest::prelude::*;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions,
};
use tempfile::TempDir;

use super::{create, open_sqlite, sqlite};
use crate::{
    Backend, CommitError, Problem, Revision, SqliteBackend, SqliteOpenError, SqliteOptions, Store,
    StoreOptions, conformance,
};

struct OnDisk(TempDir);

#[async_trait::async_trait]
impl conformance::Fixture for OnDisk {
    type Backend = SqliteBackend;

    async fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    async fn open(&self) -> SqliteBackend {
        sqlite(&self.0).await
    }
}

crate::conformance_suite!(OnDisk);

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_history_is_as_the_model_says(ops in super::ops(40)) {
        super::block_on(async {
            let directory = TempDir::new().unwrap();
            let store = open_sqlite(&directory).await;
            conformance::check_history(&store, &ops).await;
            store.close().await;
        });
    }
}

/// A connection beside the store's own, as a person with a shell has.
async fn shell(directory: &TempDir) -> SqliteConnection {
    let file = directory.path().join("store.db");
    SqliteConnectOptions::new()
        .filename(file)
        .connect()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_directory_has_one_server_and_says_which() {
    let directory = TempDir::new().unwrap();
    let first = sqlite(&directory).await;
    let refused = SqliteBackend::open(SqliteOptions::new(directory.path()))
        .await
        .unwrap_err();
    let SqliteOpenError::InUse {
        directory: named,
        holder,
    } = &refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(named, directory.path());
    assert!(holder.contains(&std::process::id().to_string()), "{holder}");
    assert!(refused.to_string().contains(holder), "{refused}");
    drop(first);
    sqlite(&directory).await;
}

#[tokio::test]
async fn a_closed_store_leaves_its_directory_to_others() {
    let directory = TempDir::new().unwrap();
    let store = open_sqlite(&directory).await;
    store.commit(create("a", "{}")).await.unwrap();
    // Somebody who never lets go.
    let _stream = store.changes(Revision::ZERO).await.unwrap();
    let _snapshot = store.load().await.unwrap();
    let another = store.clone();
    store.close().await;
    let next = open_sqlite(&directory).await;
    assert_eq!(next.committed(), Revision::new(1));
    assert_eq!(
        next.commit(create("b", "{}")).await.unwrap(),
        Revision::new(2)
    );
    let refused = another.commit(create("c", "{}")).await;
    assert!(
        matches!(refused, Err(CommitError::Unavailable(_))),
        "{refused:?}"
    );
    next.close().await;
}

#[tokio::test]
async fn the_truth_can_be_found_out_and_leaves_no_trace() {
    let directory = TempDir::new().unwrap();
    let backend = sqlite(&directory).await;
    let mut batch = crate::Batch::new(vec![create("a", "{}")]);
    backend.transact(&mut batch).await.unwrap();
    // As after a failed commit: the connection is gone.
    drop(backend.hold_writer().await.unwrap());
    let head = backend.recover().await.unwrap();
    assert_eq!(head.revision, Revision::new(1));
    assert_eq!(backend.head().await.unwrap(), head);
}

#[tokio::test]
async fn a_newer_schema_is_refused_untouched() {
    let directory = TempDir::new().unwrap();
    open_sqlite(&directory).await.close().await;
    let mut shell = shell(&directory).await;
    sqlx::query("UPDATE meta SET v = 999")
        .execute(&mut shell)
        .await
        .unwrap();
    shell.close().await.unwrap();
    let refused = SqliteBackend::open(SqliteOptions::new(directory.path()))
        .await
        .unwrap_err();
    let matches = matches!(refused, SqliteOpenError::Version { found: 999, .. });
    assert!(matches && refused.to_string().contains("999"), "{refused}");
}

#[tokio::test]
async fn what_is_not_ours_is_refused() {
    let directory = TempDir::new().unwrap();
    let mut foreign = SqliteConnectOptions::new()
        .filename(directory.path().join("store.db"))
        .create_if_missing(true)
        .connect()
        .await
        .unwrap();
    sqlx::query("CREATE TABLE kine (id INTEGER)")
        .execute(&mut foreign)
        .await
        .unwrap();
    foreign.close().await.unwrap();
    let refused = SqliteBackend::open(SqliteOptions::new(directory.path()))
        .await
        .unwrap_err();
    assert!(matches!(refused, SqliteOpenError::Foreign), "{refused:?}");

    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("store.db"), vec![7; 8192]).unwrap();
    let refused = SqliteBackend::open(SqliteOptions::new(directory.path()))
        .await
        .unwrap_err();
    let SqliteOpenError::Database(error) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(error.problem(), Problem::Damaged);

    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let refused = SqliteBackend::open(SqliteOptions::new(&file))
        .await
        .unwrap_err();
    assert!(matches!(refused, SqliteOpenError::Directory { path, .. } if path == file));
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_user_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let parent = TempDir::new().unwrap();
    let directory = parent.path().join("data");
    let backend = SqliteBackend::open(SqliteOptions::new(&directory))
        .await
        .unwrap();
    let store = Store::open(backend, StoreOptions::default()).await.unwrap();
    store.commit(create("a", "{}")).await.unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for file in ["store.db", "store.db-wal", "store.db-shm"] {
        assert_eq!(mode(&directory.join(file)), 0o600, "{file}");
    }
    store.close().await;
}

#[tokio::test]
async fn connections_are_set_up_as_promised() {
    let directory = TempDir::new().unwrap();
    let backend = sqlite(&directory).await;
    let mut held = backend.hold_writer().await.unwrap();
    for (pragma, expected) in [
        ("synchronous", "2"),
        ("auto_vacuum", "2"),
        ("journal_mode", "wal"),
    ] {
        let sql = AssertSqlSafe(format!(
            "SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}"
        ));
        let value: String = sqlx::query_scalar(sql)
            .fetch_one(held.connection())
            .await
            .unwrap();
        assert_eq!(value, expected, "{pragma}");
    }
}

#[tokio::test]
async fn a_full_disk_is_a_clear_error_and_passes() {
    let directory = TempDir::new().unwrap();
    let backend = sqlite(&directory).await;
    let mut held = backend.hold_writer().await.unwrap();
    sqlx::query("PRAGMA max_page_count = 20")
        .execute(held.connection())
        .await
        .unwrap();
    held.keep();
    let store = Store::open(backend, StoreOptions::default()).await.unwrap();
    let large = vec![b'x'; 200_000];
    let refused = store.commit(create("large", large.clone())).await;
    let Err(CommitError::Unavailable(error)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(error.problem(), Problem::Full);
    assert_eq!(store.committed(), Revision::ZERO);
    // The connection that met the trouble is replaced, and with it goes the limit.
    assert_eq!(
        store.commit(create("large", large)).await.unwrap(),
        Revision::new(1)
    );
    store.close().await;
}

#[tokio::test]
async fn a_lock_held_by_another_program_is_a_clear_error_and_passes() {
    let directory = TempDir::new().unwrap();
    let backend = sqlite(&directory).await;
    let mut held = backend.hold_writer().await.unwrap();
    sqlx::query("PRAGMA busy_timeout = 1")
        .execute(held.connection())
        .await
        .unwrap();
    held.keep();
    let store = Store::open(backend, StoreOptions::default()).await.unwrap();
    let mut shell = shell(&directory).await;
    let other = shell.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let refused = store.commit(create("a", "{}")).await;
    let Err(CommitError::Unavailable(error)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(error.problem(), Problem::Busy);
    other.rollback().await.unwrap();
    assert_eq!(
        store.commit(create("a", "{}")).await.unwrap(),
        Revision::new(1)
    );
    store.close().await;
}

#[tokio::test]
async fn compaction_gives_space_back() {
    let directory = TempDir::new().unwrap();
    let store = open_sqlite(&directory).await;
    for turn in 0..40 {
        let created = store
            .commit(create(&format!("k{turn}"), vec![b'x'; 100_000]))
            .await
            .unwrap();
        let mut gone = create(&format!("k{turn}"), "");
        gone.expect = crate::Expect::Revision(created);
        gone.action = crate::Action::Delete("".into());
        store.commit(gone).await.unwrap();
    }
    store.compact(store.committed()).await.unwrap();
    store.close().await;

    let size = || {
        let length = |file| {
            directory
                .path()
                .join(file)
                .metadata()
                .map_or(0, |m| m.len())
        };
        length("store.db") + length("store.db-wal")
    };
    let before = size();
    assert!(before > 8_000_000, "{before}");
    let backend = sqlite(&directory).await;
    backend.upkeep(false).await.unwrap();
    backend.upkeep(true).await.unwrap();
    assert!(size() < 3_000_000, "{}", size());
    backend.close().await.unwrap();
}
