//! Sealing everything again: as a command beside other hubs, and by a running hub for its administrator.

use std::collections::BTreeMap;

use apiserver::http::{Body, Extension, error_response, json};
use apiserver::request::UserInfo;
use apiserver::status::ApiError;
use apiserver_store::{ResealProgress, Store};
use async_trait::async_trait;
use http::{Method, Request, Response, StatusCode};
use serde_json::json;
use tokio::sync::Mutex;

use super::error::chain;

/// Where a running hub takes the order.
pub(crate) const PATH: &str = "/koinon/v1/rewrite";
/// Who may give it.
const ADMINISTRATORS: &str = "system:masters";

/// Seals everything again on `POST` of an administrator (a member of `system:masters`), and answers when that is done. One at a time.
#[derive(Debug)]
pub(crate) struct RewriteHandler {
    store: Store,
    running: Mutex<()>,
}

impl RewriteHandler {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            running: Mutex::new(()),
        }
    }

    async fn rewrite(&self) -> Result<ResealProgress, ApiError> {
        let Ok(_running) = self.running.try_lock() else {
            return Err(ApiError::too_many_requests("a rewrite is under way", 10));
        };
        let outcome = self.store.reseal(|_| {}).await;
        outcome.map_err(|error| {
            let text = chain(&error);
            tracing::error!(error = text, "not everything was sealed again");
            ApiError::internal(format!("not everything was sealed again: {text}"))
        })
    }
}

#[async_trait]
impl Extension for RewriteHandler {
    fn prefixes(&self) -> Vec<String> {
        vec![PATH.to_owned()]
    }

    fn is_long_running(&self, _: &Request<Body>) -> bool {
        true
    }

    async fn handle(&self, request: Request<Body>, user: UserInfo) -> Response<Body> {
        if request.method() != Method::POST {
            return error_response(&ApiError::method_not_allowed("", "rewrite", "get"));
        }
        if !user.groups.iter().any(|group| group == ADMINISTRATORS) {
            let why = format!("only members of {ADMINISTRATORS} may have everything sealed again");
            return error_response(&ApiError::forbidden("", "rewrite", "", &why));
        }
        match self.rewrite().await {
            Ok(done) => json(StatusCode::OK, &json!(report(done))),
            Err(error) => error_response(&error),
        }
    }
}

/// What was done, for the answer.
fn report(done: ResealProgress) -> BTreeMap<&'static str, u64> {
    BTreeMap::from([("objects", done.seen), ("rewritten", done.resealed)])
}
