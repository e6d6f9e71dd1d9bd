//! The webhook of the add-on form: conversion and admission for a hub that is an ordinary Kubernetes cluster.
//!
//! `federation-apiserver webhook` serves `ConversionReview` v1 at `/convert` and `AdmissionReview` v1 at `/validate` and
//! `/mutate`. Decisions are those of the hub in one process: `federation_core::conversion` and [`crate::admission`];
//! this module is a door to them.
//!
//! - `listener` accepts TLS connections and drains them, `routes` turns requests into answers within limits.
//! - `lookups` holds the objects that admission looks at besides, from watches of the cluster.
//! - `certificates` makes, renews and reloads CA and serving certificate; all replicas share one Secret.
//! - `inject` puts the CA where API servers look for it, before anything is signed with it.
//!
//! Any number of replicas may run; none leads. What they write they write with the version they read, so that the slower
//! of two finds out and looks again.

mod admin;
mod admission;
mod certificates;
mod cli;
mod inject;
mod keeper;
mod listener;
mod lookups;
mod metrics;
mod routes;
mod serve;
mod targets;
mod watched;

pub use cli::WebhookArgs;
pub use serve::{WebhookConfig, WebhookError, serve};
