//! Where the two families of servers differ in their SQL. Everything else is common to them.

/// Which SQL a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Postgres,
    /// MySQL, MariaDB, OceanBase in MySQL mode.
    MySql,
}

/// Locks the counter row, and so keeps all other writers out until the transaction's end.
const LOCK: &str = "SELECT rv, epoch FROM store_rev WHERE id = 1 FOR UPDATE";

impl Dialect {
    /// Begins a write transaction with the counter row locked. The one row is (revision, epoch).
    pub(super) fn begin_write(self) -> [&'static str; 2] {
        match self {
            Self::Postgres => ["BEGIN ISOLATION LEVEL READ COMMITTED", LOCK],
            Self::MySql => ["START TRANSACTION", LOCK],
        }
    }

    /// Begins a transaction all of whose reads see one moment.
    pub(super) fn begin_snapshot(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"],
            Self::MySql => &[
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                "START TRANSACTION WITH CONSISTENT SNAPSHOT",
            ],
        }
    }

    /// Reads (revision, compacted, epoch, read-only?) in one statement, and so in one moment.
    pub(super) fn head(self) -> &'static str {
        match self {
            Self::Postgres => {
                "SELECT r.rv, m.v, r.epoch, CASE WHEN pg_is_in_recovery() THEN 'ON' ELSE 'OFF' END
                 FROM store_rev r, store_meta m WHERE r.id = 1 AND m.k = 'compacted'"
            }
            Self::MySql => {
                "SELECT r.rv, m.v, r.epoch, CONCAT(@@read_only)
                 FROM store_rev r, store_meta m WHERE r.id = 1 AND m.k = 'compacted'"
            }
        }
    }

    /// The end of an insert into `store_obj` that replaces what is there.
    pub(super) fn or_replace(self) -> &'static str {
        match self {
            Self::Postgres => {
                " ON CONFLICT (resource, namespace, name) DO UPDATE SET
                 rv = excluded.rv, create_rv = excluded.create_rv, value = excluded.value"
            }
            Self::MySql => {
                " ON DUPLICATE KEY UPDATE
                 rv = VALUES(rv), create_rv = VALUES(create_rv), value = VALUES(value)"
            }
        }
    }

    /// How many bytes of values one of the newest log entries holds, on average.
    pub(super) fn weigh_entry(self) -> &'static str {
        match self {
            Self::Postgres => {
                "SELECT CAST(COALESCE(AVG(OCTET_LENGTH(value) + COALESCE(OCTET_LENGTH(prev), 0)), 0)
                 AS BIGINT) FROM (SELECT value, prev FROM store_log ORDER BY rv DESC LIMIT 256) t"
            }
            Self::MySql => {
                "SELECT CAST(COALESCE(AVG(OCTET_LENGTH(value) + COALESCE(OCTET_LENGTH(prev), 0)), 0)
                 AS SIGNED) FROM (SELECT value, prev FROM store_log ORDER BY rv DESC LIMIT 256) t"
            }
        }
    }

    /// Settings of every session, without which the store is not what it promises.
    pub(super) fn session(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &[
                "SET client_min_messages = warning",
                "SET default_transaction_isolation = 'read committed'",
                "SET lock_timeout = '10s'",
                "SET statement_timeout = '25s'",
                // A server that acknowledges before the disk has it is not asked to.
                "SELECT set_config('synchronous_commit', 'on', false)
                 WHERE current_setting('synchronous_commit') = 'off'",
            ],
            Self::MySql => &[
                "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
                "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                "SET SESSION autocommit = 1",
                "SET SESSION wait_timeout = 30",
            ],
        }
    }

    /// Settings that not every server of the family knows: how long a lost client may keep its locks, and how
    /// long to wait for somebody else's.
    pub(super) fn session_if_known(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &[
                "SET idle_in_transaction_session_timeout = '15s'",
                "SET tcp_keepalives_idle = 10",
                "SET tcp_keepalives_interval = 5",
                "SET tcp_keepalives_count = 3",
            ],
            Self::MySql => &[
                "SET SESSION innodb_lock_wait_timeout = 10",
                "SET SESSION idle_transaction_timeout = 15",
                "SET SESSION ob_trx_lock_timeout = 10000000",
                "SET SESSION ob_trx_idle_timeout = 15000000",
            ],
        }
    }
}
