//! Caches of API objects that are kept by watches.
//!
//! [`follow`] keeps a [`Store`] in step with one collection and tells a callback what changed. It is used for hub
//! kinds and, by [`crate::members`], for the objects in members.

mod follow;
mod json;
mod store;

pub use follow::{Change, FollowError, Followed, follow};
pub use json::JsonObject;
pub use store::{ObjectKey, Store};
