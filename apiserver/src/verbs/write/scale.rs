//! `/scale`: replicas as an `autoscaling/v1` Scale, through the paths that the kind's row names.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::change::{self, Change, Done, Part, at_version};
use super::options::WriteOptions;
use super::patch::Patch;
use super::pipeline::Write;
use super::update::settle_name;
use crate::api::Api;
use crate::codec::decode::{Expected, decode_kind};
use crate::kinds::{Kind, KindVersion, ScalePaths};
use crate::object;
use crate::request::Request;
use crate::status::{ApiError, FieldError};
use crate::verbs::Reply;

/// Reads the scale.
///
/// # Errors
/// 404 if there is no such object, or its kind has no scale.
pub async fn get_scale(
    api: &Api,
    request: &Request,
    kind: &Arc<Kind>,
    version: &str,
) -> Result<Reply, ApiError> {
    let write = Write::new(api, request, kind, version, false)?;
    let paths = paths(write.version)?;
    api.cache.fresh().await?;
    let found = api
        .cache
        .get(&kind.resource, &request.path.namespace, &request.path.name)
        .ok_or_else(|| write.not_found(&request.path.name))?;
    let value = at_version(&write, &found).await?;
    Ok(plain(scale_of(&value, paths)))
}

fn plain(value: Value) -> Reply {
    Reply::Plain {
        code: StatusCode::OK,
        value,
    }
}

fn paths(version: &KindVersion) -> Result<&ScalePaths, ApiError> {
    version.scale.as_ref().ok_or_else(ApiError::no_such_path)
}

/// Replaces the scale.
///
/// # Errors
/// As an update; 422 for a negative number.
pub(super) async fn update_scale(
    api: &Api,
    request: &Request,
    kind: &Arc<Kind>,
    version: &str,
) -> Result<Reply, ApiError> {
    let options = WriteOptions::of(request, "UpdateOptions")?;
    let expected = Expected {
        api_version: "autoscaling/v1",
        kind: "Scale",
    };
    let scale = decode_kind(&request.content_type, &request.body, expected)?;
    if !scale.is_object() {
        return Err(ApiError::bad_request(
            "the object provided is unrecognized (must be of type Scale): it is not a JSON object",
        ));
    }
    settle_name(&scale, &request.path.name)?;
    let write = Write::new(api, request, kind, version, options.dry_run)?;
    run(&write, Wanted::Whole(scale)).await
}

/// Patches the scale.
///
/// # Errors
/// As a patch; 422 for a negative number.
pub(super) async fn patch_scale(
    api: &Api,
    request: &Request,
    kind: &Arc<Kind>,
    version: &str,
) -> Result<Reply, ApiError> {
    let options = WriteOptions::of(request, "PatchOptions")?;
    let patch = Patch::of(request, true, &mut Vec::new())?;
    let write = Write::new(api, request, kind, version, options.dry_run)?;
    run(&write, Wanted::Patched(patch)).await
}

enum Wanted {
    Whole(Value),
    Patched(Patch),
}

struct ScaleChange<'a> {
    wanted: Wanted,
    paths: &'a ScalePaths,
    kind: &'a Kind,
}

impl Change for ScaleChange<'_> {
    fn wanted(&self, current: &Value) -> Result<Value, ApiError> {
        let before = scale_of(current, self.paths);
        let scale = match &self.wanted {
            Wanted::Whole(scale) => scale.clone(),
            Wanted::Patched(patch) => patch.apply(&before, None)?,
        };
        let replicas = scale
            .pointer("/spec/replicas")
            .cloned()
            .unwrap_or_else(|| 0.into());
        if !replicas
            .as_i64()
            .is_some_and(|n| (0..=i64::from(i32::MAX)).contains(&n))
        {
            let error = FieldError::invalid(
                "spec.replicas",
                &replicas,
                "must be greater than or equal to 0",
            );
            let name = object::name(current);
            return Err(ApiError::invalid("autoscaling", "Scale", name, &[error]));
        }
        let mut value = current.clone();
        set(&mut value, &self.paths.spec_replicas, replicas).ok_or_else(|| {
            ApiError::internal(format!(
                "{} cannot be scaled at {}",
                self.kind.kind, self.paths.spec_replicas
            ))
        })?;
        let given = object::meta_str(&scale, "resourceVersion");
        let unchanged = given == object::meta_str(&before, "resourceVersion")
            && matches!(self.wanted, Wanted::Patched(_));
        object::set_meta_str(
            &mut value,
            "resourceVersion",
            if unchanged { "" } else { given },
        );
        let uid = object::meta_str(&scale, "uid");
        object::set_meta_str(&mut value, "uid", uid);
        Ok(value)
    }

    fn unconditional(&self) -> bool {
        true
    }
}

async fn run(write: &Write<'_>, wanted: Wanted) -> Result<Reply, ApiError> {
    let paths = paths(write.version)?;
    let change = ScaleChange {
        wanted,
        paths,
        kind: write.kind,
    };
    let value = match change::run(write, &write.request.path.name, Part::Main, &change).await? {
        Done::Stored(object) => at_version(write, &object).await?,
        Done::DryRun(value) => value,
    };
    Ok(plain(scale_of(&value, paths)))
}

/// The Scale of an object.
fn scale_of(value: &Value, paths: &ScalePaths) -> Value {
    let number = |path: &str| find(value, path).and_then(Value::as_i64).unwrap_or(0);
    let mut metadata = json!({});
    for field in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
    ] {
        let text = object::meta_str(value, field);
        if !text.is_empty() {
            metadata[field] = text.into();
        }
    }
    let mut status = json!({"replicas": number(&paths.status_replicas)});
    if let Some(selector) = selector_text(find(value, &paths.label_selector)) {
        status["selector"] = selector.into();
    }
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": number(&paths.spec_replicas)},
        "status": status,
    })
}

/// A selector as text: as it is, or a `metav1.LabelSelector` written out.
fn selector_text(selector: Option<&Value>) -> Option<String> {
    match selector? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Object(fields) => {
            let labels = fields.get("matchLabels").and_then(Value::as_object);
            let mut terms: Vec<String> = labels
                .into_iter()
                .flatten()
                .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
                .collect();
            for expression in fields
                .get("matchExpressions")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                terms.push(expression_text(expression)?);
            }
            terms.sort();
            Some(terms.join(",")).filter(|text| !text.is_empty())
        }
        _ => None,
    }
}

fn expression_text(expression: &Value) -> Option<String> {
    let key = expression.get("key")?.as_str()?;
    let values = || -> Option<String> {
        let list = expression.get("values")?.as_array()?;
        let mut values: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
        values.sort_unstable();
        Some(values.join(","))
    };
    match expression.get("operator")?.as_str()? {
        "In" => Some(format!("{key} in ({})", values()?)),
        "NotIn" => Some(format!("{key} notin ({})", values()?)),
        "Exists" => Some(key.to_owned()),
        "DoesNotExist" => Some(format!("!{key}")),
        _ => None,
    }
}

fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let mut steps = path.strip_prefix('.')?.split('.');
    steps.try_fold(value, |value, step| value.get(step))
}

fn set(value: &mut Value, path: &str, new: Value) -> Option<()> {
    let mut target = value;
    for step in path.strip_prefix('.')?.split('.') {
        let fields = match target {
            Value::Null => {
                *target = json!({});
                target.as_object_mut()?
            }
            other => other.as_object_mut()?,
        };
        target = fields.entry(step).or_insert(Value::Null);
    }
    *target = new;
    Some(())
}
