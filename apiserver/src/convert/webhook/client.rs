//! One HTTPS request to a webhook.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{ServiceResolver, TIMEOUT, words};

/// The largest answer that is read: a list of large objects fits.
const MAX_ANSWER: usize = 64 << 20;

/// Trust stores that are kept; CRDs seldom differ in theirs.
const MAX_CONFIGS: usize = 64;

/// Where a webhook listens and whom to trust there.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    url: Uri,
    /// `host:port` to connect to.
    address: String,
    /// The name that the certificate must be valid for.
    server_name: String,
    ca_bundle: Vec<u8>,
}

impl Endpoint {
    /// From a CRD's `webhook.clientConfig`.
    pub(super) fn parse(config: &Value, services: &dyn ServiceResolver) -> Result<Self, String> {
        let text = |value: &Value, key: &str| {
            value
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let ca_bundle = base64::engine::general_purpose::STANDARD
            .decode(text(config, "caBundle"))
            .map_err(|error| format!("unable to load root certificates: {error}"))?;
        if let Some(service) = config.get("service").filter(|service| service.is_object()) {
            let (namespace, name) = (text(service, "namespace"), text(service, "name"));
            let port = service
                .get("port")
                .and_then(Value::as_u64)
                .and_then(|p| u16::try_from(p).ok())
                .unwrap_or(443);
            let address = services.address(&namespace, &name, port).ok_or_else(|| {
                format!("service {namespace}/{name}:{port} cannot be reached from this server")
            })?;
            let server_name = format!("{name}.{namespace}.svc");
            let path = text(service, "path");
            let slash = if path.starts_with('/') { "" } else { "/" };
            let url = format!("https://{server_name}:{port}{slash}{path}");
            let url = url
                .parse()
                .map_err(|error| format!("invalid path {path:?}: {error}"))?;
            return Ok(Self {
                url,
                address,
                server_name,
                ca_bundle,
            });
        }
        let written = text(config, "url");
        let url: Uri = written
            .parse()
            .map_err(|error| format!("invalid url {written:?}: {error}"))?;
        let (Some("https"), Some(host)) = (url.scheme_str(), url.host()) else {
            return Err(format!(
                "invalid url {written:?}: must be https with a host"
            ));
        };
        let server_name = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let address = format!("{host}:{}", url.port_u16().unwrap_or(443));
        Ok(Self {
            address,
            server_name,
            url,
            ca_bundle,
        })
    }

    /// The URL as messages show it.
    pub(super) fn url(&self) -> String {
        format!("{}?{}", self.url, timeout())
    }
}

/// How long the webhook may take, told to it as upstream does.
fn timeout() -> String {
    format!("timeout={}s", TIMEOUT.as_secs())
}

/// Why there is no answer that can be read. Both in words.
#[derive(Debug)]
pub(super) enum PostError {
    /// There was none.
    Unreached(String),
    /// There was another one than 200.
    Answered(String),
}

impl From<String> for PostError {
    fn from(why: String) -> Self {
        Self::Unreached(why)
    }
}

/// Makes requests; keeps TLS settings so that sessions are resumed.
#[derive(Default)]
pub(super) struct Client {
    configs: Mutex<HashMap<Vec<u8>, Arc<ClientConfig>>>,
}

impl Client {
    /// Posts JSON and gives the body of a 200 answer; otherwise why there is none, in words.
    pub(super) async fn post(&self, endpoint: &Endpoint, body: Bytes) -> Result<Bytes, PostError> {
        let connector = TlsConnector::from(self.config(&endpoint.ca_bundle)?);
        let name = ServerName::try_from(endpoint.server_name.clone())
            .map_err(|error| error.to_string())?;
        let socket = TcpStream::connect(&endpoint.address)
            .await
            .map_err(|error| format!("dial tcp {}: {}", endpoint.address, words::dial(&error)))?;
        let stream = connector
            .connect(name, socket)
            .await
            .map_err(|error| words::handshake(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let path = endpoint
            .url
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let path = format!("{path}?{}", timeout());
        let host = endpoint
            .url
            .authority()
            .map_or(&*endpoint.server_name, |authority| authority.as_str());
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, host)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, */*")
            .body(Full::new(body))
            .map_err(|error| error.to_string())?;
        let exchange = async {
            let answer = sender
                .send_request(request)
                .await
                .map_err(|error| words::exchange(&error))?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, MAX_ANSWER)
                .collect()
                .await
                .map_err(|error| error.to_string())?
                .to_bytes();
            match head.status.is_success() {
                true => Ok(body),
                false => Err(PostError::Answered(words::status(&head, &body))),
            }
        };
        // The connection is driven here, not by a task of its own, so that nothing outlives a call that is given up.
        tokio::pin!(exchange);
        tokio::select! {
            answer = &mut exchange => answer,
            ended = connection => match ended {
                Ok(()) => exchange.await,
                Err(error) => Err(words::exchange(&error).into()),
            },
        }
    }

    fn config(&self, ca_bundle: &[u8]) -> Result<Arc<ClientConfig>, String> {
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = configs.get(ca_bundle) {
            return Ok(config.clone());
        }
        let config = Arc::new(make_config(ca_bundle)?);
        if configs.len() >= MAX_CONFIGS {
            configs.clear();
        }
        configs.insert(ca_bundle.to_vec(), config.clone());
        Ok(config)
    }
}

fn make_config(ca_bundle: &[u8]) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_bundle) {
        let certificate =
            certificate.map_err(|error| format!("unable to load root certificates: {error}"))?;
        roots
            .add(certificate)
            .map_err(|error| format!("unable to load root certificates: {error}"))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
