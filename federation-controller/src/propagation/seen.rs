//! What is known of an object in one member, right now.

use std::sync::Arc;

use federation_core::member::Member as MemberFacts;

use super::controller::TypeWork;
use crate::hub::{JsonObject, ObjectKey};
use crate::members::CacheState;

/// What is known of an object in a member.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    /// The member is not ready.
    NotReady,
    /// The member is ready, and its objects are being listed.
    Listing,
    /// What the member holds cannot be told.
    Failed(String),
    /// The member does not serve the kind.
    NotServed,
    /// It holds no managed object of that name.
    Absent,
    /// It holds this one.
    Present(Arc<JsonObject>),
}

impl TypeWork {
    /// Looks at the object in the member.
    pub(super) fn see(&self, object: &ObjectKey, facts: &MemberFacts) -> Seen {
        let member = self.context.members.get(facts.physical());
        if !member.is_some_and(|member| member.is_ready()) {
            return Seen::NotReady;
        }
        let Some(cache) = self.caches.get(facts.physical()) else {
            return Seen::Listing;
        };
        match cache.state() {
            CacheState::Synced => match cache.get(&self.member_key(object, facts)) {
                Some(held) => Seen::Present(held),
                None => Seen::Absent,
            },
            CacheState::Waiting => Seen::Listing,
            CacheState::NotServed => Seen::NotServed,
            CacheState::Failed(error) => Seen::Failed(error),
        }
    }

    /// Key of the object in the member.
    pub(super) fn member_key(&self, object: &ObjectKey, facts: &MemberFacts) -> ObjectKey {
        self.residence.member_key(object, facts.cell.as_ref())
    }
}
