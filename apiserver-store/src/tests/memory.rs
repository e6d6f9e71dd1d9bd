//! The suite on the in-memory backend.

use proptest::prelude::*;

use crate::{MemoryBackend, Store, StoreOptions, conformance};

struct Memory(MemoryBackend);

#[async_trait::async_trait]
impl conformance::Fixture for Memory {
    type Backend = MemoryBackend;

    async fn new() -> Self {
        Self(MemoryBackend::new())
    }

    async fn open(&self) -> MemoryBackend {
        self.0.clone()
    }
}

crate::conformance_suite!(Memory);

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_history_is_as_the_model_says(ops in super::ops(80)) {
        super::block_on(async {
            let options = StoreOptions { retention: None, live_changes: 8, ..StoreOptions::default() };
            let store = Store::open(MemoryBackend::new(), options).await.unwrap();
            conformance::check_history(&store, &ops).await;
        });
    }
}
