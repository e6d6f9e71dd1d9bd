//! The tables, which version of them a database has, and how it gets to the next.
//!
//! Steps only ever add, so that processes of the version before go on working on the same database while the
//! others are being replaced. Several processes may prepare one database at the same time.

use super::{RemoteOpenError, dialect::Dialect, link::Link, statement::Statement};
use crate::{BackendError, backend::Cells};

/// The version that this code writes and reads: the number of [`STEPS`].
pub(super) const VERSION: i64 = 1;

/// What one version adds, for either dialect. Every statement can be repeated without harm: MySQL commits each
/// by itself, so a step can be cut off in the middle.
struct Step {
    postgres: &'static [&'static str],
    mysql: &'static [&'static str],
}

/// `store_rev` is the counter row, alone in its table; `store_meta` holds numbers by name; `store_obj` the
/// current objects; `store_log` the history, where `prev` repeats what a change replaced, which makes it
/// readable from either end with nothing else, and `batch` says which transaction of which process wrote it.
/// No column has a default that counts, and nothing is numbered by the database.
const STEPS: [Step; VERSION as usize] = [Step {
    postgres: &[
        "CREATE TABLE IF NOT EXISTS store_meta (
            k TEXT COLLATE \"C\" NOT NULL PRIMARY KEY,
            v BIGINT NOT NULL
        ) WITH (fillfactor = 20)",
        // A new version of the one row with every batch: room for them on its page, and cleaned up often.
        "CREATE TABLE IF NOT EXISTS store_rev (
            id BIGINT NOT NULL PRIMARY KEY,
            rv BIGINT NOT NULL,
            epoch BIGINT NOT NULL
        ) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0)",
        "CREATE TABLE IF NOT EXISTS store_obj (
            resource TEXT COLLATE \"C\" NOT NULL,
            namespace TEXT COLLATE \"C\" NOT NULL,
            name TEXT COLLATE \"C\" NOT NULL,
            rv BIGINT NOT NULL,
            create_rv BIGINT NOT NULL,
            value BYTEA NOT NULL,
            PRIMARY KEY (resource, namespace, name)
        ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)",
        // The oldest part is deleted all the time.
        "CREATE TABLE IF NOT EXISTS store_log (
            rv BIGINT NOT NULL PRIMARY KEY,
            batch BIGINT NOT NULL,
            kind BIGINT NOT NULL,
            create_rv BIGINT NOT NULL,
            prev_rv BIGINT,
            resource TEXT COLLATE \"C\" NOT NULL,
            namespace TEXT COLLATE \"C\" NOT NULL,
            name TEXT COLLATE \"C\" NOT NULL,
            value BYTEA NOT NULL,
            prev BYTEA
        ) WITH (autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_scale_factor = 0.02)",
    ],
    mysql: &[
        "CREATE TABLE IF NOT EXISTS store_meta (
            k VARBINARY(64) NOT NULL,
            v BIGINT NOT NULL,
            PRIMARY KEY (k)
        ) ENGINE = InnoDB",
        "CREATE TABLE IF NOT EXISTS store_rev (
            id BIGINT NOT NULL,
            rv BIGINT NOT NULL,
            epoch BIGINT NOT NULL,
            PRIMARY KEY (id)
        ) ENGINE = InnoDB",
        "CREATE TABLE IF NOT EXISTS store_obj (
            resource VARBINARY(384) NOT NULL,
            namespace VARBINARY(128) NOT NULL,
            name VARBINARY(512) NOT NULL,
            rv BIGINT NOT NULL,
            create_rv BIGINT NOT NULL,
            value LONGBLOB NOT NULL,
            PRIMARY KEY (resource, namespace, name)
        ) ENGINE = InnoDB",
        "CREATE TABLE IF NOT EXISTS store_log (
            rv BIGINT NOT NULL,
            batch BIGINT NOT NULL,
            kind BIGINT NOT NULL,
            create_rv BIGINT NOT NULL,
            prev_rv BIGINT,
            resource VARBINARY(384) NOT NULL,
            namespace VARBINARY(128) NOT NULL,
            name VARBINARY(512) NOT NULL,
            value LONGBLOB NOT NULL,
            prev LONGBLOB,
            PRIMARY KEY (rv)
        ) ENGINE = InnoDB",
    ],
}];

