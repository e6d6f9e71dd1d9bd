//! Encryption at rest, as the operator configures it: kube-apiserver's `EncryptionConfiguration` (`apiserver.config.k8s.io/v1`) in a
//! file, or a file of the same kind that the hub makes for itself on its first start, with a key of its own.
//!
//! [`parse`](document::parse) is pure: text to rules that cannot be wrong, or all complaints with their field paths. `build` starts the
//! plugins that the rules name. `active` keeps them in effect and follows changes of the file. No text from here shows a key: values of
//! the file are never repeated in a complaint.

mod active;
mod build;
mod document;
mod error;
mod own;
mod resources;
mod rewrite;
#[cfg(test)]
mod tests;

pub use active::Encryption;
pub use error::EncryptionError;
pub(crate) use rewrite::RewriteHandler;
