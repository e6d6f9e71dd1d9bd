//! The tunnels of a hub in another process, through its API: `federation_api::tunnel` has the paths.
//!
//! A connection to a member is one to the hub that was upgraded: whoever may `create` `tunnels/dial` gets bytes through to the member's API
//! server and speaks TLS with that, under the name that the member's Secret gives. The hub impersonates nobody.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use federation_api::tunnel::{DIAL, DIAL_PROTOCOL, TUNNELS_PATH};
use http::header::{CONNECTION, UPGRADE};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use hyper_util::rt::TokioIo;
use kube::client::Body;
use kube::core::Status;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::tunnel::{Stream, TunnelBoard, TunnelDialError, TunnelState, Tunnels};
use crate::clients::{self, ConnectError, Fence, GuardLayer, TlsChecks, message};
use crate::work::{Backoff, Env, Limiter, OwnedTask, RateLimit};

/// How long the hub may take to answer. It waits for the agent, which has ten seconds.
const ANSWER: Duration = Duration::from_secs(12);
/// A watch that says nothing for so long is dead: the hub sends something every five seconds.
const SILENCE: Duration = Duration::from_secs(15);
/// How long to leave a hub alone that has no tunnels.
const NO_TUNNELS: Duration = Duration::from_secs(30);
/// The longest line of a watch, and the longest text of a refusal.
const MAX_LINE: usize = 64 * 1024;

/// The tunnels of a hub, through its API. Nothing is sent before it is used.
pub struct RemoteTunnels {
    hub_client: kube::Client,
    board: TunnelBoard,
    env: Env,
    follows: OnceLock<OwnedTask>,
}

impl RemoteTunnels {
    /// The tunnels of the hub that `hub_config` leads to.
    ///
    /// # Errors
    /// If the configuration cannot be used.
    pub fn new(hub_config: &kube::Config, env: Env) -> Result<Self, ConnectError> {
        let guard = GuardLayer {
            limiter: Arc::new(Limiter::new(RateLimit::NONE)),
            // What is written goes to members, whose own clients are fenced.
            fence: Fence::open(),
            timeout: ANSWER,
        };
        Ok(Self {
            hub_client: clients::connect(hub_config, TlsChecks::default(), &guard)?,
            board: TunnelBoard::default(),
            env,
            follows: OnceLock::new(),
        })
    }
}

#[async_trait]
impl Tunnels for RemoteTunnels {
    async fn dial(&self, cluster: &str, _: &Uri) -> Result<Box<dyn Stream>, TunnelDialError> {
        let failed = |why: String| TunnelDialError(why);
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{TUNNELS_PATH}/{cluster}/{DIAL}"))
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, DIAL_PROTOCOL)
            .body(Body::empty())
            .map_err(|error| failed(error.to_string()))?;
        let response = self
            .hub_client
            .send(request)
            .await
            .map_err(|error| failed(format!("the hub's tunnel: {}", message(&error))))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(failed(refusal(response).await));
        }
        let upgraded = hyper::upgrade::on(response)
            .await
            .map_err(|error| failed(format!("the hub's tunnel: {error}")))?;
        Ok(Box::new(TokioIo::new(upgraded)))
    }

    fn state(&self, cluster: &str) -> watch::Receiver<TunnelState> {
        self.follows.get_or_init(|| {
            let (client, board) = (self.hub_client.clone(), self.board.clone());
            OwnedTask::spawn(follow(client, board, self.env.clone()))
        });
        self.board.subscribe(cluster)
    }
}

/// What the hub says about why it does not.
async fn refusal(response: Response<Body>) -> String {
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_LINE).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    match serde_json::from_slice::<Status>(&body) {
        Ok(told) if !told.message.is_empty() => told.message,
        _ => format!("the hub's tunnel answers {status}"),
    }
}

/// A watch that ended.
#[derive(Debug, thiserror::Error)]
enum WatchError {
    /// The hub has no tunnels: an ordinary cluster, or a hub that was not told to serve them.
    #[error("the hub serves no tunnels")]
    None,
    #[error("{0}")]
    Broken(String),
}

/// Keeps the board in step with the hub, until dropped.
async fn follow(hub_client: kube::Client, board: TunnelBoard, env: Env) {
    let mut failures = 0;
    loop {
        let started = tokio::time::Instant::now();
        let ended = watch_once(&hub_client, &board).await;
        board.forget();
        if started.elapsed() > SILENCE {
            failures = 0;
        }
        match ended {
            Err(WatchError::None) => sleep(NO_TUNNELS).await,
            Err(WatchError::Broken(why)) => {
                tracing::debug!(why, "the watch of tunnels was interrupted");
                sleep(Backoff::STREAM.delay(failures, env.unit())).await;
                failures += 1;
            }
            Ok(()) => {}
        }
    }
}

