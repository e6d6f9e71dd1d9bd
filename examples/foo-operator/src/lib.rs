//! The Kubebuilder tutorial's operator, in kube-rs: a Foo looks for its friend and is happy once it is there.
//!
//! `Foo` (`tutorial.my.domain/v1`) names a friend in `spec.name`. While a Pod of that name exists in the Foo's own
//! namespace, `status.happy` is true. The operator knows nothing of federation: it is what runs in a member cluster.
//!
//! - [`crd`] is the definition to install first.
//! - [`run`] is the whole operator as a future, so that another process can host it.

mod controller;
mod mood;
mod types;

pub use controller::run;
pub use mood::mood_change;
pub use types::{Foo, FooSpec, FooStatus, crd};
