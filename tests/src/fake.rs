//! A webhook that fails in the way that a test asks for.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};
use serde_json::{Value, json};

use crate::upstream::Identity;

/// What it answers: status and body, made from the request's body; `None`: nothing, ever.
pub type Behaviour = Arc<dyn Fn(&Value) -> Option<(u16, String)> + Send + Sync>;

/// An HTTPS server on loopback that takes one request per connection. Ends when dropped.
#[derive(Debug)]
pub struct Fake {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Fake {
    /// Starts one with a certificate.
    ///
    /// # Panics
    /// There is no port, or the certificate is none.
    #[must_use]
    pub fn start(identity: &Identity, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("our socket");
        let address = listener.local_addr().expect("our socket");
        let stop = Arc::<AtomicBool>::default();
        let (config, stopped) = (tls(identity), stop.clone());
        let thread = spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                let Ok((stream, _)) = listener.accept() else {
                    sleep(Duration::from_millis(5));
                    continue;
                };
                let (config, behaviour, stopped) =
                    (config.clone(), behaviour.clone(), stopped.clone());
                spawn(move || serve(stream, config, &behaviour, &stopped));
            }
        });
        Self {
            address,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Converts by the book: every object gets the wanted `apiVersion`.
#[must_use]
pub fn good() -> Behaviour {
    Arc::new(|review| Some((200, answer(review, converted(review)).to_string())))
}

/// The objects as they should be.
#[must_use]
pub fn converted(review: &Value) -> Vec<Value> {
    let wanted = &review["request"]["desiredAPIVersion"];
    let mut objects = review["request"]["objects"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    for object in &mut objects {
        object["apiVersion"] = wanted.clone();
    }
    objects
}

/// A review that says that all went well.
#[must_use]
pub fn answer(review: &Value, objects: Vec<Value>) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": {
        "uid": review["request"]["uid"], "result": {"status": "Success"}, "convertedObjects": objects}})
}

/// A serving certificate for loopback, valid or expired, signed by a CA given as PEM.
///
/// # Panics
/// The PEM is none.
#[must_use]
pub fn issue(ca_pem: &str, ca_key_pem: &str, is_expired: bool) -> Identity {
    let signer = KeyPair::from_pem(ca_key_pem).expect("a key");
    let issuer = Issuer::from_ca_cert_pem(ca_pem, signer).expect("a CA");
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    if is_expired {
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }
    let key = KeyPair::generate().expect("randomness");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    Identity {
        certificate_pem: certificate.pem(),
        key_pem: key.serialize_pem(),
    }
}

fn tls(identity: &Identity) -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(identity.certificate_pem.as_bytes())
        .expect("a certificate with its key");
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes())
        .expect("a certificate with its key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("a certificate with its key")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate with its key");
    Arc::new(config)
}

fn serve(
    mut socket: TcpStream,
    config: Arc<ServerConfig>,
    behaviour: &Behaviour,
    stop: &AtomicBool,
) {
    socket.set_nonblocking(false).expect("our socket");
    let mut session = ServerConnection::new(config).expect("our configuration");
    let mut stream = Stream::new(&mut session, &mut socket);
    // A client that does not like the certificate hangs up.
    let Some(review) = read(&mut stream) else {
        return;
    };
    let Some((status, body)) = behaviour(&review) else {
        while !stop.load(Ordering::Acquire) {
            sleep(Duration::from_millis(20));
        }
        return;
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body.as_bytes());
    let _ = stream.flush();
    session.send_close_notify();
    let _ = session.complete_io(&mut socket);
}

/// The JSON body of a request with a length.
fn read(stream: &mut impl Read) -> Option<Value> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?.to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))?;
    let mut body = vec![0; length.trim().parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
