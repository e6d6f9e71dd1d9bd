//! Which hub, which members.

use std::fmt;

/// What the hub is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HubKind {
    /// `federation-apiserver serve` and `federation-controller`.
    Ours,
    /// The add-on form on an upstream cluster.
    Upstream,
}

/// What the members are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    /// API servers of our library.
    Playground,
    /// Upstream control planes with their controllers.
    Upstream,
}

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The hub.
    pub hub: HubKind,
    /// The members.
    pub members: MemberKind,
}

impl Column {
    /// Every column, the cheapest first.
    pub const ALL: [Self; 4] = [
        Self::new(HubKind::Ours, MemberKind::Playground),
        Self::new(HubKind::Ours, MemberKind::Upstream),
        Self::new(HubKind::Upstream, MemberKind::Playground),
        Self::new(HubKind::Upstream, MemberKind::Upstream),
    ];

    const fn new(hub: HubKind, members: MemberKind) -> Self {
        Self { hub, members }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hub = match self.hub {
            HubKind::Ours => "our hub",
            HubKind::Upstream => "upstream hub",
        };
        let members = match self.members {
            MemberKind::Playground => "playground members",
            MemberKind::Upstream => "upstream members",
        };
        write!(out, "{hub} × {members}")
    }
}
