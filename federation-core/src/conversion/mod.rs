//! Conversion of federated objects between v1 (topologies) and v1beta1 (clusters).
//!
//! A pure function of the object: no lookups, no clock, same input same output. It works on JSON, so whatever the
//! versions do not know passes through.
//!
//! **Guarantees.** [`convert`] is a bijection between the well-typed objects of the two versions: there and back is the
//! identity in both directions. It never fails for a federated object, and of a well-typed object it makes a
//! well-typed one, whatever its annotations say.
//!
//! **How.** [`natural`] translates field by field: keys are renamed, `spec.topologyType` becomes an annotation, cell names
//! become derived cluster names, selectors of cells gain the requirement for their namespace. Where that loses
//! something (e.g. a v1 object without `topologyType`), [`residue`] records the loss as guarded edits in one
//! annotation, which the way back consumes. An edit is guarded by the value the field had; if someone changed
//! the field in between, the field wins. Users may write that annotation too: [`typed`] keeps a forged one from
//! showing what no client of the version could read.

mod natural;
mod residue;
mod review;
#[cfg(test)]
mod tests;
mod typed;

use serde_json::Value;

pub use review::review;

use federation_api::names;
use natural::natural;
use residue::Residue;

/// Which of the two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// v1: topologies.
    Northbound,
    /// v1beta1: clusters; stored.
    Southbound,
}

impl Version {
    /// The version that an `apiVersion` names, whatever its group; `None` for any other version.
    #[must_use]
    pub fn of(api_version: &str) -> Option<Self> {
        match names::split_api_version(api_version) {
            ("", _) => None,
            (_, names::NORTHBOUND_VERSION) => Some(Self::Northbound),
            (_, names::SOUTHBOUND_VERSION) => Some(Self::Southbound),
            _ => None,
        }
    }

    /// The version's name, e.g. `v1beta1`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Northbound => names::NORTHBOUND_VERSION,
            Self::Southbound => names::SOUTHBOUND_VERSION,
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Northbound => Self::Southbound,
            Self::Southbound => Self::Northbound,
        }
    }
}

/// Why an object cannot be converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConversionError {
    /// The object says no `apiVersion`.
    #[error("object has no apiVersion")]
    NoApiVersion,
    /// Neither of the two versions.
    #[error("{0:?} is not a version of a federated kind: expected v1 or v1beta1")]
    UnknownVersion(String),
    /// The object and the wish are of different groups.
    #[error("cannot convert from group {from:?} to group {to:?}")]
    OtherGroup {
        /// Group of the object.
        from: String,
        /// Group asked for.
        to: String,
    },
}

/// Converts a federated object to `api_version` (group and version). An object that is there already comes back
/// unchanged. What the annotation of an earlier conversion says counts only if the outcome has the types of its
/// version: one object with a forged annotation must not fail every list that it is in.
///
/// # Errors
/// If the object has no `apiVersion`, or either end is not v1 or v1beta1 of one group. Any other content converts.
pub fn convert(object: Value, api_version: &str) -> Result<Value, ConversionError> {
    let from = object
        .get("apiVersion")
        .and_then(Value::as_str)
        .ok_or(ConversionError::NoApiVersion)?;
    let version = |text: &str| {
        Version::of(text).ok_or_else(|| ConversionError::UnknownVersion(text.to_owned()))
    };
    let (source, target) = (version(from)?, version(api_version)?);
    let (from_group, to_group) = (
        names::split_api_version(from).0,
        names::split_api_version(api_version).0,
    );
    if from_group != to_group {
        return Err(ConversionError::OtherGroup {
            from: from_group.into(),
            to: to_group.into(),
        });
    }
    if source == target {
        return Ok(object);
    }
    Ok(believable(object, target))
}

/// Converts to `target`, without the residue if that would give what the version does not allow and the object itself
/// does not call for.
fn believable(object: Value, target: Version) -> Value {
    if !Residue::is_on(&object) {
        return convert_to(object, target);
    }
    let converted = convert_to(object.clone(), target);
    if typed::is_typed(&converted, target) {
        return converted;
    }
    let plain = convert_to(Residue::strip(object), target);
    if typed::is_worse(&converted, &plain, target) {
        plain
    } else {
        converted
    }
}

/// Converts to `target`, taking the object to be of the other version whatever its `apiVersion` says. A bijection on all
/// JSON objects, also ill-typed ones.
fn convert_to(mut object: Value, target: Version) -> Value {
    // The template is the bulk of an object and passes through untouched: keep it out of all copies.
    let template = object
        .get_mut("spec")
        .and_then(Value::as_object_mut)
        .and_then(|spec| spec.remove("template"));
    let mut converted = bijection(&object, target);
    if let (Some(template), Some(spec)) = (
        template,
        converted.get_mut("spec").and_then(Value::as_object_mut),
    ) {
        spec.insert("template".into(), template);
    }
    converted
}

/// The bijection behind [`convert_to`], on objects without `spec.template`.
///
/// An object without residue is translated, and what a translation back would not restore is attached as residue. An
/// object with residue is first taken for the product of such a translation: then the answer is the object that
/// it was made from, and converting that one again proves it. If the proof fails (the residue is stale because a
/// field was edited, or was never ours), what still applies of it is applied, and the rest is kept as a residue
/// of the result, so that even then nothing is lost on the way back.
fn bijection(object: &Value, target: Version) -> Value {
    if !object.is_object() {
        return object.clone();
    }
    let translated = match Residue::split(object) {
        None => natural(object, target),
        Some((bare, Some(residue))) => {
            let restored = residue.apply(natural(&bare, target));
            if bijection(&restored, target.other()) == *object {
                return restored;
            }
            match Residue::split(&restored) {
                Some((bare, _)) => bare,
                None => restored,
            }
        }
        Some((bare, None)) => natural(&bare, target),
    };
    let back = natural(&translated, target.other());
    if back == *object {
        return translated;
    }
    Residue::between(&back, object).attach(translated)
}
