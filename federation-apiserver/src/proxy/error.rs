//! Why a request does not get through, as clients are told.

use apiserver::status::ApiError;
use federation_api::names::KOINON_GROUP;
use federation_member::{AccessError, TlsConfigError};
use http::StatusCode;

use super::connector::ConnectError;
use super::identity::IdentityError;
use super::route::PREFIX;
use super::scope::OutsideCell;
use crate::chain::chain;

/// Everything that can go wrong before a member answers.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyError {
    #[error("no such path")]
    NoRoute,
    #[error("the method is not one that API servers know")]
    Method,
    #[error("no cluster {0}")]
    UnknownCluster(String),
    #[error("the cluster of cell {cluster} is not complete")]
    CellIncomplete { cluster: String, what: &'static str },
    #[error("the access data of cluster {cluster} cannot be used")]
    Access {
        cluster: String,
        #[source]
        source: AccessError,
    },
    #[error("the TLS settings of cluster {cluster} cannot be used")]
    TlsConfig {
        cluster: String,
        #[source]
        source: TlsConfigError,
    },
    #[error("outside of cell {cluster}")]
    OutsideCell {
        cluster: String,
        namespace: String,
        #[source]
        source: OutsideCell,
    },
    #[error("the caller cannot be impersonated")]
    Identity {
        cluster: String,
        #[source]
        source: IdentityError,
    },
    #[error("too many requests to cluster {0}")]
    Busy(String),
    #[error("cluster {cluster} does not answer")]
    Failed {
        cluster: String,
        /// What the health probe last said, if it said that the cluster is not ready.
        health: Option<String>,
        #[source]
        source: hyper_util::client::legacy::Error,
    },
    #[error("cluster {0} was deleted")]
    Deleted(String),
    #[error("cluster {0} does not accept the hub's credentials")]
    Credentials(String),
    /// The server's own refusal.
    #[error("refused")]
    Refused(#[source] ApiError),
}

impl ProxyError {
    /// The status that says so.
    pub(super) fn to_status(&self) -> ApiError {
        match self {
            Self::NoRoute => ApiError::no_such_path(),
            Self::Method => ApiError::method_not_allowed(KOINON_GROUP, "clusters", "proxy"),
            Self::UnknownCluster(name) | Self::Deleted(name) => ApiError::not_found(KOINON_GROUP, "clusters", name),
            Self::CellIncomplete { cluster, what } => unavailable(
                cluster,
                format!("{what}; look at the Cell's conditions"),
            ),
            Self::Access { cluster, source } => unavailable(
                cluster,
                format!("its access data cannot be used: {source}; correct the KubeFedCluster or its Secret"),
            ),
            Self::TlsConfig { cluster, source } => unavailable(
                cluster,
                format!("its TLS settings cannot be used: {}; correct the KubeFedCluster or its Secret", chain(source)),
            ),
            Self::OutsideCell {
                cluster,
                namespace,
                source,
            } => ApiError::forbidden(
                KOINON_GROUP,
                "clusters",
                cluster,
                &format!("{source} ({namespace}); for the rest of the cluster use its own context"),
            ),
            Self::Identity { cluster, source } => {
                ApiError::forbidden(KOINON_GROUP, "clusters", cluster, &source.to_string())
            }
            Self::Busy(cluster) => ApiError::too_many_requests(
                format!("too many requests to cluster {cluster:?} are open, please try again later"),
                1,
            ),
            Self::Failed {
                cluster,
                health,
                source,
            } => failed(cluster, health.as_deref(), source),
            Self::Credentials(cluster) => unavailable(
                cluster,
                "it does not accept the hub's credentials: renew its Secret, or fedctl unjoin and join it again".to_owned(),
            ),
            Self::Refused(error) => error.clone(),
        }
    }
}

/// No connection is the cluster's trouble (503), no trust or a broken answer is what lies between (502).
fn failed(
    cluster: &str,
    health: Option<&str>,
    error: &hyper_util::client::legacy::Error,
) -> ApiError {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    match cause {
        Some(ConnectError::Dial(source)) => {
            let health = health
                .map(|text| format!(" (last probe: {text})"))
                .unwrap_or_default();
            unavailable(
                cluster,
                format!("{}{health}; {}", chain(source), source.advice()),
            )
        }
        Some(ConnectError::Tls(source)) => bad_gateway(
            cluster,
            format!(
                "TLS: {}; check spec.caBundle and spec.apiEndpoint of the KubeFedCluster",
                chain(source)
            ),
        ),
        None => bad_gateway(cluster, chain(error)),
    }
}

fn unavailable(cluster: &str, why: String) -> ApiError {
    ApiError::unavailable(format!("cluster {cluster:?} cannot be reached: {why}"))
}

/// What upstream's proxies answer when the far end misbehaves.
fn bad_gateway(cluster: &str, why: String) -> ApiError {
    ApiError::new(
        StatusCode::BAD_GATEWAY,
        "BadGateway",
        format!(
            "error trying to reach cluster {cluster:?} through {PREFIX}/{cluster}/proxy: {why}"
        ),
    )
}
