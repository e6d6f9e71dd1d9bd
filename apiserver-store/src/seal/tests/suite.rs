//! What every store promises, promised by one that seals everything; and what database servers keep of it.

use std::{process::Command, time::Duration};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{
    DatabaseUrl, MemoryBackend, PageLimit,
    conformance::{
        self,
        databases::{DatabaseServer, Engine},
    },
    open_backend,
    tests::{block_on, ops},
};

fn everything() -> Seals {
    let mut rules = SealRules::none();
    rules.add(ResourcePattern::All, &[aes_gcm(&["all"])]);
    Seals::new(rules)
}

struct SealedSqlite(TempDir);

#[async_trait::async_trait]
impl conformance::Fixture for SealedSqlite {
    type Backend = SqliteBackend;

    fn seals() -> Seals {
        everything()
    }

    async fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> SqliteBackend {
        SqliteBackend::open(SqliteOptions::new(self.0.path()))
            .await
            .unwrap()
    }
}

crate::conformance_suite!(SealedSqlite);

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_sealed_history_is_as_the_model_says(ops in ops(60)) {
        block_on(async {
            let options = StoreOptions {
                retention: None,
                live_changes: 8,
                seals: everything(),
                ..StoreOptions::default()
            };
            let store = Store::open(MemoryBackend::new(), options).await.unwrap();
            conformance::check_history(&store, &ops).await;
        });
    }
}

/// A plain grep, as an auditor would do it.
fn grep(directory: &Path, words: &str) -> bool {
    let found = Command::new("grep")
        .args(["-rqaF", words])
        .arg(directory)
        .status()
        .unwrap();
    // 2: a file went away in the meantime, and nothing was found.
    found.success()
}

async fn a_server_keeps_no_byte_of_a_secret(engine: Engine) {
    let Some(server) = DatabaseServer::shared(engine) else {
        return;
    };
    let url: DatabaseUrl = server.create_database().parse().unwrap();
    let options = StoreOptions {
        retention: None,
        seals: Seals::new(for_secrets(&[aes_gcm(&["key1"])])),
        ..StoreOptions::default()
    };
    let backend = open_backend(&url).await.unwrap();
    let store = Store::open_any(backend, options).await.unwrap();
    let words = format!("words-that-are-found-{engine:?}");
    let seen = Key::new("/configmaps", "", "seen");
    let seen = put(seen, Expect::Absent, words.clone());
    store.commit(seen).await.unwrap();
    work(&store).await;
    store.close().await;

    let raw = open_backend(&url).await.unwrap();
    let limit = PageLimit {
        entries: usize::MAX,
        bytes: usize::MAX,
    };
    let log = raw
        .log(Revision::ZERO, Revision::new(5), limit)
        .await
        .unwrap();
    let secrets = log
        .value
        .iter()
        .filter(|change| change.key.name != "seen".into());
    let values = secrets.flat_map(|change| {
        let previous = change.previous.as_ref().map(|previous| &previous.value);
        previous.into_iter().chain([&change.value])
    });
    let mut count = 0;
    for value in values {
        assert!(value.starts_with(b"k8s:enc:aesgcm:v1:key1:"));
        count += 1;
    }
    assert_eq!(count, 6, "four changes, two of which replaced something");
    raw.close().await.unwrap();

    // A server that need not be durable takes its time to write.
    for _ in 0..100 {
        if grep(server.directory(), &words) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(
        grep(server.directory(), &words),
        "the search finds what is there"
    );
    assert!(!grep(server.directory(), PLAINTEXT));
}

#[tokio::test]
async fn postgres_keeps_no_byte_of_a_secret() {
    a_server_keeps_no_byte_of_a_secret(Engine::Postgres).await;
}

#[tokio::test]
async fn mariadb_keeps_no_byte_of_a_secret() {
    a_server_keeps_no_byte_of_a_secret(Engine::MariaDb).await;
}
