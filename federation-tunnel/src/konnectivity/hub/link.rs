//! One agent's stream of packets, as the server knows it.

use super::route::Candidate;
use super::{Admission, Identifiers};
use crate::konnectivity::machine::Dialer;
use crate::konnectivity::session::Session;

/// One stream of one agent. An agent that connects twice has two, which know nothing of each other: connections are numbered per stream.
#[derive(Debug)]
pub(crate) struct Link {
    pub(super) agent: String,
    pub(super) admission: Admission,
    pub(super) identifiers: Identifiers,
    pub(crate) session: Session<Dialer>,
}

impl Link {
    pub(super) fn candidate(&self) -> Candidate<'_> {
        let (draining, load) = self
            .session
            .with(|machine| (machine.is_draining() || machine.is_lost(), machine.load()));
        Candidate {
            admission: &self.admission,
            identifiers: &self.identifiers,
            draining,
            load,
        }
    }
}
