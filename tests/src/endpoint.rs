//! An API server as a program meets it: answers as they are, and nothing is tried again.

use std::path::Path;
use std::time::Duration;

use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use tokio::time::timeout;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A connection to one server.
#[derive(Clone)]
pub struct Endpoint {
    client: Client,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status code.
    pub status: u16,
    /// The body; null if it is not JSON.
    pub body: Value,
}

/// The events of a watch.
#[derive(Debug)]
pub struct Events {
    body: Body,
    unread: Vec<u8>,
}

impl Endpoint {
    /// The server of a kubeconfig, as its user. Does not connect yet.
    ///
    /// # Errors
    /// The kubeconfig is none.
    pub async fn connect(kubeconfig: &Path) -> anyhow::Result<Self> {
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let mut config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        config.default_retry = false;
        config.connect_timeout = Some(Duration::from_secs(2));
        Ok(Self {
            client: Client::try_from(config)?,
        })
    }

    /// Sends one request, with a JSON body if any; that of a PATCH is a merge patch.
    ///
    /// # Errors
    /// There was no answer, or not the whole of one: what was asked for may have happened.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Reply> {
        timeout(PATIENCE, async {
            let answer = self.client.send(request(method, path, body)?).await?;
            let status = answer.status().as_u16();
            let bytes = answer.into_body().collect().await?.to_bytes();
            let body = serde_json::from_slice(&bytes).unwrap_or_default();
            Ok(Reply { status, body })
        })
        .await?
    }

    /// Opens a watch; whatever is not one comes as the inner error.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn watch(&self, path: &str) -> anyhow::Result<Result<Events, Reply>> {
        timeout(PATIENCE, async {
            let answer = self.client.send(request("GET", path, None)?).await?;
            let status = answer.status().as_u16();
            let body = answer.into_body();
            if status == 200 {
                let unread = Vec::new();
                return Ok(Ok(Events { body, unread }));
            }
            let bytes = body.collect().await?.to_bytes();
            let body = serde_json::from_slice(&bytes).unwrap_or_default();
            Ok(Err(Reply { status, body }))
        })
        .await?
    }
}

impl Reply {
    /// The `reason` of a Status.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.body["reason"].as_str().unwrap_or_default()
    }

    /// The `message` of a Status.
    #[must_use]
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

impl Events {
    /// The next event; `None` when the stream has ended or broken. May be dropped without losing an event.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                // A line that is not JSON was cut: nothing follows it.
                return serde_json::from_slice(&line).ok();
            }
            let frame = self.body.frame().await?.ok()?;
            self.unread.extend(frame.into_data().unwrap_or_default());
        }
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Endpoint")
    }
}

fn request(
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<http::Request<Body>, http::Error> {
    let kind = match method {
        "PATCH" => "application/merge-patch+json",
        _ => "application/json",
    };
    let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
    http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", kind)
        .body(Body::from(body))
}
