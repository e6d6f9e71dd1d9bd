//! A conversion webhook for scripts: each object says in `spec.how` what becomes of it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::variables::Variables;
use crate::fake::{Behaviour, Fake, answer, converted};
use crate::upstream::Authority;

/// A running webhook. Ends when dropped.
#[derive(Debug)]
pub struct ConversionWebhook {
    server: Fake,
    authority: Authority,
    _directory: TempDir,
}

impl ConversionWebhook {
    /// Starts one on loopback.
    ///
    /// # Panics
    /// There is no port or no place for its certificate.
    #[must_use]
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let authority = Authority::new(directory.path());
        let server = Fake::start(&authority.server(&["localhost"]), behaviour());
        Self {
            server,
            authority,
            _directory: directory,
        }
    }

    /// `webhook`: its URL; `ca`: who issued its certificate, as a `caBundle`.
    pub fn describe(&self, variables: &mut Variables) {
        let ca = STANDARD.encode(self.authority.certificate_pem());
        variables.set(
            "webhook",
            format!("https://{}/convert", self.server.address).into(),
        );
        variables.set("ca", ca.into());
    }
}

fn behaviour() -> Behaviour {
    Arc::new(|review| {
        let objects = review["request"]["objects"].as_array();
        let objects = objects.into_iter().flatten();
        let mut how = objects.filter_map(|object| object["spec"]["how"].as_str());
        let wrong = how.find(|how| *how != "good").unwrap_or("good");
        Some(said(wrong, review))
    })
}

/// Status and body of an answer that is wrong in the way that is asked for.
fn said(how: &str, review: &Value) -> (u16, String) {
    let mut objects = converted(review);
    for object in &mut objects {
        match how {
            "rename" => object["metadata"]["name"] = "other".into(),
            "move" => object["metadata"]["namespace"] = "other".into(),
            "reidentify" => object["metadata"]["uid"] = "other".into(),
            "label" => object["metadata"]["labels"] = json!({"a": "b"}),
            "annotate" => object["metadata"]["annotations"] = json!({"a": "b"}),
            "finalize" => object["metadata"]["finalizers"] = json!(["example.com/x"]),
            "mislabel" => object["metadata"]["labels"] = json!({"a b": "c"}),
            "rekind" => object["kind"] = "Other".into(),
            "stay" => object["apiVersion"] = "wrong.example.com/v9".into(),
            "strip" => object["metadata"] = Value::Null,
            "respec" => object["spec"]["seen"] = object["apiVersion"].clone(),
            _ => {}
        }
    }
    let mut body = answer(review, objects.clone());
    let response = &mut body["response"];
    match how {
        "lose" => response["convertedObjects"] = json!([]),
        "double" => {
            objects.extend(objects.clone());
            response["convertedObjects"] = objects.into();
        }
        "refuse" => {
            response["result"] = json!({"status": "Failed", "message": "it does not like it"})
        }
        "fail" => response["result"] = json!({"status": "Failed"}),
        "misattribute" => response["uid"] = "other".into(),
        "nothing" => body["response"] = Value::Null,
        "other" => body["kind"] = "Other".into(),
        "version" => body["apiVersion"] = "apiextensions.k8s.io/v9".into(),
        "garbage" => return (200, "not JSON".to_owned()),
        "break" => return (500, "{}".to_owned()),
        "hide" => return (404, "{}".to_owned()),
        _ => {}
    }
    (200, body.to_string())
}
