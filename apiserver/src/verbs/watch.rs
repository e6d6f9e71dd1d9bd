//! Reads many objects and then every change of them.

use std::sync::Arc;
use std::time::Duration;

use apiserver_store::Revision;
use futures::{StreamExt, stream};
use tokio::time::Instant;

use super::options::{Freshness, WatchOptions, for_watch, selector};
use super::reply::{Reply, WatchItem};
use super::session::{Scope, Session, Start};
use crate::api::Api;
use crate::kinds::Kind;
use crate::request::Request;
use crate::status::ApiError;

/// A watch without `timeoutSeconds` ends after this, or up to twice of it, so that clients spread over servers.
const LEAST_TIMEOUT: Duration = Duration::from_secs(1800);

/// Streams the changes of the objects that the path's namespace and the selectors choose.
///
/// It starts strictly after `resourceVersion`; without one, with `0`, or with `sendInitialEvents`, it begins with an event
/// for every object that there is. Objects that come into or leave the selection appear as added or deleted. With
/// `allowWatchBookmarks`, a bookmark comes every minute and shortly before the end. The stream ends after its timeout, when
/// the server shuts down, when the kind changes, or when the reader is too slow; the client then goes on from the last
/// revision that it saw.
///
/// # Errors
/// 400 and 422 for bad options, 504 for a revision in the future. A revision that is too old is not an error but a stream of
/// one 410 item.
pub async fn watch(
    api: &Api,
    request: &Request,
    kind: &Arc<Kind>,
    version: &str,
) -> Result<Reply, ApiError> {
    let row = kind.version(version).ok_or_else(ApiError::no_such_path)?;
    let options = for_watch(&request.query)?;
    let selector = selector(request, kind, row)?;
    match options.freshness {
        Freshness::Latest => api.cache.fresh().await?,
        Freshness::Any => {}
        Freshness::NotOlderThan(revision) | Freshness::Exact(revision) => {
            api.cache.wait_for(revision).await?;
        }
    }
    let namespace = Some(request.path.namespace.as_str()).filter(|ns| !ns.is_empty());
    let scope = Scope {
        kind: kind.clone(),
        version: version.into(),
        namespace: namespace.map(Into::into),
        selector,
    };
    let events = match start(api, kind, &options) {
        Ok(start) => {
            let deadline = Instant::now() + timeout(api, &options);
            let session = Session::new(api.clone(), scope, start, &options, deadline);
            stream::unfold(session, Session::step).boxed()
        }
        Err(error) => stream::iter([WatchItem::Error(error)]).boxed(),
    };
    Ok(Reply::Watch {
        kind: kind.clone(),
        version: version.into(),
        events,
    })
}

/// Where the stream starts; the error is what its only event says.
fn start(api: &Api, kind: &Arc<Kind>, options: &WatchOptions) -> Result<Start, ApiError> {
    let too_old = |error: crate::cache::TooOld| {
        ApiError::expired(format!(
            "too old resource version: {} ({})",
            error.asked, error.oldest
        ))
    };
    let asked: Option<Revision> = match options.freshness {
        Freshness::NotOlderThan(revision) | Freshness::Exact(revision) if !options.initial => {
            Some(revision)
        }
        _ => None,
    };
    if let Some(revision) = asked {
        let watcher = api.cache.watch(&kind.resource, revision).map_err(too_old)?;
        return Ok(Start {
            watcher,
            initial: None,
        });
    }
    let snapshot = api.cache.list(&kind.resource);
    let watcher = api
        .cache
        .watch(&kind.resource, snapshot.revision)
        .map_err(too_old)?;
    Ok(Start {
        watcher,
        initial: options.initial.then_some(snapshot),
    })
}

fn timeout(api: &Api, options: &WatchOptions) -> Duration {
    if let Some(seconds) = options.timeout {
        // Longer than a year is as good as a year, and cannot overflow the clock.
        return Duration::from_secs(seconds.min(31_536_000));
    }
    let spread = LEAST_TIMEOUT.as_millis() as u64;
    let extra = (api.seams.random() % u128::from(spread)) as u64;
    LEAST_TIMEOUT + Duration::from_millis(extra)
}
