//! Connections that ended a moment ago, for which packets may still be on their way.

use std::collections::{HashSet, VecDeque};

use crate::konnectivity::wire::ConnectionId;

/// More than can be closed while packets of them are on their way.
const MOST: usize = 4_096;

/// The last few thousand ended connections; the oldest are forgotten.
#[derive(Debug, Default)]
pub(super) struct Recent {
    order: VecDeque<ConnectionId>,
    ids: HashSet<ConnectionId>,
}

impl Recent {
    pub(super) fn insert(&mut self, id: ConnectionId) {
        if self.ids.insert(id) {
            self.order.push_back(id);
        }
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }

    pub(super) fn contains(&self, id: ConnectionId) -> bool {
        self.ids.contains(&id)
    }
}
