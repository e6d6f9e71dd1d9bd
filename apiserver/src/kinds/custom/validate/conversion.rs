//! `spec.conversion`.

use serde_json::{Value, json};

use super::{names, not_supported};
use crate::kinds::custom::definition::{text, texts};
use crate::status::FieldError;

pub(super) fn check(conversion: &Value, errors: &mut Vec<FieldError>) {
    if conversion.is_null() {
        return;
    }
    let webhook = &conversion["webhook"];
    match text(conversion, &["strategy"]) {
        "" => errors.push(FieldError::required("spec.conversion.strategy", "")),
        "None" => {
            if webhook.is_object() {
                errors.push(FieldError::forbidden(
                    "spec.conversion.webhook",
                    "should not be set when strategy is not set to Webhook",
                ));
            }
        }
        "Webhook" => {
            if webhook.is_object() {
                client_config(&webhook["clientConfig"], errors);
            } else {
                errors.push(FieldError::required(
                    "spec.conversion.webhook",
                    "required when strategy is set to Webhook",
                ));
            }
            review_versions(webhook, errors);
        }
        other => errors.push(not_supported(
            "spec.conversion.strategy",
            other,
            &["None", "Webhook"],
        )),
    }
}

fn client_config(config: &Value, errors: &mut Vec<FieldError>) {
    let path = "spec.conversion.webhook.clientConfig";
    let (url, service) = (text(config, &["url"]), &config["service"]);
    if url.is_empty() != service.is_object() {
        errors.push(FieldError::required(
            path,
            "exactly one of url or service is required",
        ));
    } else if !url.is_empty() {
        web_address(url, &format!("{path}.url"), errors);
    } else {
        for field in ["name", "namespace"] {
            if text(service, &[field]).is_empty() {
                errors.push(FieldError::required(
                    format!("{path}.service.{field}"),
                    format!("service {field} is required"),
                ));
            }
        }
        let port = service["port"].as_i64().unwrap_or(443);
        if !(1..=65535).contains(&port) {
            let detail = "port is not valid: must be between 1 and 65535, inclusive";
            errors.push(FieldError::invalid(
                format!("{path}.service.port"),
                &port.into(),
                detail,
            ));
        }
    }
}

fn web_address(url: &str, path: &str, errors: &mut Vec<FieldError>) {
    const FORM: &str = "; desired format: https://host[/path]";
    let value = Value::from(url);
    let Ok(parsed) = url.parse::<http::Uri>() else {
        errors.push(FieldError::required(
            path,
            format!("url must be a valid URL{FORM}"),
        ));
        return;
    };
    if parsed.scheme_str() != Some("https") {
        let scheme = parsed.scheme_str().unwrap_or_default();
        errors.push(FieldError::invalid(
            path,
            &scheme.into(),
            format!("'https' is the only allowed URL scheme{FORM}"),
        ));
    }
    if parsed.host().is_none_or(str::is_empty) {
        errors.push(FieldError::invalid(
            path,
            &"".into(),
            format!("host must be specified{FORM}"),
        ));
    }
    if parsed
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        errors.push(FieldError::invalid(
            path,
            &value,
            "user information is not permitted in the URL",
        ));
    }
    if parsed.query().is_some() {
        errors.push(FieldError::invalid(
            path,
            &value,
            "query parameters are not permitted in the URL",
        ));
    }
    if url.contains('#') {
        errors.push(FieldError::invalid(
            path,
            &value,
            "fragments are not permitted in the URL",
        ));
    }
}

fn review_versions(webhook: &Value, errors: &mut Vec<FieldError>) {
    let path = "spec.conversion.webhook.conversionReviewVersions";
    let versions = texts(webhook, &["conversionReviewVersions"]);
    if versions.is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    for (index, version) in versions.iter().enumerate() {
        let why = if versions[..index].contains(version) {
            "duplicate version".to_owned()
        } else {
            names::label(version)
        };
        if !why.is_empty() {
            errors.push(FieldError::invalid(
                format!("{path}[{index}]"),
                &version.as_str().into(),
                why,
            ));
        }
    }
    if !versions
        .iter()
        .any(|version| version == "v1" || version == "v1beta1")
    {
        errors.push(FieldError::invalid(
            path,
            &json!(versions),
            "must include at least one of v1, v1beta1",
        ));
    }
}
