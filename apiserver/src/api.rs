//! The state that every verb works on.

use std::sync::Arc;

use apiserver_store::Store;

use crate::admit::Admission;
use crate::cache::Cache;
use crate::convert::Converter;
use crate::kinds::Registry;
use crate::seams::Seams;

/// Everything behind the verbs. Shared by all requests and controllers of one server.
#[derive(Clone)]
pub struct Api {
    /// Where objects are durable.
    pub store: Store,
    /// The state of the store in memory: every read is answered from it.
    pub cache: Cache,
    /// The table of kinds.
    pub registry: Arc<Registry>,
    /// Admission plugins in calling order.
    pub admission: Arc<[Arc<dyn Admission>]>,
    /// In-process converters.
    pub converters: Arc<[Arc<dyn Converter>]>,
    /// Clock and randomness.
    pub seams: Seams,
}
