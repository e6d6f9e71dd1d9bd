//! The cache against a model of history, over the store in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use apiserver_store::{
    Action, Expect, Key, MemoryBackend, Mutation, Revision, Store, StoreOptions,
};
use proptest::prelude::*;
use serde_json::json;

use super::{AtError, Cache, CacheOptions};
use crate::object::encode;

const RESOURCES: [&str; 2] = ["/configmaps", "apps/deployments"];

/// The objects of all resources: key to the revision of their last write.
type State = BTreeMap<Key, Revision>;

async fn store() -> Store {
    Store::open(MemoryBackend::new(), StoreOptions::default())
        .await
        .unwrap()
}

fn key(resource: usize, name: u8) -> Key {
    Key::new(
        RESOURCES[resource],
        ["", "a", "b"][usize::from(name % 3)],
        format!("n{name}"),
    )
}

fn value(key: &Key, owner: u8) -> bytes::Bytes {
    encode(&json!({"kind": "K", "apiVersion": "v1", "metadata": {
        "name": &*key.name, "namespace": &*key.namespace,
        "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "o", "uid": format!("u{owner}")}],
    }}))
}

/// Writes the object if it can be written, or deletes it.
async fn change(store: &Store, state: &mut State, key: Key, put: Option<u8>) -> Option<Revision> {
    let current = state.get(&key).copied();
    let expect = current.map_or(Expect::Absent, Expect::Revision);
    let action = match (put, current) {
        (Some(owner), _) => Action::Put(value(&key, owner)),
        (None, Some(_)) => Action::Delete(value(&key, 0)),
        (None, None) => return None,
    };
    let deleted = matches!(action, Action::Delete(_));
    let mutation = Mutation {
        key: key.clone(),
        expect,
        action,
    };
    let revision = store.commit(mutation).await.unwrap();
    if deleted {
        state.remove(&key);
    } else {
        state.insert(key, revision);
    }
    Some(revision)
}

fn shown(snapshot: &super::Snapshot) -> Vec<(Key, Revision)> {
    let objects = snapshot.objects.values();
    objects.map(|o| (o.key.clone(), o.revision)).collect()
}

fn expected(state: &State, resource: &str) -> Vec<(Key, Revision)> {
    let ours = state.iter().filter(|(key, _)| *key.resource == *resource);
    ours.map(|(k, r)| (k.clone(), *r)).collect()
}

fn changes() -> impl Strategy<Value = Vec<(usize, u8, Option<u8>)>> {
    let one = (
        0..RESOURCES.len(),
        0..6_u8,
        proptest::option::weighted(0.7, 0..3_u8),
    );
    proptest::collection::vec(one, 1..60)
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_revision_can_be_looked_back_at(changes in changes(), ring in 1..20_usize, restart in 0..60_usize) {
        block_on(async {
            let store = store().await;
            let options = CacheOptions { ring_events: ring, ..CacheOptions::default() };
            let mut cache = Cache::start(store.clone(), options.clone()).await.unwrap();
            let mut state = State::new();
            let mut history = vec![(Revision::ZERO, State::new())];
            for (step, (resource, name, put)) in changes.into_iter().enumerate() {
                if step == restart {
                    cache = Cache::start(store.clone(), options.clone()).await.unwrap();
                }
                if let Some(revision) = change(&store, &mut state, key(resource, name), put).await {
                    history.push((revision, state.clone()));
                }
            }
            cache.fresh().await.unwrap();
            for resource in RESOURCES {
                assert_eq!(shown(&cache.list(resource)), expected(&state, resource));
                for (revision, state) in &history {
                    let snapshot = cache.at(&resource.into(), *revision).await.unwrap();
                    assert_eq!(snapshot.revision, *revision);
                    assert_eq!(shown(&snapshot), expected(state, resource));
                }
            }
            for owner in 0..3_u8 {
                let uid = format!("u{owner}");
                let all = cache.all();
                let objects = all.iter().flat_map(|(_, s)| s.objects.values());
                let owned = objects.filter(|o| o.meta.owner_references[0].uid == uid);
                let mut owned: Vec<Key> = owned.map(|o| o.key.clone()).collect();
                let found = cache.dependents(&uid);
                let mut found: Vec<Key> = found.iter().map(|o| o.key.clone()).collect();
                owned.sort();
                found.sort();
                assert_eq!(owned, found);
            }
        });
    }

    #[test]
    fn a_watcher_sees_everything_once_or_is_told(
        changes in changes(),
        starts in proptest::collection::vec((0..60_usize, 0..10_u64), 1..5),
        ring in 1..40_usize,
    ) {
        block_on(async {
            let store = store().await;
            let options = CacheOptions { ring_events: ring, ..CacheOptions::default() };
            let cache = Cache::start(store.clone(), options).await.unwrap();
            let resource: Arc<str> = RESOURCES[0].into();
            let mut state = State::new();
            let mut log = Vec::new();
            let mut watchers = Vec::new();
            for (step, (kind, name, put)) in changes.into_iter().enumerate() {
                for (_, back) in starts.iter().filter(|(at, _)| *at == step) {
                    cache.fresh().await.unwrap();
                    let after = Revision::new(cache.revision().get().saturating_sub(*back));
                    match cache.watch(&resource, after) {
                        Ok(watcher) => watchers.push((after, watcher)),
                        Err(too_old) => assert!(too_old.oldest > after),
                    }
                }
                if let Some(revision) = change(&store, &mut state, key(kind, name), put).await {
                    log.push((revision, kind == 0));
                }
            }
            cache.fresh().await.unwrap();
            for (after, mut watcher) in watchers {
                let mut seen = Vec::new();
                let lost = loop {
                    match watcher.ready() {
                        Ok(events) if events.is_empty() => break false,
                        Ok(events) => seen.extend(events.iter().map(|e| e.revision)),
                        Err(_) => break true,
                    }
                };
                let due: Vec<Revision> = log.iter()
                    .filter(|(revision, ours)| *ours && *revision > after)
                    .map(|(revision, _)| *revision)
                    .collect();
                assert!(due.starts_with(&seen));
                assert_eq!(lost, seen.len() < due.len());
                if !lost {
                    assert_eq!(watcher.progress(), Some(cache.revision().max(after)));
                }
            }
        });
    }
}

