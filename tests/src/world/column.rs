//! Which hub, which members.

use std::fmt;

use apiserver_store::conformance::databases::Engine;

/// What the hub is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HubKind {
    /// `federation-apiserver serve` and `federation-controller`.
    Ours(Database),
    /// The add-on form on an upstream cluster.
    Upstream,
}

/// Where our hub keeps its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// In its own directory.
    Sqlite,
    /// On a server that is started for it.
    Server(Engine),
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

const SQLITE: HubKind = HubKind::Ours(Database::Sqlite);

const fn on(engine: Engine) -> HubKind {
    HubKind::Ours(Database::Server(engine))
}

impl Column {
    /// Every column, the cheapest first. Those that stand together can run at the same time: they mostly wait.
    pub const ALL: [&[Self]; 5] = [
        &[Self::new(SQLITE, MemberKind::Playground)],
        &[
            Self::new(on(Engine::Postgres), MemberKind::Playground),
            Self::new(on(Engine::MariaDb), MemberKind::Playground),
        ],
        &[Self::new(SQLITE, MemberKind::Upstream)],
        &[Self::new(HubKind::Upstream, MemberKind::Playground)],
        &[Self::new(HubKind::Upstream, MemberKind::Upstream)],
    ];

    const fn new(hub: HubKind, members: MemberKind) -> Self {
        Self { hub, members }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hub = match self.hub {
            HubKind::Ours(Database::Sqlite) => "our hub",
            HubKind::Ours(Database::Server(Engine::Postgres)) => "our hub on PostgreSQL",
            HubKind::Ours(Database::Server(Engine::MariaDb)) => "our hub on MariaDB",
            HubKind::Upstream => "upstream hub",
        };
        let members = match self.members {
            MemberKind::Playground => "playground members",
            MemberKind::Upstream => "upstream members",
        };
        write!(out, "{hub} × {members}")
    }
}
