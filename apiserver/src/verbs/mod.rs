//! One function per verb, for every kind.
//!
//! A verb takes the [`crate::api::Api`] and a parsed [`crate::request::Request`] and gives a [`Reply`]; it knows nothing of HTTP
//! connections and nothing of the form in which the client wants the answer (`codec` renders it).

mod get;
mod list;
mod options;
mod page;
mod reply;
mod session;
#[cfg(test)]
mod tests;
mod watch;
mod write;

pub use get::{get, read};
pub use list::list;
pub use reply::{Body, Reply, WatchItem, WatchStream};
pub use watch::watch;
pub(crate) use write::meta::{
    label_problems, label_value_problems, name_problems, qualified_name_problems, validate_labels,
};
pub(crate) use write::{FOREGROUND, ORPHAN, review_body};
pub use write::{create, delete, delete_collection, get_scale, patch, update};
