//! Watch: where it starts, what it tells, how it ends.

use std::time::Duration;

use futures::StreamExt;
use tokio::time::{Instant, timeout};

use super::super::WatchStream;
use super::{World, short};
use crate::cache::CacheOptions;

/// What comes at once; a stream that has ended says `end`.
async fn now(stream: &mut WatchStream) -> Vec<String> {
    let mut items = Vec::new();
    loop {
        match timeout(Duration::from_millis(20), stream.next()).await {
            Ok(Some(item)) => items.push(short(&item)),
            Ok(None) => {
                items.push("end".to_owned());
                return items;
            }
            Err(_) => return items,
        }
    }
}

async fn two() -> World {
    let mut world = World::new().await;
    world.put("a", "1", "p", "Running").await;
    world.put("b", "2", "q", "Running").await;
    world
}

#[tokio::test(start_paused = true)]
async fn it_starts_where_it_is_asked_to() {
    let mut world = two().await;
    world.put("a", "1", "p", "Failed").await;
    for (namespace, query, items) in [
        ("", "", &["+1@3", "+2@2"][..]),
        ("", "resourceVersion=0", &["+1@3", "+2@2"]),
        ("a", "resourceVersion=0", &["+1@3"]),
        ("", "resourceVersion=1", &["+2@2", "~1@3"]),
        ("a", "resourceVersion=1", &["~1@3"]),
        ("", "resourceVersion=3", &[]),
        (
            "",
            "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
            &["+1@3", "+2@2", "=3!"],
        ),
        (
            "",
            "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=2&allowWatchBookmarks=1",
            &["+1@3", "+2@2", "=3!"],
        ),
        (
            "",
            "sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
            &["+1@3", "+2@2"],
        ),
        (
            "",
            "sendInitialEvents=false&resourceVersionMatch=NotOlderThan",
            &[],
        ),
        (
            "",
            "sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion=2",
            &["~1@3"],
        ),
        ("", "fieldSelector=metadata.name=2", &["+2@2"]),
        ("", "allowWatchBookmarks=true", &["+1@3", "+2@2"]),
    ] {
        let mut stream = world.watch(namespace, query).await.unwrap();
        assert_eq!(now(&mut stream).await, items, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn bad_options_are_refused_as_upstream_does() {
    const OPTIONS: &str = "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: ";
    let world = two().await;
    for (query, code, message) in [
        (
            "sendInitialEvents=true",
            422,
            "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
        (
            "resourceVersionMatch=NotOlderThan&resourceVersion=1",
            422,
            "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ),
    ] {
        let error = world.watch("", query).await.err().unwrap();
        assert_eq!(
            (error.code.as_u16(), error.message),
            (code, format!("{OPTIONS}{message}"))
        );
    }
    let error = world.watch("", "resourceVersion=x").await.err().unwrap();
    assert_eq!((error.code.as_u16(), error.reason), (500, ""));
    assert!(
        error
            .message
            .starts_with("resourceVersion: Invalid value: \"x\"")
    );
    let error = world.watch("", "resourceVersion=99").await.err().unwrap();
    assert_eq!(error.code.as_u16(), 504);
}

#[tokio::test(start_paused = true)]
async fn objects_come_and_leave_with_the_selection() {
    let mut world = two().await;
    let mut labels = world
        .watch("", "labelSelector=x=p&resourceVersion=2")
        .await
        .unwrap();
    let mut fields = world
        .watch("", "fieldSelector=status.phase=Failed&resourceVersion=2")
        .await
        .unwrap();
    world.put("a", "1", "p", "Failed").await;
    world.put("a", "1", "q", "Failed").await;
    world.put("a", "1", "p", "Running").await;
    world.delete("a", "1").await;
    world.put("b", "2", "r", "Running").await;
    assert_eq!(now(&mut labels).await, ["~1@3", "-1@4", "+1@5", "-1@6"]);
    assert_eq!(now(&mut fields).await, ["+1@3", "~1@4", "-1@5"]);
}

#[tokio::test(start_paused = true)]
async fn too_old_is_an_event_and_the_end() {
    let options = CacheOptions {
        ring_events: 2,
        ..CacheOptions::default()
    };
    let mut world = World::with(options).await;
    let mut slow = world.watch("", "resourceVersion=0").await.unwrap();
    for name in ["1", "2", "3", "4"] {
        world.put("a", name, "p", "Running").await;
    }
    let mut stream = world.watch("", "resourceVersion=1").await.unwrap();
    let first = stream.next().await.unwrap();
    assert_eq!(short(&first), "!410");
    if let super::super::WatchItem::Error(error) = first {
        assert_eq!(error.message, "too old resource version: 1 (2)");
        assert_eq!(error.reason, "Expired");
    }
    assert!(stream.next().await.is_none());
    assert_eq!(now(&mut slow).await, ["end"]);
    let mut in_time = world.watch("", "resourceVersion=2").await.unwrap();
    assert_eq!(now(&mut in_time).await, ["+3@3", "+4@4"]);
}

#[tokio::test(start_paused = true)]
async fn bookmarks_come_every_minute_and_before_the_end() {
    let world = two().await;
    let query = "resourceVersion=1&allowWatchBookmarks=true&timeoutSeconds=90&fieldSelector=metadata.name=none";
    let mut stream = world.watch("a", query).await.unwrap();
    let start = Instant::now();
    let mut seen = Vec::new();
    while let Some(item) = stream.next().await {
        seen.push((start.elapsed().as_secs(), short(&item)));
    }
    assert_eq!(seen, [(60, "=2".to_owned()), (88, "=2".to_owned())]);
    assert_eq!(start.elapsed().as_secs(), 90);
}

#[tokio::test(start_paused = true)]
async fn it_ends_by_itself_with_the_server_and_with_the_kind() {
    let world = two().await;
    let mut unlimited = world.watch("a", "resourceVersion=2").await.unwrap();
    let start = Instant::now();
    assert!(unlimited.next().await.is_none());
    assert!((1800..3600).contains(&start.elapsed().as_secs()));

    let mut gone = world.watch("a", "resourceVersion=2").await.unwrap();
    let table = world.api.registry.kinds();
    let same = crate::kinds::Kinds::new(table.iter().cloned());
    world.api.registry.replace(same);
    assert_eq!(now(&mut gone).await, [] as [&str; 0]);
    let others = table.iter().filter(|kind| &*kind.plural != "pods").cloned();
    world.api.registry.replace(crate::kinds::Kinds::new(others));
    assert_eq!(now(&mut gone).await, ["end"]);

    let world = two().await;
    let mut ended = world.watch("a", "resourceVersion=1").await.unwrap();
    world.api.cache.end_watches();
    assert_eq!(now(&mut ended).await, ["end"]);
}
