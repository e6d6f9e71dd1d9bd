//! OpenAPI v3: one document per group version, built from the table of kinds when it is asked for.
//!
//! What kubectl takes from it: the schemas (`explain`, validation by the client), whether PATCH knows `fieldValidation`,
//! and the patch keys of built-in types. Components and paths are named as upstream names them.

mod cached;
mod components;
mod fingerprint;
mod operations;
mod paths;
pub(crate) mod second;
#[cfg(test)]
mod tests;

pub(crate) use cached::OpenApi;
