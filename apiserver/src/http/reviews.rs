//! Reviews: questions that are asked by creating an object, which is not stored. Who am I, may I, may they, whose token is it.
//!
//! Answers come from the server's own authentication and authoriser, so they are what a request would meet.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::front::Front;
use crate::auth::{Action, Decision, ResourceAttributes};
use crate::kinds::Kind;
use crate::object;
use crate::request::{Request, UserInfo, Verb};
use crate::status::{ApiError, FieldError};
use crate::verbs::{Body, Reply, review_body};

/// Is it a kind that is only ever asked, never stored?
pub(super) fn is_review(kind: &Kind) -> bool {
    !kind.is_custom() && kind.verbs == [Verb::Create]
}

/// Answers a review.
///
/// # Errors
/// As creating an object; 422 for a question that is none.
pub(super) async fn answer(
    front: &Front,
    request: &Request,
    kind: &std::sync::Arc<Kind>,
    version: &str,
) -> Result<Reply, ApiError> {
    let mut review = review_body(request, kind, version)?;
    let spec = review["spec"].clone();
    let status = match &*kind.kind {
        "SelfSubjectReview" => {
            let now = front.api.seams.now_rfc3339();
            object::metadata_mut(&mut review).insert("creationTimestamp".to_owned(), now.into());
            json!({"userInfo": shown(&request.user)})
        }
        "TokenReview" => token(front, &spec).await?,
        "SelfSubjectAccessReview" => {
            let action = action(&spec).map_err(|finding| refused(kind, &finding))?;
            access(front, &request.user, &action).await?
        }
        "SelfSubjectRulesReview" => rules(),
        _ => {
            let user = subject(&spec).map_err(|finding| refused(kind, &finding))?;
            let action = action(&spec).map_err(|finding| refused(kind, &finding))?;
            if kind.namespaced()
                && spec["resourceAttributes"]["namespace"] != *request.path.namespace
            {
                let namespace = spec["resourceAttributes"]["namespace"].clone();
                let detail = "must match metadata.namespace";
                let path = "spec.resourceAttributes.namespace";
                return Err(refused(
                    kind,
                    &FieldError::invalid(path, &namespace, detail),
                ));
            }
            access(front, &user, &action).await?
        }
    };
    review["status"] = status;
    Ok(Reply::Object {
        code: StatusCode::CREATED,
        kind: kind.clone(),
        version: version.into(),
        body: Body::Value(review),
    })
}

fn refused(kind: &Kind, finding: &FieldError) -> ApiError {
    // Upstream's reviews do not name their kind in errors.
    ApiError::invalid(&kind.group, "", "", std::slice::from_ref(finding))
}

/// A user as `authentication.k8s.io` shows one.
fn shown(user: &UserInfo) -> Value {
    let mut fields = Map::new();
    for (field, text) in [("username", &user.name), ("uid", &user.uid)] {
        if !text.is_empty() {
            fields.insert(field.to_owned(), text.clone().into());
        }
    }
    if !user.groups.is_empty() {
        fields.insert("groups".to_owned(), user.groups.clone().into());
    }
    if !user.extra.is_empty() {
        fields.insert("extra".to_owned(), json!(user.extra));
    }
    fields.into()
}

async fn token(front: &Front, spec: &Value) -> Result<Value, ApiError> {
    let token = spec["token"].as_str().unwrap_or_default();
    if token.is_empty() {
        return Err(ApiError::bad_request(
            "token is required for TokenReview in authentication",
        ));
    }
    Ok(match front.authentication.user_of_token(token).await? {
        Some(user) => json!({"authenticated": true, "user": shown(&user)}),
        None => json!({"user": {}, "error": "invalid bearer token"}),
    })
}

/// What is asked about.
fn action(spec: &Value) -> Result<Action, FieldError> {
    let text = |of: &Value, field: &str| of[field].as_str().unwrap_or_default().to_owned();
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    match (resource.is_object(), path.is_object()) {
        (true, false) => Ok(Action::Resource(ResourceAttributes {
            verb: text(resource, "verb"),
            group: text(resource, "group"),
            version: text(resource, "version"),
            resource: text(resource, "resource"),
            subresource: text(resource, "subresource"),
            namespace: text(resource, "namespace"),
            name: text(resource, "name"),
        })),
        (false, true) => Ok(Action::Path {
            verb: text(path, "verb"),
            path: text(path, "path"),
        }),
        (both, _) => {
            let detail = if both {
                "cannot be specified in combination with resourceAttributes"
            } else {
                "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            };
            let field = if both {
                "spec.nonResourceAttributes"
            } else {
                "spec.resourceAttributes"
            };
            Err(FieldError::invalid(field, path, detail))
        }
    }
}

/// About whom it is asked.
fn subject(spec: &Value) -> Result<UserInfo, FieldError> {
    let list = |value: &Value| -> Vec<String> {
        let texts = value.as_array().into_iter().flatten();
        texts
            .filter_map(|text| text.as_str().map(str::to_owned))
            .collect()
    };
    let text = |field: &str| spec[field].as_str().unwrap_or_default().to_owned();
    let user = UserInfo {
        name: text("user"),
        uid: text("uid"),
        groups: list(&spec["groups"]),
        extra: spec["extra"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, values)| (key.clone(), list(values)))
            .collect(),
    };
    if user.name.is_empty() && user.groups.is_empty() {
        let detail = "at least one of user or group must be specified";
        return Err(FieldError::invalid("spec.user", &"".into(), detail));
    }
    Ok(user)
}

async fn access(front: &Front, user: &UserInfo, action: &Action) -> Result<Value, ApiError> {
    Ok(match front.authorizer.authorize(user, action).await? {
        Decision::Allow => json!({"allowed": true}),
        Decision::Deny(why) if why.is_empty() => json!({"allowed": false}),
        Decision::Deny(why) => json!({"allowed": false, "reason": why}),
    })
}

/// The server has no list of rules: an authoriser is asked case by case. It says so with `incomplete`.
fn rules() -> Value {
    json!({
        "resourceRules": [],
        "nonResourceRules": [],
        "incomplete": true,
        "evaluationError": "the authorizer answers questions and cannot list rules",
    })
}
