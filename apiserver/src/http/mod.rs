//! HTTP: what stands between connections and verbs.
//!
//! [`front`](self) authenticates, authorises and bounds every request, and hands it to the verbs, to a document
//! (discovery, OpenAPI, health, metrics) or to an [`Extension`] of the embedding program. Paths are parsed once, by one
//! parser, for all kinds.

mod body;
mod compress;
pub(crate) mod discovery;
mod documents;
mod extension;
mod front;
mod health;
mod limits;
mod metrics;
pub(crate) mod openapi;
mod path;
mod resources;
mod reviews;
mod uri;
mod version;
mod warn;

pub use body::{Body, BoxError, error_response, full, json, read, response, stream};
pub(crate) use documents::Documents;
pub(crate) use extension::Extensions;
pub use extension::{Extension, ExtensionResource};
pub(crate) use front::{Front, Phase};
pub use health::HealthCheck;
pub(crate) use limits::InFlight;
pub use limits::Limits;
pub(crate) use metrics::Metrics;
pub(crate) use uri::decode;
pub use uri::parse_query;

/// The HTTP code that the checks give.
#[cfg(test)]
pub(crate) fn health_answer(
    checks: &[HealthCheck],
    endpoint: &str,
    query: &crate::request::Query,
) -> u16 {
    health::answer(checks, endpoint, None, query).0.as_u16()
}