#[tokio::test]
async fn what_the_store_compacted_is_gone() {
    let store = store().await;
    let cache = Cache::start(store.clone(), CacheOptions::default())
        .await
        .unwrap();
    let mut state = State::new();
    for owner in 0..4 {
        change(&store, &mut state, key(0, 1), Some(owner)).await;
    }
    store.compact(Revision::new(3)).await.unwrap();
    cache.fresh().await.unwrap();
    let resource: Arc<str> = RESOURCES[0].into();
    let at = |n| cache.at(&resource, Revision::new(n));
    assert!(matches!(at(2).await, Err(AtError::Expired)));
    assert!(at(3).await.is_ok());
    assert!(at(4).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_future_is_awaited_for_a_while() {
    let store = store().await;
    let cache = Cache::start(store.clone(), CacheOptions::default())
        .await
        .unwrap();
    let error = cache.wait_for(Revision::new(1)).await.unwrap_err();
    assert_eq!(error.code, http::StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(
        error.message,
        "Timeout: Too large resource version: 1, current: 0"
    );
    assert_eq!(error.details.causes[0].reason, "ResourceVersionTooLarge");
    assert_eq!(error.details.retry_after_seconds, 1);
    let waiting = tokio::spawn({
        let cache = cache.clone();
        async move { cache.wait_for(Revision::new(1)).await }
    });
    tokio::task::yield_now().await;
    change(&store, &mut State::new(), key(0, 1), Some(1)).await;
    assert_eq!(waiting.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn a_restarted_cache_resumes_watches() {
    let store = store().await;
    let mut state = State::new();
    for owner in 0..3 {
        change(&store, &mut state, key(0, 1), Some(owner)).await;
        change(&store, &mut state, key(1, 1), Some(owner)).await;
    }
    let cache = Cache::start(store, CacheOptions::default()).await.unwrap();
    let mut watcher = cache.watch(&RESOURCES[0].into(), Revision::new(2)).unwrap();
    let events = watcher.next().await.unwrap();
    let seen: Vec<(u64, u64)> = events
        .iter()
        .map(|e| {
            (
                e.revision.get(),
                e.previous.as_ref().unwrap().revision.get(),
            )
        })
        .collect();
    assert_eq!(seen, [(3, 1), (5, 3)]);
}

#[tokio::test(start_paused = true)]
async fn what_the_store_compacted_leaves_memory() {
    let store = store().await;
    let cache = Cache::start(store.clone(), CacheOptions::default())
        .await
        .unwrap();
    let mut state = State::new();
    let mut revisions = Vec::new();
    for name in 0..4 {
        revisions.extend(change(&store, &mut state, key(0, name), Some(0)).await);
    }
    cache.wait_for(revisions[3]).await.unwrap();
    let resource: Arc<str> = RESOURCES[0].into();
    cache.watch(&resource, revisions[0]).unwrap();
    store.compact(revisions[1]).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(31)).await;
    let refused = cache.watch(&resource, revisions[0]).unwrap_err();
    assert_eq!(refused.oldest, revisions[1]);
    let events = cache
        .watch(&resource, revisions[1])
        .unwrap()
        .ready()
        .unwrap();
    assert_eq!(events.len(), 2);
}
