//! The `AdmissionReview` v1 door to admission.

use base64::Engine;
use serde::Deserialize;
use serde_json::{Value, json};

use super::lookups::{LookupError, Lookups};
use crate::admission::{Action, Request, Reviewed, Ruled, default_config, review};
use crate::chain::chain;

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// A body that is no review that can be answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReviewError {
    #[error("the body is no {KIND}")]
    Malformed(#[source] serde_json::Error),
    #[error("expected a {KIND} of {API_VERSION}, got {kind:?} of {api_version:?}")]
    Other { api_version: String, kind: String },
    #[error("the review has no request")]
    Empty,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    request: Option<Asked>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Group {
    group: String,
    kind: String,
    resource: String,
}

/// The parts of a request that are looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    uid: String,
    #[serde(default)]
    kind: Group,
    #[serde(default)]
    resource: Group,
    #[serde(default)]
    sub_resource: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    operation: String,
    object: Option<Value>,
    old_object: Option<Value>,
}

impl Asked {
    /// Reads a review.
    ///
    /// # Errors
    /// It cannot be answered, not even with a refusal.
    pub(super) fn read(body: &[u8]) -> Result<Self, ReviewError> {
        let review: Review = serde_json::from_slice(body).map_err(ReviewError::Malformed)?;
        if (&*review.api_version, &*review.kind) != (API_VERSION, KIND) {
            return Err(ReviewError::Other {
                api_version: review.api_version,
                kind: review.kind,
            });
        }
        review.request.ok_or(ReviewError::Empty)
    }

    fn action(&self) -> Option<Action> {
        match &*self.operation {
            "CREATE" => Some(Action::Create),
            "UPDATE" => Some(Action::Update),
            "DELETE" => Some(Action::Delete),
            _ => None,
        }
    }

    fn request(&self, action: Action) -> Request<'_> {
        Request {
            action,
            group: &self.kind.group,
            kind: &self.kind.kind,
            plural: &self.resource.resource,
            subresource: &self.sub_resource,
            namespace: &self.namespace,
            name: &self.name,
            object: self.object.as_ref().filter(|object| object.is_object()),
            old: self.old_object.as_ref().filter(|object| object.is_object()),
        }
    }

    fn answer(&self, mut response: Value) -> Value {
        response["uid"] = json!(self.uid);
        json!({"apiVersion": API_VERSION, "kind": KIND, "response": response})
    }

    /// The answer of a webhook that has no opinion.
    fn allowed(&self) -> Value {
        self.answer(json!({"allowed": true}))
    }
}

/// Judges a write. What cannot be looked up is refused, as the write cannot be judged.
pub(super) async fn validate(asked: &Asked, lookups: &Lookups) -> Value {
    let ruled = Ruled::of(&asked.kind.group, &asked.kind.kind);
    let (Some(ruled), Some(action)) = (ruled, asked.action()) else {
        return asked.allowed();
    };
    match judge(ruled, asked, action, lookups).await {
        Ok(reviewed) => {
            let mut response = json!({"allowed": reviewed.outcome.is_ok()});
            if !reviewed.warnings.is_empty() {
                response["warnings"] = json!(reviewed.warnings);
            }
            if let Err(error) = reviewed.outcome {
                response["status"] = error.to_value();
            }
            asked.answer(response)
        }
        Err(error) => {
            let text = chain(&error);
            tracing::warn!(error = text, "a write cannot be judged");
            let status = apiserver::status::ApiError::unavailable(text).to_value();
            asked.answer(json!({"allowed": false, "status": status}))
        }
    }
}

/// What the watches say is enough to agree; whoever is to be told that something is wrong or missing is told on fresh facts.
async fn judge(
    ruled: Ruled,
    asked: &Asked,
    action: Action,
    lookups: &Lookups,
) -> Result<Reviewed, LookupError> {
    let request = asked.request(action);
    let needs = ruled.needs(&request);
    let found = lookups.find(needs, &asked.namespace).await?;
    let reviewed = review(ruled, &request, &found);
    if found.is_cached && reviewed.has_findings() {
        let found = lookups.ask(needs, &asked.namespace).await?;
        return Ok(review(ruled, &request, &found));
    }
    Ok(reviewed)
}

/// Fills in the defaults of a `KubeFedConfig` that is created.
pub(super) fn mutate(asked: &Asked) -> Value {
    let is_config = Ruled::of(&asked.kind.group, &asked.kind.kind) == Some(Ruled::Config);
    let Some(object) = asked.object.as_ref().filter(|_| is_config) else {
        return asked.allowed();
    };
    let mut defaulted = object.clone();
    default_config(&mut defaulted);
    if defaulted == *object {
        return asked.allowed();
    }
    let patch = json!([{"op": "replace", "path": "/spec", "value": defaulted["spec"]}]);
    let patch = base64::engine::general_purpose::STANDARD.encode(patch.to_string());
    asked.answer(json!({"allowed": true, "patchType": "JSONPatch", "patch": patch}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(request: Value) -> Asked {
        let body = json!({"apiVersion": API_VERSION, "kind": KIND, "request": request});
        Asked::read(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn bodies_that_are_no_reviews_are_refused() {
        let said = |body: &str| match Asked::read(body.as_bytes()) {
            Ok(_) => "read".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(said("nonsense"), "the body is no AdmissionReview");
        assert_eq!(
            said(r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#),
            "expected a AdmissionReview of admission.k8s.io/v1, got \"AdmissionReview\" of \"admission.k8s.io/v1beta1\""
        );
        assert_eq!(
            said(r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#),
            "the review has no request"
        );
    }

    #[test]
    fn a_config_is_defaulted_by_a_patch() {
        let config = json!({"uid": "u", "operation": "CREATE",
            "kind": {"group": "core.kubefed.io", "version": "v1beta1", "kind": "KubeFedConfig"},
            "object": {"spec": {"scope": "Cluster"}}});
        let answer = mutate(&asked(config));
        let response = &answer["response"];
        assert_eq!(
            (&response["uid"], &response["allowed"]),
            (&json!("u"), &json!(true))
        );
        let patch = base64::engine::general_purpose::STANDARD
            .decode(response["patch"].as_str().unwrap())
            .unwrap();
        let patch: Value = serde_json::from_slice(&patch).unwrap();
        assert_eq!(
            patch[0]["value"]["clusterHealthCheck"]["failureThreshold"],
            3
        );
        let other = json!({"uid": "u", "kind": {"group": "", "kind": "Pod"}, "object": {}});
        assert_eq!(
            mutate(&asked(other))["response"],
            json!({"allowed": true, "uid": "u"})
        );
    }
}
