//! Conversion by a webhook that a CRD names, with `ConversionReview` over HTTPS.

mod client;
mod review;
mod words;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use self::client::Endpoint;
use super::{Converter, metadata};
use crate::kinds::{Kind, Origin};
use crate::seams::Seams;
use crate::status::ApiError;

/// How long a webhook may take, as upstream.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where services of the cluster can be reached: this server has no cluster network of its own.
pub trait ServiceResolver: Send + Sync {
    /// `host:port` at which the service's port is reached, or `None` if the service is not known. The certificate there
    /// must be valid for `<name>.<namespace>.svc`.
    fn address(&self, namespace: &str, name: &str, port: u16) -> Option<String>;
}

/// Knows no service: only webhooks with a `url` work.
#[derive(Clone, Copy, Debug)]
pub struct NoServices;

impl ServiceResolver for NoServices {
    fn address(&self, _: &str, _: &str, _: u16) -> Option<String> {
        None
    }
}

/// Converts the custom resources whose CRD says `strategy: Webhook`. To be the last of the converters.
///
/// All objects of a request go into one review. The webhook's certificate must chain to the `caBundle`; without one there
/// is nothing to trust, and the call fails. A call may take 30 seconds; it is not repeated.
pub struct WebhookConverter {
    services: Arc<dyn ServiceResolver>,
    seams: Seams,
    client: client::Client,
}

impl WebhookConverter {
    /// A converter that finds services through `services` and draws request uids from `seams`.
    pub fn new(services: Arc<dyn ServiceResolver>, seams: Seams) -> Self {
        Self {
            services,
            seams,
            client: client::Client::default(),
        }
    }
}

#[async_trait]
impl Converter for WebhookConverter {
    fn handles(&self, kind: &Kind) -> bool {
        match &kind.origin {
            Origin::Builtin => false,
            Origin::Custom { conversion, .. } => {
                conversion.get("strategy").is_some_and(|s| s == "Webhook")
            }
        }
    }

    async fn convert(
        &self,
        kind: &Kind,
        objects: Vec<Value>,
        version: &str,
    ) -> Result<Vec<Value>, ApiError> {
        let Origin::Custom { conversion, .. } = &kind.origin else {
            return Ok(objects);
        };
        let subject = metadata::subject(kind, &objects);
        let fail = |why: String| {
            metadata::failure(format!("conversion webhook for {subject} failed: {why}"))
        };
        let webhook = conversion.get("webhook").unwrap_or(&Value::Null);
        let review = review::ReviewVersion::choose(webhook)
            .ok_or_else(|| fail("no supported conversion review versions".to_owned()))?;
        let endpoint = Endpoint::parse(
            webhook.get("clientConfig").unwrap_or(&Value::Null),
            &*self.services,
        )
        .map_err(&fail)?;
        let uid = self.seams.uid();
        let request = review::request(review, &uid, &kind.api_version(version), objects);
        let call = self.client.post(&endpoint, request);
        let unreached = |why: &str| fail(format!("Post {:?}: {why}", endpoint.url()));
        let answer = match tokio::time::timeout(TIMEOUT, call).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(client::PostError::Unreached(why))) => return Err(unreached(&why)),
            Ok(Err(client::PostError::Answered(why))) => return Err(fail(why)),
            Err(_) => return Err(unreached("context deadline exceeded")),
        };
        review::converted(review, &uid, &answer).map_err(fail)
    }
}

impl std::fmt::Debug for WebhookConverter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookConverter")
    }
}
