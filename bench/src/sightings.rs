//! When which object was seen on which watch.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use kube::Api;
use kube::api::{DynamicObject, ListParams, WatchEvent, WatchParams};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

/// Under the 300 seconds after which a server ends a watch that names no time.
const WATCH_SECONDS: u32 = 290;

/// An object as a watch reported it.
pub struct Sighting<Place> {
    /// Which watch.
    pub place: Place,
    /// When the event was read and parsed.
    pub at: Instant,
    /// What it holds now; a deleted object's last state.
    pub object: DynamicObject,
    /// Whether this is its deletion.
    pub deleted: bool,
}

/// Watches on several servers, joined into one sequence in which nothing is lost. They end when this is dropped.
pub struct Sightings<Place> {
    sender: mpsc::UnboundedSender<Result<Sighting<Place>>>,
    receiver: mpsc::UnboundedReceiver<Result<Sighting<Place>>>,
    watches: JoinSet<()>,
}

impl<Place: Clone + Send + 'static> Default for Sightings<Place> {
    fn default() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            sender,
            receiver,
            watches: JoinSet::new(),
        }
    }
}

impl<Place: Clone + Send + 'static> Sightings<Place> {
    /// Adds a watch of everything that `api` reaches, from now on. It lasts a bit under five minutes.
    ///
    /// # Errors
    /// The list that it starts from, or the watch, is refused.
    pub async fn watch(&mut self, place: Place, api: Api<DynamicObject>) -> Result<()> {
        let list = api.list(&ListParams::default()).await.context("list")?;
        let version = list
            .metadata
            .resource_version
            .context("the list has no version")?;
        let parameters = WatchParams::default().timeout(WATCH_SECONDS);
        let events = api.watch(&parameters, &version).await.context("watch")?;
        let sender = self.sender.clone();
        self.watches.spawn(async move {
            let mut events = std::pin::pin!(events);
            while let Some(event) = events.next().await {
                let at = Instant::now();
                let seen = |object, deleted| Sighting {
                    place: place.clone(),
                    at,
                    object,
                    deleted,
                };
                let sent = match event {
                    Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => {
                        sender.send(Ok(seen(object, false)))
                    }
                    Ok(WatchEvent::Deleted(object)) => sender.send(Ok(seen(object, true))),
                    Ok(WatchEvent::Bookmark(_)) => continue,
                    Ok(WatchEvent::Error(status)) => {
                        sender.send(Err(anyhow::anyhow!("a watch failed: {}", status.message)))
                    }
                    Err(error) => sender.send(Err(error.into())),
                };
                if sent.is_err() {
                    return;
                }
            }
            let _ = sender.send(Err(anyhow::anyhow!("a watch ended")));
        });
        Ok(())
    }

    /// The next sighting, whenever it was: watches are read all the time, so waiting for something else first does not
    /// change [`Sighting::at`].
    ///
    /// # Errors
    /// A watch failed, or nothing was seen for `patience`.
    pub async fn next(&mut self, patience: Duration) -> Result<Sighting<Place>> {
        let deadline = tokio::time::Instant::now() + patience;
        match timeout_at(deadline, self.receiver.recv()).await {
            Ok(Some(sighting)) => sighting,
            Ok(None) => bail!("no watch is left"),
            Err(_) => bail!("nothing was seen for {patience:?}"),
        }
    }
}
