//! Keys that are replaced while clients write.

use futures::{StreamExt, future::join_all};

use super::*;
use crate::{Backend, CommitError, DeleteUnreadableError, PageLimit, ResealError, tests::block_on};

/// The ways in which values are stored now, of current records and of the log.
async fn forms(directory: &Path) -> Vec<String> {
    let backend = SqliteBackend::open(SqliteOptions::new(directory))
        .await
        .unwrap();
    let records = backend.load().await.unwrap().collect().await.unwrap();
    let limit = PageLimit {
        entries: usize::MAX,
        bytes: usize::MAX,
    };
    let log = backend
        .log(Revision::ZERO, Revision::new(u64::MAX), limit)
        .await
        .unwrap();
    backend.close().await.unwrap();
    let previous = log
        .value
        .iter()
        .filter_map(|change| change.previous.as_ref());
    let values = records.iter().map(|record| &record.value);
    let values = values.chain(log.value.iter().map(|change| &change.value));
    let mut forms: Vec<String> = values
        .chain(previous.map(|previous| &previous.value))
        .map(|value| {
            let text = String::from_utf8_lossy(value);
            let parts: Vec<&str> = text.split(':').take(5).collect();
            match parts.first() {
                Some(&"k8s") => parts[2..].join(":"),
                _ => "plain".to_owned(),
            }
        })
        .collect();
    forms.sort();
    forms.dedup();
    forms
}

