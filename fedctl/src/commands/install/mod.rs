//! What `fedctl init` and `fedctl deinit` do to a cluster, object by object.

pub(super) mod apply;
pub(super) mod ready;
