//! DELETE of all objects that selectors choose.

use std::sync::Arc;

use futures::future::join_all;

use super::delete::{DeleteOptions, Gone, delete_one};
use super::pipeline::Write;
use crate::api::Api;
use crate::kinds::Kind;
use crate::request::{Query, Request};
use crate::status::ApiError;
use crate::verbs::{Reply, list};

/// Objects that are deleted at once: enough for the store to group them.
const TOGETHER: usize = 64;

/// What of the query chooses objects.
const CHOOSING: [&str; 5] = [
    "labelSelector",
    "fieldSelector",
    "limit",
    "continue",
    "resourceVersion",
];

/// Deletes the listed objects, some at a time, and answers with the list. Objects that vanish meanwhile count as deleted.
///
/// # Errors
/// What listing says, and the first error of a deletion; others may be deleted then.
pub async fn delete_collection(
    api: &Api,
    request: &Request,
    kind: &Arc<Kind>,
    version: &str,
) -> Result<Reply, ApiError> {
    let options = DeleteOptions::of(request)?;
    let mut choice = request.clone();
    choice.query = Query(
        request
            .query
            .0
            .iter()
            .filter(|(name, _)| CHOOSING.contains(&name.as_str()))
            .cloned()
            .collect(),
    );
    let mut reply = list(api, &choice, kind, version).await?;
    let Reply::List { items, .. } = &mut reply else {
        return Err(ApiError::internal("a list is a list"));
    };
    for chunk in items.chunks_mut(TOGETHER) {
        let deletions = chunk.iter().map(|item| {
            let mut one = request.clone();
            one.path.namespace = item.namespace().to_string();
            let options = &options;
            async move {
                let write = Write::new(api, &one, kind, version, options.dry_run)?;
                delete_one(&write, item.name(), options).await
            }
        });
        let outcomes = join_all(deletions).await;
        for (item, outcome) in chunk.iter_mut().zip(outcomes) {
            match outcome {
                Ok(Gone::Later(object)) => *item = object,
                Ok(Gone::Now(_)) => {}
                Err(error) if error.reason == "NotFound" => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(reply)
}
