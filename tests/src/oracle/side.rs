//! The two servers, and one request to one of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use anyhow::Context;
use futures::future::BoxFuture;
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body as KubeBody;
use kube::config::{AuthInfo, Config, KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::timeout;

use super::answer::{Answer, Body};
use super::variables::Variables;
use super::webhook::ConversionWebhook;
use crate::Tools;
use crate::guarded::Guarded;
use crate::kubectl::Kubectl;
use crate::upstream::{ControlPlane, Options};
use crate::wait::within;

/// How long one request, or a watch that is to end by itself, may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server as a script sees it.
#[derive(Clone)]
pub struct Side {
    admin: Client,
    anonymous: Client,
    /// What every script may name.
    pub(super) variables: Variables,
    forget: Option<Forget>,
}

/// How a server is made to forget its history.
type Forget = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// An answer whose body has not been read.
pub(super) struct Opened {
    status: u16,
    headers: BTreeMap<String, String>,
    body: KubeBody,
}

impl Side {
    /// The server of a kubeconfig.
    ///
    /// # Errors
    /// The kubeconfig is none.
    pub async fn connect(kubeconfig: &Path) -> anyhow::Result<Self> {
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let mut config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        // An answer that says "try again" is to be seen, not followed.
        config.default_retry = false;
        let mut anonymous = config.clone();
        anonymous.auth_info = AuthInfo::default();
        Ok(Self {
            admin: Client::try_from(config)?,
            anonymous: Client::try_from(anonymous)?,
            variables: Variables::default(),
            forget: None,
        })
    }

    /// The same server, for scripts that name a conversion webhook.
    #[must_use]
    pub fn with(mut self, webhook: &ConversionWebhook) -> Self {
        webhook.describe(&mut self.variables);
        self
    }

    /// The same server, for scripts in which it forgets its history.
    pub(super) fn forgetting(
        mut self,
        forget: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        self.forget = Some(Arc::new(forget));
        self
    }

    pub(super) async fn forget(&self) -> anyhow::Result<()> {
        let forget = self.forget.as_ref();
        forget.context("this server cannot be made to forget its history")?().await;
        Ok(())
    }

    pub(super) async fn open(
        &self,
        user: Option<&str>,
        request: http::Request<Vec<u8>>,
    ) -> anyhow::Result<Opened> {
        let client = match user {
            None => &self.admin,
            Some("anonymous") => &self.anonymous,
            Some(other) => anyhow::bail!("no such user: {other}"),
        };
        let answer = timeout(PATIENCE, client.send(request.map(KubeBody::from))).await??;
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in answer.headers() {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            headers
                .entry(name.as_str().to_owned())
                .and_modify(|all| *all = format!("{all}\n{value}"))
                .or_insert(value);
        }
        Ok(Opened {
            status: answer.status().as_u16(),
            headers,
            body: answer.into_body(),
        })
    }
}

impl Opened {
    fn content_type(&self) -> &str {
        self.headers.get("content-type").map_or("", String::as_str)
    }

    /// Reads the whole body.
    pub(super) async fn whole(self) -> anyhow::Result<Answer> {
        let kind = self.content_type().to_owned();
        let bytes = timeout(PATIENCE, self.body.collect()).await??.to_bytes();
        Ok(Answer {
            status: self.status,
            headers: self.headers,
            body: Answer::body_of(&kind, &bytes),
        })
    }

    /// Reads events until there are enough of them or the server ends the stream.
    pub(super) async fn events(mut self, enough: Option<usize>) -> anyhow::Result<Answer> {
        if self.status != 200 || self.content_type().contains("protobuf") {
            return self.whole().await;
        }
        let mut text = Vec::new();
        let count = |text: &[u8]| text.iter().filter(|byte| **byte == b'\n').count();
        while enough.is_none_or(|enough| count(&text) < enough) {
            match timeout(PATIENCE, self.body.frame()).await {
                Ok(Some(Ok(frame))) => text.extend(frame.into_data().unwrap_or_default()),
                Ok(None | Some(Err(_))) | Err(_) => break,
            }
        }
        let lines = text.split(|byte| *byte == b'\n').filter(|l| !l.is_empty());
        let events = lines.map(|line| {
            serde_json::from_slice(line)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(line).into_owned()))
        });
        let mut events: Vec<Value> = events.collect();
        events.truncate(enough.unwrap_or(events.len()));
        Ok(Answer {
            status: self.status,
            headers: self.headers,
            body: Body::Tree(events.into()),
        })
    }
}

/// Both servers, which end when this is dropped.
pub struct Sides {
    /// Upstream's kubeconfig.
    pub upstream: PathBuf,
    /// Ours.
    pub ours: PathBuf,
    _running: (Option<ControlPlane>, Option<(Guarded, TempDir)>),
}

