//! A Kubernetes API server as a library: unmodified kubectl, client-go, controller-runtime, helm and kube-rs clients
//! take what it serves for Kubernetes.
//!
//! One generic verb pipeline runs over a table of kinds ([`kinds`]); built-in kinds and custom resources differ by
//! their row, not by their handlers. Objects are durable in [`apiserver_store`]; every read and watch is answered by
//! [`cache`]. What this crate does not know: federation. The hub adds its own kinds, conversion and admission through
//! the traits in [`admit`] and [`convert`].
//!
//! A request passes: `http` (TLS, authentication, parsing) → [`verbs`] (one function a verb) → `codec` (the form that
//! the client asked for).

pub mod admit;
pub mod api;
pub mod auth;
pub mod cache;
pub mod codec;
pub mod control;
pub mod convert;
pub mod http;
pub mod kinds;
pub mod labels;
pub mod local;
pub mod merge;
pub mod object;
pub mod request;
pub mod schema;
pub mod seams;
pub mod selector;
pub mod server;
pub mod status;
#[cfg(test)]
mod testing;
pub mod verbs;

pub use server::{Certificates, Kubeconfig, Server, ServerBuilder, ServerHandle};