/// Keeps replacing one secret until told to stop; returns how often it did.
async fn keep_writing(store: &Store, name: String, stop: &std::sync::atomic::AtomicBool) -> u64 {
    let mut expect = Expect::Absent;
    let mut written = 0;
    while !stop.load(std::sync::atomic::Ordering::Acquire) {
        match store
            .commit(put(secret(&name), expect, format!("{written}")))
            .await
        {
            Ok(revision) => {
                expect = Expect::Revision(revision);
                written += 1;
            }
            // The other one that writes here: the value must still be ours.
            Err(CommitError::Conflict {
                current: Some(current),
            }) => {
                assert_eq!(current.value, format!("{}", written - 1));
                expect = Expect::Revision(current.revision);
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    written
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_replaced_while_clients_write() {
    let directory = tempfile::tempdir().unwrap();
    let seals = Seals::default();
    let store = open_sqlite(directory.path(), seals.clone()).await;
    for n in 0..200 {
        let create = put(
            secret(&format!("s{n}")),
            Expect::Absent,
            format!("{PLAINTEXT}-{n}"),
        );
        store.commit(create).await.unwrap();
    }
    let stop = std::sync::atomic::AtomicBool::new(false);
    let clients = join_all((0..4).map(|n| keep_writing(&store, format!("busy{n}"), &stop)));
    let rotation = async {
        let mut resealed = Vec::new();
        for rules in [
            for_secrets(&[Provider::Identity, aes_gcm(&["one"])]),
            for_secrets(&[aes_gcm(&["one"]), Provider::Identity]),
            for_secrets(&[aes_gcm(&["one", "two"])]),
            for_secrets(&[aes_gcm(&["two", "one"])]),
        ] {
            seals.replace(rules);
            resealed.push(store.reseal(|_| {}).await.unwrap());
        }
        seals.replace(for_secrets(&[aes_gcm(&["two"])]));
        let last = store.reseal(|_| {}).await.unwrap();
        stop.store(true, std::sync::atomic::Ordering::Release);
        (resealed, last)
    };
    let (written, (resealed, last)) = tokio::join!(clients, rotation);
    assert!(written.iter().all(|writes| *writes > 0), "{written:?}");
    assert_eq!(resealed[0].resealed, 0, "all was plain and should be");
    assert!(resealed[1].resealed >= 200, "{resealed:?}");
    assert_eq!(resealed[2].resealed, 0, "the second key only opens");
    assert!(resealed[3].resealed >= 200, "{resealed:?}");
    assert_eq!((last.resealed, last.stale), (0, 0));
    let values = all(&store).await;
    assert_eq!(values.len(), 204);
    let kept = format!("{PLAINTEXT}-7");
    assert!(values.contains(&("s7".to_owned(), kept.into())));
    store.close().await;
    assert_eq!(forms(directory.path()).await, ["aesgcm:v1:two"]);
}

#[test]
fn resealing_tells_what_cannot_be_opened_and_does_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let open = |rules| open_sqlite(directory.path(), Seals::new(rules));
    block_on(async {
        let store = open(for_secrets(&[aes_gcm(&["lost"])])).await;
        let lost = put(secret("lost"), Expect::Absent, "1");
        store.commit(lost).await.unwrap();
        store.close().await;
        let store = open(for_secrets(&[aes_gcm(&["old"])])).await;
        store
            .commit(put(secret("old"), Expect::Absent, "2"))
            .await
            .unwrap();
        store.close().await;
        let store = open(for_secrets(&[aes_gcm(&["new", "old"])])).await;
        let mut told = Vec::new();
        let error = store
            .reseal(|progress| told.push(progress))
            .await
            .unwrap_err();
        let ResealError::Unreadable { count: 1, first } = &error else {
            panic!("{error:?}");
        };
        assert!(format!("{first:?}").contains("lost"), "{first:?}");
        assert_eq!(told.last().unwrap().resealed, 1);
        store.close().await;
    });
    let forms = block_on(forms(directory.path()));
    assert_eq!(forms, ["aesgcm:v1:lost", "aesgcm:v1:new", "aesgcm:v1:old"]);
}

#[tokio::test]
async fn only_what_nobody_can_open_is_deleted_unread() {
    let directory = tempfile::tempdir().unwrap();
    let seals = Seals::new(for_secrets(&[aes_gcm(&["lost"])]));
    let store = open_sqlite(directory.path(), seals.clone()).await;
    let lost = store
        .commit(put(secret("lost"), Expect::Absent, "1"))
        .await
        .unwrap();
    let again = put(secret("lost"), Expect::Revision(lost), "2");
    store.commit(again).await.unwrap();
    let name = secret("lost").to_string();
    let readable = store.delete_unreadable(&name).await;
    assert!(matches!(readable, Err(DeleteUnreadableError::Readable(_))));
    seals.replace(for_secrets(&[aes_gcm(&["new"])]));
    store
        .commit(put(secret("kept"), Expect::Absent, "3"))
        .await
        .unwrap();
    let missing = store.delete_unreadable("/secrets default/other").await;
    assert!(matches!(missing, Err(DeleteUnreadableError::Missing(_))));
    assert!(store.load().await.unwrap().collect().await.is_err());
    store.delete_unreadable(&name).await.unwrap();
    assert_eq!(all(&store).await, [("kept".to_owned(), "3".into())]);
    // Whoever follows from now on meets nothing of it.
    let kept = put(secret("next"), Expect::Absent, "4");
    let next = store.commit(kept).await.unwrap();
    let mut changes = store.changes(store.compacted()).await.unwrap();
    let batch = changes.next().await.unwrap().unwrap();
    assert_eq!(batch[0].revision, next);
    store.close().await;
}

#[tokio::test]
async fn watchers_see_a_resealed_object_with_its_value() {
    let directory = tempfile::tempdir().unwrap();
    let seals = Seals::default();
    let store = open_sqlite(directory.path(), seals.clone()).await;
    let first = put(secret("a"), Expect::Absent, "value");
    let revision = store.commit(first).await.unwrap();
    let mut changes = store.changes(revision).await.unwrap();
    seals.replace(for_secrets(&[aes_gcm(&["one"]), Provider::Identity]));
    store.reseal(|_| {}).await.unwrap();
    let batch = changes.next().await.unwrap().unwrap();
    assert_eq!(batch[0].value, "value");
    assert_eq!(batch[0].previous.as_ref().unwrap().value, "value");
    store.close().await;
}

#[tokio::test]
async fn what_cannot_be_opened_is_told_late_and_never_wrongly() {
    let directory = tempfile::tempdir().unwrap();
    let seals = Seals::new(for_secrets(&[aes_gcm(&["one"])]));
    let store = open_sqlite(directory.path(), seals.clone()).await;
    let first = put(secret("a"), Expect::Absent, "old");
    let first = store.commit(first).await.unwrap();
    // A mistake: the key that everything is sealed with is gone.
    seals.replace(for_secrets(&[aes_gcm(&["two"])]));
    let second = put(secret("a"), Expect::Revision(first), "new");
    let second = store.commit(second).await.unwrap();
    assert_eq!(store.committed(), second);
    let error = store.changes(first).await.unwrap().next().await;
    assert!(matches!(error, Some(Err(_))), "{error:?}");
    // Nobody is told something else than what is there.
    let conflict = put(secret("a"), Expect::Absent, "x");
    let told = store.commit(conflict).await.unwrap_err();
    let CommitError::Conflict {
        current: Some(current),
    } = &told
    else {
        panic!("{told:?}");
    };
    assert_eq!(current.value, "new");
    seals.replace(for_secrets(&[aes_gcm(&["three"])]));
    let conflict = put(secret("a"), Expect::Absent, "x");
    let told = store.commit(conflict).await.unwrap_err();
    assert!(matches!(told, CommitError::Unavailable(_)), "{told:?}");
    assert!(store.trouble().is_none(), "the database itself is well");
    // Put right, everything is there.
    seals.replace(for_secrets(&[aes_gcm(&["two", "one"])]));
    let batch = store
        .changes(first)
        .await
        .unwrap()
        .next()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(batch[0].value, "new");
    assert_eq!(batch[0].previous.as_ref().unwrap().value, "old");
    store.close().await;
}
