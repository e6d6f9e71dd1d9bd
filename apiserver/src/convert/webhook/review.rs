//! `ConversionReview`: the request, and judging the response.

use bytes::Bytes;
use serde_json::{Value, json};

/// The versions of the review that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReviewVersion {
    V1,
    V1Beta1,
}

impl ReviewVersion {
    /// The first of the webhook's versions that is known.
    pub(super) fn choose(webhook: &Value) -> Option<Self> {
        let versions = webhook.get("conversionReviewVersions")?.as_array()?;
        versions.iter().find_map(|version| match version.as_str()? {
            "v1" => Some(Self::V1),
            "v1beta1" => Some(Self::V1Beta1),
            _ => None,
        })
    }

    fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "apiextensions.k8s.io/v1",
            Self::V1Beta1 => "apiextensions.k8s.io/v1beta1",
        }
    }
}

/// The body of the request.
pub(super) fn request(
    version: ReviewVersion,
    uid: &str,
    desired: &str,
    objects: Vec<Value>,
) -> Bytes {
    let review = json!({
        "kind": "ConversionReview",
        "apiVersion": version.api_version(),
        "request": {"uid": uid, "desiredAPIVersion": desired, "objects": objects},
    });
    review.to_string().into()
}

/// The converted objects of a response, or why there are none.
pub(super) fn converted(
    version: ReviewVersion,
    uid: &str,
    body: &[u8],
) -> Result<Vec<Value>, String> {
    let review: Value = serde_json::from_slice(body)
        .map_err(|error| format!("couldn't get version/kind; json parse error: {error}"))?;
    let text = |value: &Value, key: &str| {
        value
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (api_version, kind) = (text(&review, "apiVersion"), text(&review, "kind"));
    if version == ReviewVersion::V1
        && (api_version != version.api_version() || kind != "ConversionReview")
    {
        // Go writes an empty group with its slash.
        let slash = if api_version.contains('/') { "" } else { "/" };
        return Err(format!(
            "expected webhook response of {}, Kind=ConversionReview, got {slash}{api_version}, Kind={kind}",
            version.api_version()
        ));
    }
    let Some(response) = review
        .get("response")
        .filter(|response| response.is_object())
    else {
        return Err("no response provided".to_owned());
    };
    let got = text(response, "uid");
    if version == ReviewVersion::V1 && got != uid {
        return Err(format!("expected response.uid={uid:?}, got {got:?}"));
    }
    let result = response.get("result").unwrap_or(&Value::Null);
    let status = text(result, "status");
    if status != "Success" {
        let message = text(result, "message");
        if !message.is_empty() {
            return Err(message);
        }
        return Err(format!(
            "response.result.status was '{status}', not 'Success'"
        ));
    }
    Ok(response
        .get("convertedObjects")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(response: Value) -> Result<Vec<Value>, String> {
        let body = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response});
        converted(ReviewVersion::V1, "u", body.to_string().as_bytes())
    }

    #[test]
    fn responses_are_judged() {
        assert_eq!(
            answer(json!({"uid": "u", "result": {"status": "Success"}, "convertedObjects": [1]}))
                .unwrap(),
            [json!(1)]
        );
        assert_eq!(
            answer(json!({"uid": "v", "result": {"status": "Success"}})).unwrap_err(),
            r#"expected response.uid="u", got "v""#
        );
        assert_eq!(
            answer(json!({"uid": "u", "result": {"status": "Failed", "message": "no"}}))
                .unwrap_err(),
            "no"
        );
        assert_eq!(
            answer(json!({"uid": "u"})).unwrap_err(),
            "response.result.status was '', not 'Success'"
        );
        assert_eq!(answer(Value::Null).unwrap_err(), "no response provided");
        assert!(
            converted(ReviewVersion::V1, "u", b"{}")
                .unwrap_err()
                .starts_with("expected webhook response of")
        );
        assert!(converted(ReviewVersion::V1, "u", b"nonsense").is_err());
    }

    #[test]
    fn the_first_known_version_is_spoken() {
        let choose =
            |versions: Value| ReviewVersion::choose(&json!({"conversionReviewVersions": versions}));
        assert_eq!(
            choose(json!(["v2", "v1beta1", "v1"])),
            Some(ReviewVersion::V1Beta1)
        );
        assert_eq!(choose(json!(["v2"])), None);
        assert_eq!(ReviewVersion::choose(&Value::Null), None);
    }
}