/// Numbers that a new database starts with, and the version, which comes last: it says that all else is there.
const NUMBERS: [(&str, i64); 4] = [
    ("compacted", 0),
    ("trimmed", 0),
    ("writers", 0),
    ("restoring", 0),
];

/// Brings the tables to our version, or finds that they are.
pub(super) async fn prepare(link: &mut Link, dialect: Dialect) -> Result<(), RemoteOpenError> {
    let found = match version(link, dialect).await? {
        Some(VERSION) => return Ok(()),
        Some(found) if found > VERSION => {
            return Err(RemoteOpenError::Version {
                found,
                supported: VERSION,
            });
        }
        found => found.unwrap_or(0),
    };
    let prepared = match dialect {
        Dialect::Postgres => prepare_postgres(link, found).await,
        Dialect::MySql => prepare_mysql(link, found).await,
    };
    prepared.map_err(|error| RemoteOpenError::Prepare(error.into()))
}

/// All or nothing, by one process at a time.
async fn prepare_postgres(link: &mut Link, found: i64) -> Result<(), sqlx::Error> {
    // Any number will do, as long as nobody else uses it: "koinon" in ASCII.
    let mut statements = vec!["BEGIN", "SELECT pg_advisory_xact_lock(118074672869230)"];
    let steps = steps_after(found);
    statements.extend(steps.iter().flat_map(|step| step.postgres));
    link.run(&statements).await?;
    for fill in fill(Dialect::Postgres) {
        link.execute(&fill).await?;
    }
    link.run(&["COMMIT"]).await?;
    Ok(())
}

/// Each statement by itself, as MySQL wants it.
async fn prepare_mysql(link: &mut Link, found: i64) -> Result<(), sqlx::Error> {
    for statement in steps_after(found).iter().flat_map(|step| step.mysql) {
        link.run(&[statement]).await?;
    }
    for fill in fill(Dialect::MySql) {
        link.execute(&fill).await?;
    }
    Ok(())
}

fn steps_after(found: i64) -> &'static [Step] {
    let done = usize::try_from(found).unwrap_or(0);
    STEPS.get(done..).unwrap_or_default()
}

/// Adds what is missing of the rows that must be there, and changes none that is, except the version.
fn fill(dialect: Dialect) -> Vec<Statement> {
    let (insert, unless_there) = match dialect {
        Dialect::Postgres => ("INSERT INTO", " ON CONFLICT DO NOTHING"),
        Dialect::MySql => ("INSERT IGNORE INTO", ""),
    };
    let mut statements = vec![
        Statement::new(insert)
            .sql(" store_rev (id, rv, epoch) VALUES (1, 0, 1)")
            .sql(unless_there),
    ];
    let numbers = NUMBERS.into_iter().chain([("schema_version", VERSION)]);
    statements.extend(numbers.map(|(name, number)| {
        Statement::new(insert)
            .sql(" store_meta (k, v) VALUES (")
            .text(name)
            .sql(", ")
            .int(number)
            .sql(")")
            .sql(unless_there)
    }));
    statements.push(
        Statement::new("UPDATE store_meta SET v = ")
            .int(VERSION)
            .sql(" WHERE k = 'schema_version' AND v < ")
            .int(VERSION),
    );
    statements
}

/// The version of the tables; `None` if they are not there, or not completely.
async fn version(link: &mut Link, dialect: Dialect) -> Result<Option<i64>, BackendError> {
    let schema = match dialect {
        Dialect::Postgres => {
            "SELECT COUNT(*) FROM pg_catalog.pg_class
             WHERE oid = to_regclass('store_meta')"
        }
        Dialect::MySql => {
            "SELECT COUNT(*) FROM information_schema.tables
             WHERE table_schema = DATABASE() AND table_name = 'store_meta'"
        }
    };
    let rows = link.run(&[schema]).await?;
    let there = rows.first().map_or(Ok(0), |row| row.int(0))? > 0;
    if !there {
        return Ok(None);
    }
    let rows = link
        .run(&["SELECT v FROM store_meta WHERE k = 'schema_version'"])
        .await?;
    rows.first().map(|row| row.int(0)).transpose()
}