impl Sides {
    /// Starts both, unless `KOINON_ORACLE_UPSTREAM` or `KOINON_ORACLE_OURS` names the kubeconfig of one that runs already.
    /// `None`: a program is missing and the test is to be skipped.
    ///
    /// # Panics
    /// One does not get ready.
    #[must_use]
    pub fn start() -> Option<Self> {
        let (upstream, plane) = match env::var_os("KOINON_ORACLE_UPSTREAM") {
            Some(path) => (PathBuf::from(path), None),
            None => {
                let plane = ControlPlane::start(options())?;
                (plane.kubeconfig(), Some(plane))
            }
        };
        let (ours, server) = match env::var_os("KOINON_ORACLE_OURS") {
            Some(path) => (PathBuf::from(path), None),
            None => {
                let (path, process, directory) = start_ours()?;
                (path, Some((process, directory)))
            }
        };
        Some(Self {
            upstream,
            ours,
            _running: (plane, server),
        })
    }
}

/// Upstream as far as it is an API server: the controllers that ours has too, and no admission plugin that belongs to nodes,
/// scheduling or quotas.
fn options() -> Options {
    let without = "--disable-admission-plugins=ServiceAccount,Priority,DefaultTolerationSeconds,TaintNodesByCondition,\
                   DefaultStorageClass,DefaultIngressClass,LimitRanger,ResourceQuota,RuntimeClass,PodSecurity,\
                   StorageObjectInUseProtection,PersistentVolumeClaimResize";
    // Added to the harness's own list, in which a name with a minus wins over the star.
    let controllers = "--controllers=-deployment-controller,-replicaset-controller,-statefulset-controller,\
                       -daemonset-controller,-job-controller,-cronjob-controller,-replicationcontroller-controller,\
                       -endpoints-controller,-endpointslice-controller,-endpointslice-mirroring-controller,\
                       -horizontal-pod-autoscaler-controller,-disruption-controller,-resourcequota-controller,\
                       -pod-garbage-collector-controller,-ttl-after-finished-controller";
    Options {
        controllers: true,
        extra_apiserver_args: vec![without.to_owned()],
        extra_controller_args: vec![controllers.to_owned()],
    }
}

/// Which of our servers is judged: the hub (`federation-apiserver serve`), or with `KOINON_ORACLE_AS=apiserver` the library alone.
#[must_use]
pub fn judged() -> &'static str {
    match env::var("KOINON_ORACLE_AS").as_deref() {
        Ok("apiserver") => "the library's example server",
        _ => "the hub, federation-apiserver serve",
    }
}

fn is_hub() -> bool {
    env::var("KOINON_ORACLE_AS").as_deref() != Ok("apiserver")
}

fn start_ours() -> Option<(PathBuf, Guarded, TempDir)> {
    let tools = Tools::find()?;
    if is_hub() {
        return Some(start_hub(&tools));
    }
    let directory = tempfile::Builder::new()
        .prefix("koinon-oracle-")
        .tempdir()
        .expect("a temporary directory");
    let out = directory.path().join("stdout");
    let mut command = Command::new(tools.serve());
    command
        .arg(directory.path())
        .stdout(File::create(&out).expect("a file for its output"));
    let mut process = Guarded::start(&mut command, directory.path()).expect("the server starts");
    within(Duration::from_secs(30), "our server is ready", || {
        let said = fs::read_to_string(&out).unwrap_or_default();
        let ended = process.ended().expect("a child of ours");
        assert!(ended.is_none(), "our server ended: {ended:?}");
        if said.starts_with("ready") {
            Ok(())
        } else {
            Err(said)
        }
    });
    Some((directory.path().join("kubeconfig"), process, directory))
}

fn start_hub(tools: &Tools) -> (PathBuf, Guarded, TempDir) {
    let directory = tempfile::Builder::new()
        .prefix("koinon-oracle-")
        .tempdir()
        .expect("a temporary directory");
    let kubeconfig = directory.path().join("kubeconfig");
    let mut command = Command::new(tools.binary("federation-apiserver"));
    command
        .args(["serve", "--log=error", "--listen=127.0.0.1:0", "--data-dir"])
        .arg(directory.path().join("data"))
        .arg("--kubeconfig")
        .arg(&kubeconfig)
        .stdout(File::create(directory.path().join("stdout")).expect("a file for its output"));
    let mut process = Guarded::start(&mut command, directory.path()).expect("the hub starts");
    let kubectl = Kubectl::new(
        tools.kubectl(),
        &kubeconfig,
        &directory.path().join("cache"),
    );
    within(Duration::from_secs(60), "the hub is ready", || {
        let ended = process.ended().expect("a child of ours");
        assert!(ended.is_none(), "the hub ended: {ended:?}");
        kubectl.attempt(&["get", "--raw", "/readyz"])
    });
    (kubeconfig, process, directory)
}
