//! The controllers that run inside the server. They act through the cache and the store, level-triggered: a trigger says
//! where to look, never what happened.

mod crd;
pub(crate) mod events;
pub(crate) mod gc;
pub(crate) mod namespace;
#[cfg(test)]
mod testing;
pub(crate) mod tokens;
mod work;

pub use crd::CrdController;

/// The name under which the controllers speak of a kind: its stored version if that is served, else its best one.
///
/// # Errors
/// 404 if no version is served.
fn served(kind: &crate::kinds::Kind) -> Result<crate::local::Gvr<'_>, crate::status::ApiError> {
    let stored = kind.storage_version();
    let version = Some(stored).filter(|version| version.served);
    version
        .or_else(|| kind.versions.iter().find(|version| version.served))
        .map(|version| crate::local::Gvr::new(&kind.group, &version.name, &kind.plural))
        .ok_or_else(crate::status::ApiError::no_such_path)
}
