//! The compare-and-swap behind every change and deletion of an existing object.

use std::sync::Arc;

use apiserver_store::{Action, CommitError, Expect, Key, Mutation};
use bytes::Bytes;

use super::pipeline::Write;
use crate::object::{self, Obj};
use crate::status::ApiError;

/// How often a write without a `resourceVersion` is made again on a newer object before the client is told. Of those who
/// change one object at the same moment one wins each round, so this is about how many may do so.
const TRIES: usize = 1000;

/// One object that a request is to change or delete. Take [`Swap::current`], decide on it, [`Swap::commit`]; if somebody
/// else was faster, begin again with the newer object.
pub(super) struct Swap<'a> {
    write: &'a Write<'a>,
    key: Key,
    current: Option<Arc<Obj>>,
    tries: usize,
}

/// What is left after a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The object, as given.
    Stays,
    /// Nothing: the bytes are its last state.
    Gone,
}

impl<'a> Swap<'a> {
    /// Finds the object of that name in the request's namespace, as fresh as the store is.
    ///
    /// # Errors
    /// 503 if the cache cannot tell what is fresh.
    pub(super) async fn begin(write: &'a Write<'a>, name: &str) -> Result<Self, ApiError> {
        let key = Key::new(
            write.kind.resource.clone(),
            write.request.path.namespace.as_str(),
            name,
        );
        write.api.cache.fresh().await?;
        Ok(Self {
            write,
            current: write.api.cache.get_key(&key),
            key,
            tries: 0,
        })
    }

    /// The object to decide on now.
    ///
    /// # Errors
    /// 404 if there is none (any more); 409 after too many lost races.
    pub(super) fn current(&mut self) -> Result<Arc<Obj>, ApiError> {
        let Some(current) = &self.current else {
            return Err(self.write.not_found(&self.key.name));
        };
        if self.tries == TRIES {
            return Err(self.write.modified(&self.key.name));
        }
        self.tries += 1;
        Ok(current.clone())
    }

    /// Did the object exist when it was last looked at?
    pub(super) fn is_there(&self) -> bool {
        self.current.is_some()
    }

    /// Stores `bytes` in place of `now`, or deletes it. Bytes that change nothing are not written. Gives the object as stored
    /// last, or nothing if somebody else was faster.
    ///
    /// # Errors
    /// 503 or 504 if the store fails.
    pub(super) async fn commit(
        &mut self,
        now: &Arc<Obj>,
        bytes: Bytes,
        then: Then,
    ) -> Result<Option<Arc<Obj>>, ApiError> {
        let action = match then {
            Then::Stays if object::splice_revision(&bytes, now.revision) == now.bytes => {
                return Ok(Some(now.clone()));
            }
            Then::Stays => Action::Put(bytes.clone()),
            Then::Gone => Action::Delete(bytes.clone()),
        };
        let mutation = Mutation {
            key: self.key.clone(),
            expect: Expect::Revision(now.revision),
            action,
        };
        match self.write.api.store.commit(mutation).await {
            Ok(revision) => {
                let stored = Obj::from_store(self.key.clone(), revision, &bytes)
                    .map_err(ApiError::internal)?;
                Ok(Some(Arc::new(stored)))
            }
            Err(CommitError::Conflict { current }) => {
                let newer = current
                    .map(|record| Obj::from_record(&record))
                    .transpose()
                    .map_err(ApiError::internal)?;
                self.current = newer.map(Arc::new);
                Ok(None)
            }
            Err(error) => Err(store_error(error)),
        }
    }
}

/// What the client is told of a commit that failed for reasons of the store.
pub(super) fn store_error(error: CommitError) -> ApiError {
    match error {
        CommitError::Conflict { .. } => ApiError::internal("a conflict was not expected here"),
        CommitError::InvalidKey(key) => ApiError::bad_request(format!("not a complete key: {key}")),
        CommitError::Unavailable(cause) => {
            tracing::error!(
                error = &cause as &dyn std::error::Error,
                "the store cannot write"
            );
            ApiError::unavailable(format!(
                "the store cannot write: {cause}; nothing was changed"
            ))
        }
        CommitError::UnknownOutcome(cause) => {
            tracing::error!(
                error = &cause as &dyn std::error::Error,
                "a write has an unknown outcome"
            );
            ApiError::timeout(
                "it is unknown whether the change was stored: read the object before you try again",
                1,
            )
        }
    }
}
