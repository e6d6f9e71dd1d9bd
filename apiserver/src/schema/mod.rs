//! Schemas: what a kind's fields are, for built-in and custom kinds alike.
//!
//! One [`Schema`] drives everything that depends on the shape of objects: unknown fields ([`Schema::prune`],
//! [`Schema::unknown_fields`]), defaults ([`Schema::default_fields`]), validation ([`Schema::validate`]), the list
//! semantics of patches (the accessors), and OpenAPI ([`Schema::to_openapi`]). The schemas of built-in kinds are read
//! from a table compiled into the program, type by type, when they are first used ([`builtin_type`]); those of custom
//! kinds come from their definition ([`Schema::from_crd`]). The two families differ where upstream does: built-in types
//! follow Go's decoding (a `null` is an absent field, zero values need not be written), custom ones their schema alone.
//!
//! Rules in CEL (`x-kubernetes-validations`) are kept and shown, but not evaluated here.

mod decode;
mod default;
mod model;
mod openapi;
mod parse;
mod prune;
mod types;
mod validate;

pub use model::{ListType, PatchStrategy, Schema, ValueType};
pub(crate) use openapi::{builtin_component, object_meta_reference};
pub use parse::SchemaError;
pub(crate) use types::builtin_types_digest;
pub use types::{builtin_type, builtin_type_json, builtin_type_names};

#[cfg(test)]
mod tests;
