//! What went wrong with a call, in the words that people know from Go.

use http::header::CONTENT_TYPE;
use http::response::Parts;
use jiff::Timestamp;
use rustls::CertificateError;
use rustls_pki_types::UnixTime;

/// No connection.
pub(super) fn dial(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
        ErrorKind::ConnectionReset => "connect: connection reset by peer".to_owned(),
        ErrorKind::HostUnreachable => "connect: no route to host".to_owned(),
        ErrorKind::NetworkUnreachable => "connect: network is unreachable".to_owned(),
        ErrorKind::TimedOut => "i/o timeout".to_owned(),
        _ => error.to_string(),
    }
}

/// No TLS session.
pub(super) fn handshake(error: &std::io::Error) -> String {
    let tls = error.get_ref().and_then(|source| source.downcast_ref());
    match tls {
        Some(rustls::Error::InvalidCertificate(why)) => {
            format!("tls: failed to verify certificate: {}", certificate(why))
        }
        Some(other) => format!("tls: {other}"),
        None if error.kind() == std::io::ErrorKind::UnexpectedEof => "EOF".to_owned(),
        None => error.to_string(),
    }
}

fn certificate(why: &CertificateError) -> String {
    let dates = "x509: certificate has expired or is not yet valid";
    match why {
        CertificateError::Expired | CertificateError::NotValidYet => dates.to_owned(),
        CertificateError::ExpiredContext { time, not_after } => {
            format!(
                "{dates}: current time {} is after {}",
                date(*time),
                date(*not_after)
            )
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            format!(
                "{dates}: current time {} is before {}",
                date(*time),
                date(*not_before)
            )
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "x509: certificate signed by unknown authority".to_owned()
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => format!(
            "x509: certificate is valid for {}, not {}",
            presented.join(", "),
            expected.to_str()
        ),
        other => format!("x509: {other}"),
    }
}

fn date(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds)
        .unwrap_or(Timestamp::MAX)
        .to_string()
}

/// The connection broke.
pub(super) fn exchange(error: &hyper::Error) -> String {
    if error.is_incomplete_message() || error.is_closed() {
        return "EOF".to_owned();
    }
    error.to_string()
}

/// An answer that is no review: what client-go makes of a status, and of the body if it is text.
pub(super) fn status(head: &Parts, body: &[u8]) -> String {
    let media = head.headers.get(CONTENT_TYPE);
    let is_text = media.is_some_and(|media| media.as_bytes().starts_with(b"text/"));
    let said = match is_text {
        true => String::from_utf8_lossy(body).trim().to_owned(),
        false => "unknown".to_owned(),
    };
    match head.status.as_u16() {
        400 => "the server rejected our request for an unknown reason".to_owned(),
        401 => "the server has asked for the client to provide credentials".to_owned(),
        403 => said,
        404 => "the server could not find the requested resource".to_owned(),
        405 => "the server does not allow this method on the requested resource".to_owned(),
        429 => "the server has received too many requests and has asked us to try again later"
            .to_owned(),
        503 => "the server is currently unable to handle the request".to_owned(),
        504 => "the server was unable to return a response in the time allotted, but may still be processing the request".to_owned(),
        500.. => format!("an error on the server ({said:?}) has prevented the request from succeeding"),
        code => format!("the server responded with the status code {code} but did not return more information"),
    }
}
