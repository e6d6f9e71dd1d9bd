//! The last resort for a value that nobody can open any more: it keeps a server from starting.

use bytes::Bytes;

use super::{CommitError, CompactError, ReadError, Store};
use crate::{Action, BackendError, Expect, Mutation, Record, Trouble, UnsealError};

/// Why an object was not deleted. It is as it was, except after [`DeleteUnreadableError::Forget`].
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeleteUnreadableError {
    /// The store cannot be read.
    #[error("the stored values cannot be read")]
    Read(#[source] ReadError),
    /// There is no such object.
    #[error("there is no object {0:?}; name it as the hub's error does")]
    Missing(String),
    /// It can be opened with the present configuration.
    #[error("{0} can be read: delete it through the hub")]
    Readable(String),
    /// It may yet be opened: only its provider is away.
    #[error("the object may be readable once its provider answers")]
    Away(#[source] UnsealError),
    /// The deletion cannot be written.
    #[error("the deletion cannot be written")]
    Write(#[source] CommitError),
    /// It is deleted, but the history still has it; sealing everything again forgets that too.
    #[error("the history before cannot be forgotten")]
    Forget(#[source] CompactError),
}

impl Store {
    /// Deletes an object whose value cannot be opened, named as the errors that say so name it, without regard to finalizers and to
    /// what belongs to it, and forgets the history up to there. Nobody gets its value back after that.
    ///
    /// # Errors
    /// [`DeleteUnreadableError`].
    pub async fn delete_unreadable(&self, name: &str) -> Result<(), DeleteUnreadableError> {
        let record = self
            .find(name)
            .await
            .map_err(|error| DeleteUnreadableError::Read(error.into()))?
            .ok_or_else(|| DeleteUnreadableError::Missing(name.to_owned()))?;
        let (key, revision) = (record.key.clone(), record.revision);
        match self.seals().open_record(record).await {
            Ok(_) => return Err(DeleteUnreadableError::Readable(name.to_owned())),
            Err(
                error @ UnsealError::Provider {
                    trouble: Trouble::Kms { .. },
                    ..
                },
            ) => return Err(DeleteUnreadableError::Away(error)),
            Err(_) => {}
        }
        let deletion = Mutation {
            key,
            expect: Expect::Revision(revision),
            action: Action::Delete(Bytes::from_static(b"{}")),
        };
        self.commit(deletion)
            .await
            .map_err(DeleteUnreadableError::Write)?;
        // Its last value stands in the log of its deletion, which nobody can read either.
        self.compact(self.committed())
            .await
            .map_err(DeleteUnreadableError::Forget)?;
        Ok(())
    }

    async fn find(&self, name: &str) -> Result<Option<Record>, BackendError> {
        let mut records = self.sealed().load().await?;
        while let Some(record) = records.next().await {
            let record = record?;
            if record.key.to_string() == name {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }
}
