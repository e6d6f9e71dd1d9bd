//! Reads many objects.

use std::sync::Arc;

use super::options::{Freshness, ListOptions, for_list, selector};
use super::page::{Cursor, Place};
use super::reply::Reply;
use crate::api::Api;
use crate::cache::Snapshot;
use crate::convert;
use crate::kinds::Kind;
use crate::object::Obj;
use crate::request::Request;
use crate::selector::Selector;
use crate::status::ApiError;

const CONTINUE_EXPIRED: &str = "The provided continue parameter is too old to display a consistent list result. \
    You can start a new list without the continue parameter, or use the continue token in this response to retrieve the \
    remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were \
    created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

const REVISION_EXPIRED: &str = "The resourceVersion for the provided list is too old.";

/// Lists the objects of the path's namespace, or of all if it names none, that the selectors choose, in key order.
///
/// All pages of a chunked list show one revision. `remainingItemCount` is told only without selectors.
///
/// # Errors
/// 400 and 422 for bad options, 410 for a revision or token that is too old (a token's error carries another token that
/// goes on inconsistently), 504 for a revision in the future.
pub async fn list(
    api: &Api,
    request: &Request,
    kind: &Arc<Kind>,
    version: &str,
) -> Result<Reply, ApiError> {
    let row = kind.version(version).ok_or_else(ApiError::no_such_path)?;
    let options = for_list(&request.query)?;
    let selector = selector(request, kind, row)?;
    let snapshot = snapshot(api, kind, &options).await?;
    let scan = Scan {
        snapshot: &snapshot,
        namespace: Some(request.path.namespace.as_str()).filter(|ns| !ns.is_empty()),
        all_namespaces: kind.namespaced() && request.path.namespace.is_empty(),
        options: &options,
    };
    let page = if selector.fields.looks_inside() && scan.foreign(kind, version) {
        let chosen = choose_converted(api, kind, version, &scan, &selector).await?;
        scan.cut(chosen.iter(), |_| true)
    } else {
        scan.cut(scan.objects(), |object| selector.matches(object))
    };
    let continue_token = page.next.map(|from| {
        api.cache.pin(&kind.resource, &snapshot);
        let revision = Some(snapshot.revision);
        Cursor { revision, from }.encode()
    });
    Ok(Reply::List {
        kind: kind.clone(),
        version: version.into(),
        revision: snapshot.revision,
        items: page.items,
        remaining: page.rest.filter(|_| selector.is_empty()),
        continue_token,
    })
}

/// The state that the options ask for.
async fn snapshot(
    api: &Api,
    kind: &Arc<Kind>,
    options: &ListOptions,
) -> Result<Snapshot, ApiError> {
    match options.freshness {
        Freshness::Latest => api.cache.fresh().await?,
        Freshness::Any => {}
        Freshness::NotOlderThan(revision) => api.cache.wait_for(revision).await?,
        Freshness::Exact(revision) => {
            let shown = api.cache.at(&kind.resource, revision).await;
            return shown.map_err(|error| error.into_api(revision, || expired(options)));
        }
    }
    Ok(api.cache.list(&kind.resource))
}

fn expired(options: &ListOptions) -> ApiError {
    let Some(from) = options.from.clone() else {
        return ApiError::expired(REVISION_EXPIRED);
    };
    let again = Cursor {
        revision: None,
        from,
    };
    let mut error = ApiError::expired(CONTINUE_EXPIRED);
    error.continue_token = Some(again.encode());
    error
}

/// The part of a snapshot that one request goes through.
struct Scan<'a> {
    snapshot: &'a Snapshot,
    namespace: Option<&'a str>,
    all_namespaces: bool,
    options: &'a ListOptions,
}

/// What of it goes into the answer.
struct Page {
    items: Vec<Arc<Obj>>,
    /// Where the next page starts; `None` if there is nothing more.
    next: Option<Place>,
    /// How many objects were not looked at, if a limit cut them off.
    rest: Option<u64>,
}

impl<'a> Scan<'a> {
    fn objects(&self) -> impl Iterator<Item = &'a Arc<Obj>> + use<'a> {
        let namespace = self.namespace.unwrap_or_default();
        let from = self.options.from.as_ref();
        let from = from.map(|place| place.parts(namespace, self.all_namespaces));
        self.snapshot.range(self.namespace, from)
    }

    /// Is any object stored in another version than the one whose fields the request may select by?
    fn foreign(&self, kind: &Kind, version: &str) -> bool {
        let wanted = kind.api_version(version);
        self.objects().any(|object| object.api_version != wanted)
    }

    fn cut<'b>(
        &self,
        mut objects: impl Iterator<Item = &'b Arc<Obj>>,
        keep: impl Fn(&Obj) -> bool,
    ) -> Page {
        let limit = self.options.limit.unwrap_or(usize::MAX);
        let chosen = objects.by_ref().filter(|object| keep(object)).take(limit);
        let items: Vec<Arc<Obj>> = chosen.cloned().collect();
        let rest = if items.len() == limit {
            objects.count()
        } else {
            0
        };
        let last = items.last().filter(|_| rest > 0);
        let next = last.map(|o| Place::after(o.namespace(), o.name(), self.all_namespaces));
        Page {
            next,
            rest: u64::try_from(rest).ok().filter(|rest| *rest > 0),
            items,
        }
    }
}

/// The selected objects, judged in the version of the request: some are stored in another one.
async fn choose_converted(
    api: &Api,
    kind: &Arc<Kind>,
    version: &str,
    scan: &Scan<'_>,
    selector: &Selector,
) -> Result<Vec<Arc<Obj>>, ApiError> {
    let labelled = scan
        .objects()
        .filter(|o| selector.labels.matches(&o.meta.labels));
    let candidates: Vec<Arc<Obj>> = labelled.cloned().collect();
    let views = convert::view(api, kind, version, &candidates).await?;
    let judged = candidates.into_iter().zip(views);
    Ok(judged
        .filter(|(object, view)| selector.fields.matches(object, view))
        .map(|(object, _)| object)
        .collect())
}
