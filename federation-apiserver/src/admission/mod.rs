//! Admission of what users write on the hub, the same behind two doors.
//!
//! [`review`] is the whole of it: a [`Request`] and [`Facts`] in, an answer out. Which rules it asks depends on the kind.
//! The rules are `federation_core::validate`'s and pure; here they get the objects that they look at besides, and
//! their findings become answers. A cell's deletion is guarded here (`cells`).
//!
//! The doors: [`FederationAdmission`] is the plugin of our own API server; the webhook of the add-on form asks with what an
//! `AdmissionReview` says. Built-in kinds pass untouched.

mod cells;
mod default;
mod facts;
mod findings;
mod plugin;
mod rules;

pub(crate) use default::config as default_config;
pub(crate) use facts::Facts;
pub(crate) use plugin::FederationAdmission;
pub(crate) use rules::{Action, Needs, Request, Reviewed, Ruled, review};
