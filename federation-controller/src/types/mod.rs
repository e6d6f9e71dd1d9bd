//! Type configs: which kinds are federated.
//!
//! For each `FederatedTypeConfig` the controller keeps the definition of its `Federated<Kind>` and runs propagation
//! while the type is enabled. A type whose target no member serves is no error: it runs, and says so.
//!
//! The definition is created if it is absent. One that this controller made (it carries the hash of what was
//! generated) is updated when the generator's answer changes; one made by somebody else, e.g. by KubeFed, is used as
//! it is and never touched.

mod controller;
mod definition;
mod facts;

pub(crate) use controller::TypeController;