async fn watch_once(hub_client: &kube::Client, board: &TunnelBoard) -> Result<(), WatchError> {
    let broken = |why: String| WatchError::Broken(why);
    let request = Request::get(format!("{TUNNELS_PATH}?watch=true"))
        .body(Body::empty())
        .map_err(|error| broken(error.to_string()))?;
    let response = hub_client
        .send(request)
        .await
        .map_err(|error| broken(message(&error)))?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => return Err(WatchError::None),
        _ => return Err(broken(refusal(response).await)),
    }
    let mut body = response.into_body();
    let (mut lines, mut reading) = (Lines::default(), Reading::default());
    loop {
        let frame = match timeout(SILENCE, body.frame()).await {
            Err(_) => return Err(broken("the hub is silent".to_owned())),
            Ok(None) => return Ok(()),
            Ok(Some(Err(error))) => return Err(broken(error.to_string())),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(bytes) = frame.into_data() else {
            continue;
        };
        for line in lines
            .take(&bytes)
            .map_err(|()| broken("a line is too long".to_owned()))?
        {
            let line = serde_json::from_slice(&line).map_err(|error| broken(error.to_string()))?;
            reading.take(line, board);
        }
    }
}

/// Cuts a stream into lines.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn take(&mut self, bytes: &Bytes) -> Result<Vec<Vec<u8>>, ()> {
        self.0.extend_from_slice(bytes);
        let mut lines = Vec::new();
        while let Some(end) = self.0.iter().position(|&byte| byte == b'\n') {
            let rest = self.0.split_off(end + 1);
            lines.push(std::mem::replace(&mut self.0, rest));
        }
        if self.0.len() > MAX_LINE {
            return Err(());
        }
        Ok(lines)
    }
}

/// One line of the watch.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(rename = "type")]
    type_: String,
    #[serde(default)]
    object: Shown,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shown {
    metadata: ShownName,
    status: ShownStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ShownName {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ShownStatus {
    connections: u64,
}

/// Turns lines into a board: what comes between a RESET and the next BOOKMARK is everything.
#[derive(Default)]
struct Reading {
    all: Option<HashSet<String>>,
}

impl Reading {
    fn take(&mut self, line: Line, board: &TunnelBoard) {
        let name = line.object.metadata.name;
        let is_up = line.type_ != "DELETED" && line.object.status.connections > 0;
        match (line.type_.as_str(), &mut self.all) {
            ("RESET", all) => *all = Some(HashSet::new()),
            ("BOOKMARK", all) => {
                if let Some(up) = all.take() {
                    board.replace(&up);
                }
            }
            ("ADDED" | "MODIFIED" | "DELETED", Some(all)) => {
                all.remove(&name);
                if is_up {
                    all.insert(name);
                }
            }
            ("ADDED" | "MODIFIED" | "DELETED", None) => board.set(&name, is_up),
            // A later hub may say more.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_make_a_board_however_they_are_cut() {
        let text = concat!(
            r#"{"type":"RESET","object":{}}"#,
            "\n",
            r#"{"type":"ADDED","object":{"metadata":{"name":"a"},"status":{"connections":2}}}"#,
            "\n",
            r#"{"type":"BOOKMARK"}"#,
            "\n",
            r#"{"type":"NEWS"}"#,
            "\n",
            r#"{"type":"DELETED","object":{"metadata":{"name":"a"},"status":{"connections":0}}}"#,
            "\n",
            r#"{"type":"MODIFIED","object":{"metadata":{"name":"b"},"status":{"connections":1}}}"#,
            "\n",
        );
        for cut in 1..40 {
            let board = TunnelBoard::default();
            let (mut lines, mut reading) = (Lines::default(), Reading::default());
            let mut seen = Vec::new();
            for piece in text.as_bytes().chunks(cut) {
                for line in lines.take(&Bytes::copy_from_slice(piece)).unwrap() {
                    reading.take(serde_json::from_slice(&line).unwrap(), &board);
                    seen.push(*board.subscribe("a").borrow());
                }
            }
            use TunnelState::{Down, Unknown, Up};
            assert_eq!(seen, [Unknown, Unknown, Up, Up, Down, Down], "{cut}");
            assert_eq!(*board.subscribe("b").borrow(), Up);
        }
        let endless = Bytes::from(vec![b'x'; MAX_LINE + 1]);
        assert!(Lines::default().take(&endless).is_err());
    }
}
