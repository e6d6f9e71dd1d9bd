//! How a patch changes an object: the three patch languages, each a pure function of the object and the patch.

mod json_patch;
mod merge_patch;
pub mod strategic;

pub use json_patch::{JsonPatchError, MAX_OPERATIONS, apply_json_patch, parse_json_patch};
pub use merge_patch::apply_merge_patch;
