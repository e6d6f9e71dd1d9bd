//! The query parameters of get, list and watch, checked (`metav1.ListOptions`,
//! `k8s.io/apimachinery/pkg/apis/meta/internalversion/validation`).

use apiserver_store::Revision;

use crate::kinds::{Kind, KindVersion};
use crate::request::{Query, Request};
use crate::selector::Selector;
use crate::status::{ApiError, FieldError, FieldErrorKind};

use super::page::{Cursor, Place};

/// How old an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// As of now: everything that was committed before the request. (no `resourceVersion`)
    Latest,
    /// Whatever there is. (`"0"`)
    Any,
    /// At least as new as the revision.
    NotOlderThan(Revision),
    /// The state at exactly that revision.
    Exact(Revision),
}

/// What a list is to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListOptions {
    pub(super) freshness: Freshness,
    /// At most so many items; `None` is all.
    pub(super) limit: Option<usize>,
    /// Where to go on; absent on the first page.
    pub(super) from: Option<Place>,
}

/// What a watch is to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WatchOptions {
    pub(super) freshness: Freshness,
    /// Begin with all current objects?
    pub(super) initial: bool,
    /// Send bookmarks?
    pub(super) bookmarks: bool,
    /// Was `sendInitialEvents=true` asked for, so that their end must be marked?
    pub(super) mark_initial_end: bool,
    /// Seconds until the server ends the watch, if the client set it.
    pub(super) timeout: Option<u64>,
}

struct Raw<'a> {
    version: &'a str,
    matching: &'a str,
    token: &'a str,
    initial: Option<bool>,
    limit: i64,
    timeout: i64,
}

impl<'a> Raw<'a> {
    fn of(query: &'a Query) -> Result<Self, ApiError> {
        let text = |name| query.get(name).unwrap_or_default();
        let initial = query
            .get("sendInitialEvents")
            .map(|_| query.flag("sendInitialEvents"));
        Ok(Self {
            version: text("resourceVersion"),
            matching: text("resourceVersionMatch"),
            token: text("continue"),
            initial,
            limit: number(query, "limit")?,
            timeout: number(query, "timeoutSeconds")?,
        })
    }
}

fn number(query: &Query, name: &str) -> Result<i64, ApiError> {
    let text = query.get(name).unwrap_or_default();
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| {
        ApiError::bad_request(format!(
            "strconv.ParseInt: parsing {text:?}: invalid syntax"
        ))
    })
}

/// Reads `resourceVersion`; `None` is `""` and `"0"`.
fn revision(text: &str) -> Result<Option<Revision>, FieldError> {
    if text.is_empty() || text == "0" {
        return Ok(None);
    }
    // Upstream reads it with ParseUint, which is more lenient about leading zeros than clients' comparison.
    text.parse::<u64>()
        .map(Revision::new)
        .map(Some)
        .map_err(|error| {
            let why = match error.kind() {
                std::num::IntErrorKind::PosOverflow => "value out of range",
                _ => "invalid syntax",
            };
            FieldError::invalid(
                "resourceVersion",
                &text.into(),
                format!("strconv.ParseUint: parsing {text:?}: {why}"),
            )
        })
}

fn bad_revision(error: &FieldError) -> ApiError {
    ApiError::bad_request(format!("invalid resource version: {error}"))
}

fn at_least(text: &str, revision: Option<Revision>) -> Freshness {
    match revision {
        None if text.is_empty() => Freshness::Latest,
        None => Freshness::Any,
        Some(revision) => Freshness::NotOlderThan(revision),
    }
}

/// Reads the options of a get.
pub(super) fn for_get(query: &Query) -> Result<Freshness, ApiError> {
    let text = query.get("resourceVersion").unwrap_or_default();
    let revision = revision(text).map_err(|e| ApiError::unexplained(e.to_string()))?;
    Ok(at_least(text, revision))
}

