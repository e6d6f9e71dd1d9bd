//! What a Secret of each well-known type must hold.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::at::{At, Findings};

const ACCOUNT: &str = "kubernetes.io/service-account.name";

/// Judges the data by the type.
pub(super) fn validate(secret: &Value, out: &mut Findings) {
    let data = At::top(secret, "data");
    match secret["type"].as_str().unwrap_or_default() {
        "kubernetes.io/service-account-token" => {
            let annotations = At::top(secret, "metadata").field("annotations");
            let account = annotations.key(ACCOUNT);
            if account.text().is_empty() {
                out.push(account.required(""));
            }
        }
        "kubernetes.io/dockercfg" => json(&data.key(".dockercfg"), out),
        "kubernetes.io/dockerconfigjson" => json(&data.key(".dockerconfigjson"), out),
        "kubernetes.io/basic-auth" => {
            let keys = ["username", "password"].map(|key| data.key(key));
            if keys.iter().all(|key| !key.is_set()) {
                out.extend(keys.iter().map(|key| key.required("")));
            }
        }
        "kubernetes.io/ssh-auth" => present(&data.key("ssh-privatekey"), out),
        "kubernetes.io/tls" => {
            present(&data.key("tls.crt"), out);
            present(&data.key("tls.key"), out);
        }
        _ => {}
    }
}

fn present(key: &At<'_>, out: &mut Findings) {
    if !key.is_set() {
        out.push(key.required(""));
    }
}

fn json(key: &At<'_>, out: &mut Findings) {
    present(key, out);
    if !key.is_set() {
        return;
    }
    let Ok(bytes) = STANDARD.decode(key.text()) else {
        return;
    };
    if let Err(why) = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes) {
        let detail = match bytes.get(why.column().saturating_sub(1)) {
            Some(byte) if !why.is_eof() => format!(
                "invalid character {:?} looking for beginning of value",
                char::from(*byte)
            ),
            _ => "unexpected end of JSON input".to_owned(),
        };
        out.push(key.invalid_value(&"<secret contents redacted>".into(), detail));
    }
}
