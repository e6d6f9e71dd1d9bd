//! One function per verb, for every kind.
//!
//! A verb takes the [`crate::api::Api`] and a parsed [`crate::request::Request`] and gives a [`Reply`]; it knows nothing of HTTP
//! connections and nothing of the form in which the client wants the answer (`codec` renders it).

mod reply;

pub use reply::{Body, Reply, WatchItem, WatchStream};
