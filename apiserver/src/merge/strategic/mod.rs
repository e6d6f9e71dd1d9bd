//! Strategic merge patch (`k8s.io/apimachinery/pkg/util/strategicpatch`): a merge patch that knows which lists are
//! maps or sets, from the schema, and understands the directives `$patch`, `$retainKeys`,
//! `$deleteFromPrimitiveList/<field>` and `$setElementOrder/<field>`.

mod list;
mod map;
mod order;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::schema::Schema;

/// What a strategic merge patch must know of a field. Implemented by schemas.
pub trait PatchShape: Sized {
    /// The shape of a field of a map; `None` if it is not known.
    fn field(&self, name: &str) -> Option<&Self>;

    /// The shape of the items of a list.
    fn element(&self) -> Option<&Self>;

    /// Is the list merged element by element (`x-kubernetes-patch-strategy: merge`)?
    fn merges(&self) -> bool;

    /// Is the map replaced instead of merged (`x-kubernetes-patch-strategy: replace`)?
    fn replaces(&self) -> bool;

    /// `x-kubernetes-patch-merge-key`; empty if none.
    fn merge_key(&self) -> &str;
}

/// Why a strategic merge patch is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrategicError {
    /// `$patch` says something unknown.
    #[error("unknown patch type {0} in map: {1}")]
    UnknownDirective(String, String),
    /// `$patch: merge` on a list element, which upstream does not know either.
    #[error("merging lists cannot yet be specified in the patch")]
    MergeDirective,
    /// `$patch: delete` in a list without a merge key.
    #[error("delete patch type with no merge key defined")]
    DeleteWithoutKey,
    /// A list of maps is to be merged and has no merge key.
    #[error("cannot merge lists without merge key")]
    NoMergeKeyDefined,
    /// An element lacks its merge key.
    #[error("map: {0} does not contain declared merge key: {1}")]
    NoMergeKey(String, String),
    /// A value in the patch has the wrong type.
    #[error("expected a {0}, but received a {1}")]
    BadType(&'static str, &'static str),
    /// Elements of one list have different types.
    #[error("list element types are not identical: {0}")]
    MixedList(String),
    /// Lists of lists cannot be merged.
    #[error("lists of lists are not supported")]
    ListOfLists,
    /// `$deleteFromPrimitiveList` is not a list of scalars.
    #[error("invalid patch format of primitive list")]
    BadPrimitiveList,
    /// `$retainKeys` is not a list of strings or lacks a key of the patch.
    #[error("invalid patch format of retainKeys")]
    BadRetainKeys,
    /// `$setElementOrder` is malformed or lacks an element of the patch.
    #[error("invalid patch format of setElementOrder list")]
    BadElementOrder,
}

impl StrategicError {
    /// Is the patch itself malformed (400), rather than unfit for the object (422)?
    pub fn is_malformed(&self) -> bool {
        match self {
            Self::BadPrimitiveList | Self::BadRetainKeys | Self::BadElementOrder => true,
            Self::UnknownDirective(..)
            | Self::MergeDirective
            | Self::DeleteWithoutKey
            | Self::NoMergeKeyDefined
            | Self::NoMergeKey(..)
            | Self::BadType(..)
            | Self::MixedList(_)
            | Self::ListOfLists => false,
        }
    }
}

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_PRIMITIVES: &str = "$deleteFromPrimitiveList/";
const ELEMENT_ORDER: &str = "$setElementOrder/";

/// Applies a strategic merge patch; on an error `target` is in no defined state.
///
/// # Errors
/// If the patch is malformed or does not fit.
pub fn apply_strategic_merge_patch<S: PatchShape>(
    target: &mut Value,
    patch: &Value,
    shape: Option<&S>,
) -> Result<(), StrategicError> {
    let Value::Object(patch) = patch else {
        return Err(StrategicError::BadType("map", type_name(patch)));
    };
    let original = match target.take() {
        Value::Object(fields) => fields,
        _ => serde_json::Map::new(),
    };
    *target = Value::Object(map::merge_map(original, patch.clone(), shape)?);
    Ok(())
}

/// The JSON type of a value, in Go's words.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}

impl PatchShape for Schema {
    fn field(&self, name: &str) -> Option<&Self> {
        self.child(name)
    }

    fn element(&self) -> Option<&Self> {
        self.items()
    }

    fn merges(&self) -> bool {
        self.patch_strategy().merge
    }

    fn replaces(&self) -> bool {
        self.patch_strategy().replace
    }

    fn merge_key(&self) -> &str {
        self.patch_merge_key().unwrap_or_default()
    }
}
