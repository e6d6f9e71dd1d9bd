//! Restoring takes little memory, however much there is to restore.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use tempfile::TempDir;

use super::{remote, sqlite};
use crate::{
    Backend, Head, Key, Record, Revision,
    conformance::databases::{DatabaseServer, Engine},
};

const OBJECTS: u64 = 400;
const WEIGHT: usize = 100_000;
/// A statement's worth, and what the readers and writers around it hold.
const BOUND: usize = 8 << 20;

/// How many bytes of values there are, and were at most.
#[derive(Default)]
struct Scales {
    now: AtomicUsize,
    most: AtomicUsize,
}

struct Weighed(Vec<u8>, Arc<Scales>);

impl Weighed {
    fn new(scales: &Arc<Scales>) -> Self {
        let now = scales.now.fetch_add(WEIGHT, Ordering::AcqRel) + WEIGHT;
        scales.most.fetch_max(now, Ordering::AcqRel);
        Self(vec![b'x'; WEIGHT], scales.clone())
    }
}

impl AsRef<[u8]> for Weighed {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Weighed {
    fn drop(&mut self) {
        self.1.now.fetch_sub(WEIGHT, Ordering::AcqRel);
    }
}

async fn fills_in_little_memory(backend: &dyn Backend) {
    let scales = Arc::new(Scales::default());
    let weighing = scales.clone();
    let records = stream::iter(1..=OBJECTS).map(move |number| {
        Ok(Record {
            key: Key::new("/configmaps", "default", format!("{number:05}")),
            value: Bytes::from_owner(Weighed::new(&weighing)),
            revision: Revision::new(number),
            create_revision: Revision::new(number),
        })
    });
    let head = Head {
        revision: Revision::new(OBJECTS),
        compacted: Revision::new(OBJECTS),
        epoch: 2,
    };
    assert!(backend.fill(head, records.boxed()).await.unwrap());
    let most = scales.most.load(Ordering::Acquire);
    assert!(most <= BOUND, "{most} bytes");
    let mut found = backend.load().await.unwrap();
    let mut count = 0;
    while let Some(record) = found.next().await {
        assert_eq!(record.unwrap().value.len(), WEIGHT);
        count += 1;
    }
    assert_eq!(count, OBJECTS);
    backend.close().await.unwrap();
}

#[tokio::test]
async fn sqlite_is_filled_in_little_memory() {
    let directory = TempDir::new().unwrap();
    fills_in_little_memory(&sqlite(&directory).await).await;
}

#[tokio::test]
async fn servers_are_filled_in_little_memory() {
    for engine in [Engine::Postgres, Engine::MariaDb] {
        if let Some(server) = DatabaseServer::shared(engine) {
            let backend = remote::backend(&server.create_database()).await;
            fills_in_little_memory(&backend).await;
        }
    }
}
