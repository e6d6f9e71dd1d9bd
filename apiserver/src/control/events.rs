//! Events are forgotten an hour after they last happened.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::local::{Gvr, LocalClient};
use crate::object::Obj;

/// How long an Event is kept: kube-apiserver's `--event-ttl`.
const TTL_SECONDS: i64 = 3600;
/// How often old Events are looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// At most so many are deleted in one sweep, so that watchers are not flooded.
const AT_ONCE: usize = 1000;

const EVENTS: Gvr<'static> = Gvr::new("", "v1", "events");

/// Deletes old Events until `stop`.
pub(crate) async fn run(client: LocalClient, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(SWEEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => sweep(&client).await,
        }
    }
}

async fn sweep(client: &LocalClient) {
    let kinds = client.api().registry.kinds();
    let Some(kind) = kinds.resource(EVENTS.group, EVENTS.resource) else {
        return;
    };
    let now = client.api().seams.now();
    let snapshot = client.api().cache.list(&kind.resource);
    let old = snapshot
        .objects
        .values()
        .filter(|event| is_old(event, now))
        .take(AT_ONCE);
    for event in old {
        // Whoever changed it meanwhile has made it young again.
        let options = json!({"preconditions": {"resourceVersion": event.revision.to_string()}});
        let deleted = client
            .delete(EVENTS, event.namespace(), event.name(), &options)
            .await;
        if let Err(error) = deleted {
            tracing::debug!(%error, key = %event.key, "an old event could not be deleted");
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Times {
    metadata: Created,
    #[serde(default)]
    last_timestamp: Option<Timestamp>,
    #[serde(default)]
    deprecated_last_timestamp: Option<Timestamp>,
    #[serde(default)]
    event_time: Option<Timestamp>,
    #[serde(default)]
    series: Option<Series>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    #[serde(default)]
    creation_timestamp: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Series {
    #[serde(default)]
    last_observed_time: Option<Timestamp>,
}

/// Did it last happen too long ago? One whose times cannot be read stays.
fn is_old(event: &Obj, now: Timestamp) -> bool {
    let Ok(times) = serde_json::from_slice::<Times>(&event.bytes) else {
        return false;
    };
    [
        times.metadata.creation_timestamp,
        times.last_timestamp,
        times.deprecated_last_timestamp,
        times.event_time,
        times.series.and_then(|s| s.last_observed_time),
    ]
    .into_iter()
    .flatten()
    .max()
    .is_some_and(|last| now.as_second() - last.as_second() > TTL_SECONDS)
}

#[cfg(test)]
mod tests {
    use apiserver_store::{Key, Revision};

    use super::*;

    #[test]
    fn the_last_time_counts() {
        let now: Timestamp = "2026-01-01T02:00:00Z".parse().unwrap();
        let old = |fields: &serde_json::Value| {
            let event = Obj::from_store(
                Key::new("/events", "ns", "e"),
                Revision::new(1),
                fields.to_string().as_bytes(),
            );
            is_old(&event.unwrap(), now)
        };
        let created = |at: &str| json!({"metadata": {"creationTimestamp": at}});
        assert!(old(&created("2026-01-01T00:59:00Z")));
        assert!(!old(&created("2026-01-01T01:01:00Z")));
        assert!(!old(
            &json!({"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
            "lastTimestamp": "2026-01-01T01:30:00Z"})
        ));
        assert!(!old(
            &json!({"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
            "series": {"lastObservedTime": "2026-01-01T01:30:00.123456Z"}})
        ));
        assert!(!old(&json!({"metadata": {}})));
    }
}
