//! A server on a free port with everything in memory, a raw HTTPS client, and real kubectl.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use apiserver::auth::TokenTable;
use apiserver::request::UserInfo;
use apiserver::seams::Seams;
use apiserver::server::Identity;
use apiserver::{Certificates, Server, ServerBuilder, ServerHandle};
use apiserver_store::{MemoryBackend, Store, StoreOptions};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A bearer token of `tester` in group `testers`.
pub(crate) const TOKEN: &str = "test-token";

/// A running server. Stop it with [`TestServer::stop`].
pub(crate) struct TestServer {
    pub(crate) handle: ServerHandle,
    directory: TempDir,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(|builder| builder).await
    }

    pub(crate) async fn start_with(adjust: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(MemoryBackend::new(), StoreOptions::default())
            .await
            .unwrap();
        let certificates =
            Certificates::open(&directory.path().join("pki"), &[], &Seams::system()).unwrap();
        let tester = UserInfo {
            name: "tester".to_owned(),
            groups: vec!["testers".to_owned()],
            ..UserInfo::default()
        };
        let builder =
            Server::builder(store, certificates).tokens(TokenTable::new().with(TOKEN, tester));
        let handle = adjust(builder).start().await.unwrap();
        handle.ready().await;
        let server = Self { handle, directory };
        server
            .handle
            .kubeconfig("test")
            .unwrap()
            .write(&server.kubeconfig())
            .unwrap();
        server
    }

    pub(crate) async fn stop(self) {
        self.handle.shutdown().await;
    }

    fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("kubeconfig")
    }

    /// A client of this server, without a credential.
    pub(crate) fn anonymous(&self) -> Client {
        Client::of(&self.handle)
    }

    /// A client with the token.
    pub(crate) fn client(&self) -> Client {
        self.anonymous().with_token(TOKEN)
    }

    /// Runs kubectl as the administrator; `stdin` is what `-f -` reads.
    pub(crate) async fn kubectl(&self, arguments: &str, stdin: &str) -> Kubectl {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        self.kubectl_args(&arguments, stdin).await
    }

    /// As [`TestServer::kubectl`], for arguments with spaces.
    pub(crate) async fn kubectl_args(&self, arguments: &[&str], stdin: &str) -> Kubectl {
        let mut child = tokio::process::Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .arg("--cache-dir")
            .arg(self.directory.path().join("cache"))
            .arg("--request-timeout=30s")
            .args(arguments)
            .env("KUBE_EDITOR", "sed -i s/before-edit/after-edit/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(stdin.as_bytes()).await.unwrap();
        drop(input);
        let output = child.wait_with_output().await.unwrap();
        Kubectl {
            command: arguments.join(" "),
            ok: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// What a run of kubectl gave.
pub(crate) struct Kubectl {
    command: String,
    pub(crate) ok: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Kubectl {
    /// Standard output of a run that must have succeeded.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        assert!(
            self.ok,
            "kubectl {} failed: {}{}",
            self.command, self.stdout, self.stderr
        );
        &self.stdout
    }

    /// Standard output of a run that must have succeeded, which must hold every one of these texts.
    #[track_caller]
    pub(crate) fn has(&self, wanted: &[&str]) {
        let text = self.text();
        for want in wanted {
            assert!(
                text.contains(want),
                "kubectl {}: {want:?} is not in:\n{text}{}",
                self.command,
                self.stderr
            );
        }
    }

    /// Standard error of a run that must have failed.
    #[track_caller]
    pub(crate) fn failure(&self) -> &str {
        assert!(
            !self.ok,
            "kubectl {} succeeded: {}",
            self.command, self.stdout
        );
        &self.stderr
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap()
    }
}

/// Is kubectl there? Where it must be (`KOINON_REQUIRE_TOOLS=1`), its absence fails the test.
pub(crate) fn kubectl_is_there() -> bool {
    let there = std::process::Command::new("kubectl")
        .args(["version", "--client"])
        .output()
        .is_ok_and(|output| output.status.success());
    let required = std::env::var("KOINON_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    assert!(there || !required, "kubectl is not on PATH");
    if !there {
        eprintln!("SKIPPED, NOT PASSED: kubectl is not on PATH");
    }
    there
}

/// A raw HTTPS client: one connection a request.
#[derive(Clone)]
pub(crate) struct Client {
    address: std::net::SocketAddr,
    ca_pem: String,
    identity: Option<Identity>,
    token: Option<String>,
}

impl Client {
    /// A client of a server, without a credential.
    pub(crate) fn of(handle: &ServerHandle) -> Self {
        Self {
            address: handle.address(),
            ca_pem: handle.ca_pem().to_owned(),
            identity: None,
            token: None,
        }
    }

    pub(crate) fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub(crate) fn with_certificate(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    fn request(&self, method: &str, path: &str) -> http::request::Builder {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path)
            .header("host", "localhost");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request
    }

    /// GET.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    /// GET with headers.
    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, Bytes::new()).await
    }

    /// Any request with a JSON body.
    pub(crate) async fn send_json(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send(method, path, &headers, body.to_string().into())
            .await
    }

    /// Any request.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Answer {
        let mut request = self.request(method, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.exchange(request.body(Full::new(body)).unwrap()).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            code: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    /// The response with its body still to come, for watches.
    pub(crate) async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Response<hyper::body::Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let stream = TlsConnector::from(Arc::new(self.tls()))
            .connect(ServerName::try_from("localhost").unwrap(), stream)
            .await
            .unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    }

    /// Opens a watch.
    pub(crate) async fn watch(&self, path: &str) -> Response<hyper::body::Incoming> {
        let request = self.request("GET", path).body(Full::default()).unwrap();
        self.exchange(request).await
    }

    fn tls(&self) -> rustls::ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.ca_pem.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(
                    vec![
                        CertificateDer::from_pem_slice(identity.certificate_pem.as_bytes())
                            .unwrap(),
                    ],
                    PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).unwrap(),
                )
                .unwrap(),
        }
    }
}

/// A whole response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(|value| value.to_str().unwrap())
            .unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
}
