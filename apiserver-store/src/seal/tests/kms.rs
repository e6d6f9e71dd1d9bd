//! A real plugin on a real socket, which is stopped and started.

use std::time::Duration;

use kms_plugin::KeyFile;
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};

use super::*;
use crate::{CommitError, KmsOptions, KmsProvider, KmsTimes};

/// A plugin that can be stopped and started again.
struct Plugin {
    directory: TempDir,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Plugin {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            running: None,
        }
    }

    fn keys(&self) -> KeyFile {
        KeyFile::open(&self.directory.path().join("keys")).unwrap()
    }

    async fn start(&mut self) {
        let (stop, stopped) = oneshot::channel::<()>();
        let socket = self.directory.path().join("kms.sock");
        let keys = self.keys();
        let serving = tokio::spawn({
            let socket = socket.clone();
            async move {
                let stopped = async { drop(stopped.await) };
                kms_plugin::serve(&socket, keys, stopped).await.unwrap();
            }
        });
        while tokio::net::UnixStream::connect(&socket).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.running = Some((stop, serving));
    }

    /// In the middle of whatever it does.
    async fn kill(&mut self) {
        let (_stop, serving) = self.running.take().unwrap();
        serving.abort();
        let _ = serving.await;
        std::fs::remove_file(self.directory.path().join("kms.sock")).unwrap();
    }

    async fn provider(&self, trust: Duration) -> Arc<KmsProvider> {
        let options = KmsOptions {
            name: "file".to_owned(),
            socket: self.directory.path().join("kms.sock"),
            timeout: Duration::from_secs(3),
            times: KmsTimes {
                healthy: Duration::from_millis(50),
                failing: Duration::from_millis(20),
                trust,
            },
        };
        Arc::new(KmsProvider::start(options).await.unwrap())
    }
}

async fn until(what: &str, mut reached: impl FnMut() -> bool) {
    for _ in 0..500 {
        if reached() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

fn rules(provider: &Arc<KmsProvider>) -> SealRules {
    for_secrets(&[Provider::Kms(provider.clone())])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_goes_away_and_comes_back() {
    let mut plugin = Plugin::new();
    plugin.start().await;
    let provider = plugin.provider(Duration::from_millis(500)).await;
    assert_eq!(provider.health(), Ok(()));
    let directory = tempfile::tempdir().unwrap();
    let store = open_sqlite(directory.path(), Seals::new(rules(&provider))).await;
    let kept = work(&store).await;
    assert!(!is_on_disk(directory.path(), PLAINTEXT.as_bytes()));

    plugin.kill().await;
    // For a while its last word counts.
    let revision = store
        .commit(put(
            secret("kept"),
            Expect::Revision(kept),
            "while it is away",
        ))
        .await
        .unwrap();
    until("it is noticed", || provider.health().is_err()).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let refused = put(secret("kept"), Expect::Revision(revision), "too late");
    let error = store.commit(refused).await.unwrap_err();
    let CommitError::Unavailable(cause) = &error else {
        panic!("{error:?}");
    };
    let text = format!(
        "{:?}",
        std::error::Error::source(cause).unwrap().to_string()
    );
    for part in ["/secrets default/kept", "file", "has not confirmed its key"] {
        assert!(text.contains(part), "{text}");
    }
    // What is not sealed is not held up, in the same batch or any other.
    let other = put(Key::new("/configmaps", "", "b"), Expect::Absent, "free");
    store.commit(other).await.unwrap();
    assert!(store.trouble().is_none());
    // What was read before can be read.
    let values = all(&store).await;
    assert!(values.contains(&("kept".to_owned(), "while it is away".into())));

    plugin.start().await;
    until("it is back", || provider.health().is_ok()).await;
    let again = put(secret("kept"), Expect::Revision(revision), "back");
    store.commit(again).await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_asks_the_plugin_once_and_cannot_read_without_it() {
    let mut plugin = Plugin::new();
    plugin.start().await;
    let directory = tempfile::tempdir().unwrap();
    let provider = plugin.provider(Duration::from_secs(60)).await;
    let store = open_sqlite(directory.path(), Seals::new(rules(&provider))).await;
    work(&store).await;
    store.close().await;
    drop(provider);

    plugin.kill().await;
    let provider = plugin.provider(Duration::from_secs(60)).await;
    assert!(provider.health().is_err());
    let store = open_sqlite(directory.path(), Seals::new(rules(&provider))).await;
    let error = store.load().await.unwrap().collect().await.unwrap_err();
    let text = std::error::Error::source(&error).unwrap().to_string();
    let id = plugin.keys().current_id().unwrap();
    for part in ["/secrets default/kept", &id, "No such file"] {
        assert!(text.contains(part), "{text}");
    }
    let new = store.commit(put(secret("new"), Expect::Absent, "x")).await;
    let text = format!("{:?}", new.unwrap_err());
    assert!(text.contains("NotReady"), "{text}");

    plugin.start().await;
    until("it is there", || provider.health().is_ok()).await;
    assert_eq!(
        all(&store).await,
        [("kept".to_owned(), Bytes::from(format!("{PLAINTEXT}-2")))]
    );
    plugin.kill().await;
    assert_eq!(all(&store).await.len(), 1, "the seed is known now");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_of_the_plugin_seals_what_comes_and_reseals_what_was() {
    let mut plugin = Plugin::new();
    plugin.start().await;
    let provider = plugin.provider(Duration::from_secs(60)).await;
    let seals = Seals::new(rules(&provider));
    let directory = tempfile::tempdir().unwrap();
    let store = open_sqlite(directory.path(), seals.clone()).await;
    work(&store).await;
    let before = seals.seal(&secret("a"), &"x".into()).unwrap();
    plugin.keys().rotate().unwrap();
    until("it is noticed", || !seals.is_current(&secret("a"), &before)).await;
    let report = store.reseal(|_| {}).await.unwrap();
    assert_eq!((report.resealed, report.pass), (1, 2));
    assert_eq!(seals.open(&secret("a"), before).await.unwrap(), "x");
    assert_eq!(store.reseal(|_| {}).await.unwrap().resealed, 0);
    store.close().await;
}
