//! Readers that stall, and what they do to others: nothing. On one connection, so that nothing but HTTP/2's windows can help.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::testing::{Targets, World};

/// Opens `stalled` streams that flood and that nobody reads, waits until they are full, and measures what others get done.
async fn others_progress_beside(stalled: usize) {
    let world = World::new(stalled as u128);
    let mut config = world.agent_config();
    config.connections = 1;
    let pair = world.pair(config).await;
    let mut streams = Vec::new();
    for _ in 0..stalled {
        streams.push(pair.open(Targets::FLOOD).await);
    }
    // Full: the floods get rid of nothing more.
    let mut flooded = u64::MAX;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = world
            .targets
            .flooded
            .load(std::sync::atomic::Ordering::Relaxed);
        if now == flooded {
            break;
        }
        flooded = now;
    }
    assert!(
        flooded >= stalled as u64 * 256 * 1024,
        "the windows are full"
    );
    let buffered = pair.tunnels.stats().buffered_bytes;
    assert!(
        buffered >= stalled as u64 * 200 * 1024,
        "{buffered} bytes wait"
    );
    assert!(
        buffered <= world.hub_config.limits.bytes_per_cluster + (64 << 20),
        "{buffered} bytes wait"
    );
    for _ in 0..3 {
        let took = pair.echo(1_000_000).await;
        assert!(
            took < Duration::from_secs(5),
            "{took:?} beside {stalled} stalled readers"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_stalled_reader() {
    others_progress_beside(1).await;
}

#[tokio::test(start_paused = true)]
async fn twenty_stalled_readers() {
    others_progress_beside(20).await;
}

#[tokio::test(start_paused = true)]
async fn two_hundred_stalled_readers() {
    others_progress_beside(200).await;
}

#[tokio::test(start_paused = true)]
async fn targets_that_take_nothing_hold_up_nobody() {
    let world = World::new(9);
    let mut config = world.agent_config();
    config.connections = 1;
    let pair = world.pair(config).await;
    let mut streams = Vec::new();
    for _ in 0..50 {
        let mut stream = pair.open(Targets::STALL).await;
        let full = async {
            let block = vec![1; 64 * 1024];
            while stream.write_all(&block).await.is_ok() {}
        };
        // It never ends: the target takes nothing.
        assert!(
            tokio::time::timeout(Duration::from_secs(2), full)
                .await
                .is_err()
        );
        streams.push(stream);
    }
    let took = pair.echo(1_000_000).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_small_budget_bounds_what_waits() {
    let mut world = World::new(10);
    world.hub_config.limits.bytes_per_cluster = 4 << 20;
    let pair = world.pair(world.agent_config()).await;
    let mut streams = Vec::new();
    for _ in 0..100 {
        streams.push(pair.open(Targets::FLOOD).await);
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let buffered = pair.tunnels.stats().buffered_bytes;
    // Without the budget it would be 25 MiB.
    assert!(
        buffered <= (4 << 20) + 100 * 16 * 1024 + (512 << 10),
        "{buffered}"
    );
    assert!(pair.echo(100_000).await < Duration::from_secs(5));
    drop(streams);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(pair.tunnels.stats().buffered_bytes, 0);
}
