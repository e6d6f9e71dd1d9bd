//! CustomResourceDefinitions, as `apiextensions.k8s.io/v1` JSON.
//!
//! [`all_crds`] are the kinds of fixed shape; [`federated_crd`] generates the one of a `Federated<Kind>`.

mod federated;
mod own;
mod schema;

pub use federated::{ConversionStrategy, TargetFacts, federated_crd};
pub use own::all_crds;
