//! Why a body cannot be read, and how that is told.

use super::summary;
use crate::status::ApiError;

/// Why a body cannot be read. Its text is the parser's message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(crate) struct Unreadable {
    why: String,
    /// The version, without group, and kind that the body says to be of, if it could be read so far.
    found: Option<(String, String)>,
}

impl Unreadable {
    /// A body of which nothing could be read.
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            found: None,
        }
    }

    /// A body of which the kind could be read.
    pub(super) fn of_kind(why: String, api_version: &str, kind: &str) -> Self {
        let version = api_version.rsplit('/').next().unwrap_or_default();
        Self {
            why,
            found: (!kind.is_empty()).then(|| (version.to_owned(), kind.to_owned())),
        }
    }

    /// The 400 that upstream answers where an object of a kind was expected.
    pub(crate) fn refusal(&self, expected_kind: &str, body: &[u8]) -> ApiError {
        let why = &self.why;
        ApiError::bad_request(match &self.found {
            Some((version, kind)) => {
                format!(
                    "{kind} in version \"{version}\" cannot be handled as a {expected_kind}: {why}"
                )
            }
            None => format!(
                "the object provided is unrecognized (must be of type {expected_kind}): {why} ({})",
                summary(body)
            ),
        })
    }
}

impl From<Unreadable> for String {
    fn from(error: Unreadable) -> Self {
        error.why
    }
}
