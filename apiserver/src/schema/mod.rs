//! Schemas: what a kind's fields are, for built-in and custom kinds alike.

/// A structural schema, shared by validation, pruning, defaulting, patch list semantics and OpenAPI.
#[derive(Clone, Debug, Default)]
pub struct Schema {}
