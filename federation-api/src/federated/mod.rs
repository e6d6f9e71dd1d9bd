//! The generic shape of `Federated<Kind>` objects, in both served versions.
//!
//! [`southbound`] (v1beta1, stored) is what controllers decide on; [`northbound`] (v1) is what users and `fedctl`
//! write. Both keep every unknown field of spec, placement and status when read and written back. Metadata is read
//! as `ObjectMeta`, whose set of fields Kubernetes closes.
//!
//! These are views for programs that look into one version. Turning one version into the other is
//! `federation-core`'s `conversion`, which works on JSON and does not go through these types.

pub mod northbound;
mod object;
mod shared;
pub mod southbound;

pub use object::{Federated, ParseError};
pub use shared::{
    Counts, LabelSelector, LabelSelectorRequirement, MemberEntry, OverrideOperation,
    PropagationCondition, TopologyRef,
};