/// Reads the options of a list.
pub(super) fn for_list(query: &Query) -> Result<ListOptions, ApiError> {
    let raw = Raw::of(query)?;
    let errors = list_errors(&raw);
    if !errors.is_empty() {
        return Err(invalid(&errors));
    }
    let limit = usize::try_from(raw.limit).ok().filter(|limit| *limit > 0);
    if !raw.token.is_empty() {
        let Cursor { revision, from } = Cursor::decode(raw.token)
            .map_err(|error| ApiError::bad_request(format!("invalid continue token: {error}")))?;
        if !raw.version.is_empty() && raw.version != "0" {
            return Err(ApiError::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        let freshness = revision.map_or(Freshness::Latest, Freshness::Exact);
        // "Whatever there is" is always whole, also from a place on.
        let limit = limit.filter(|_| raw.version != "0");
        return Ok(ListOptions {
            freshness,
            limit,
            from: Some(from),
        });
    }
    let revision = revision(raw.version).map_err(|e| bad_revision(&e))?;
    let exact = raw.matching == "Exact" || (raw.matching.is_empty() && limit.is_some());
    let freshness = match revision {
        Some(revision) if exact => Freshness::Exact(revision),
        revision => at_least(raw.version, revision),
    };
    Ok(ListOptions {
        // A list from whatever the cache has is always whole, as upstream's.
        limit: limit.filter(|_| freshness != Freshness::Any),
        freshness,
        from: None,
    })
}

fn list_errors(raw: &Raw<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let field = "resourceVersionMatch";
    if !raw.matching.is_empty() {
        if raw.version.is_empty() {
            errors.push(FieldError::forbidden(
                field,
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ));
        }
        if !raw.token.is_empty() {
            errors.push(forbidden_with_continue());
        }
        if raw.matching != "Exact" && raw.matching != "NotOlderThan" {
            errors.push(unsupported(
                raw.matching,
                "supported values: \"Exact\", \"NotOlderThan\", \"\"",
            ));
        }
        if raw.matching == "Exact" && raw.version == "0" {
            errors.push(FieldError::forbidden(
                field,
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ));
        }
    }
    if raw.initial.is_some() {
        errors.push(FieldError::forbidden(
            "sendInitialEvents",
            "sendInitialEvents is forbidden for list",
        ));
    }
    errors
}

/// Reads the options of a watch.
pub(super) fn for_watch(query: &Query) -> Result<WatchOptions, ApiError> {
    let raw = Raw::of(query)?;
    let errors = watch_errors(&raw);
    if !errors.is_empty() {
        return Err(invalid(&errors));
    }
    let revision =
        revision(raw.version).map_err(|error| ApiError::unexplained(error.to_string()))?;
    let bookmarks = query.flag("allowWatchBookmarks");
    Ok(WatchOptions {
        freshness: at_least(raw.version, revision),
        initial: raw.initial.unwrap_or(revision.is_none()),
        bookmarks,
        mark_initial_end: bookmarks && raw.initial == Some(true),
        timeout: u64::try_from(raw.timeout).ok().filter(|s| *s > 0),
    })
}

fn watch_errors(raw: &Raw<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let field = "resourceVersionMatch";
    if raw.initial.is_some() && raw.matching != "NotOlderThan" {
        errors.push(FieldError::forbidden(
            field,
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ));
    }
    if raw.matching.is_empty() {
        return errors;
    }
    if raw.initial.is_none() {
        errors.push(FieldError::forbidden(
            field,
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ));
    }
    if raw.matching != "NotOlderThan" {
        errors.push(unsupported(
            raw.matching,
            "supported values: \"NotOlderThan\"",
        ));
    }
    if !raw.token.is_empty() {
        errors.push(forbidden_with_continue());
    }
    errors
}

fn forbidden_with_continue() -> FieldError {
    FieldError::forbidden(
        "resourceVersionMatch",
        "resourceVersionMatch is forbidden when continue is provided",
    )
}

fn unsupported(matching: &str, supported: &str) -> FieldError {
    FieldError::new(
        FieldErrorKind::NotSupported,
        "resourceVersionMatch",
        format!("{matching:?}"),
        supported,
    )
}

fn invalid(errors: &[FieldError]) -> ApiError {
    ApiError::invalid("meta.k8s.io", "ListOptions", "", errors)
}

/// The selector of a list or watch. A name in the path is taken as `metadata.name=<name>`.
pub(super) fn selector(
    request: &Request,
    kind: &Kind,
    version: &KindVersion,
) -> Result<Selector, ApiError> {
    let query = &request.query;
    let mut selector = Selector::parse(
        kind,
        version,
        query.get("labelSelector"),
        query.get("fieldSelector"),
    )?;
    let name = request.path.name.as_str();
    if !name.is_empty() {
        if selector.fields.is_empty() {
            selector.fields.require_name(name);
        } else if selector.fields.exact_name() != Some(name) {
            return Err(ApiError::bad_request(
                "fieldSelector metadata.name doesn't match requested name",
            ));
        }
    }
    Ok(selector)
}
