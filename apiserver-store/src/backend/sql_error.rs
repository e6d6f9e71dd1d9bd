//! What databases and their driver report, in the store's words.

use sqlx::{mysql::MySqlDatabaseError, postgres::PgDatabaseError};

use super::{BackendError, Problem};

impl From<sqlx::Error> for BackendError {
    fn from(error: sqlx::Error) -> Self {
        BackendError::new(problem(&error), error)
    }
}

fn problem(error: &sqlx::Error) -> Problem {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => Problem::Io,
        sqlx::Error::PoolTimedOut => Problem::Busy,
        sqlx::Error::PoolClosed => Problem::Closed,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Problem::Damaged,
        sqlx::Error::Database(database) => {
            if let Some(postgres) = database.try_downcast_ref::<PgDatabaseError>() {
                of_postgres(postgres.code())
            } else if let Some(mysql) = database.try_downcast_ref::<MySqlDatabaseError>() {
                of_mysql(mysql.number())
            } else {
                let code = database.code().and_then(|code| code.parse::<i32>().ok());
                code.map_or(Problem::Other, of_sqlite)
            }
        }
        _ => Problem::Other,
    }
}

/// The kind of trouble that SQLite's primary result code stands for (<https://sqlite.org/rescode.html>).
fn of_sqlite(code: i32) -> Problem {
    match code & 0xff {
        5 | 6 => Problem::Busy,
        8 => Problem::ReadOnly,
        10 | 14 => Problem::Io,
        11 | 26 => Problem::Damaged,
        13 => Problem::Full,
        _ => Problem::Other,
    }
}

/// The kind of trouble that an SQLSTATE of PostgreSQL stands for
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn of_postgres(code: &str) -> Problem {
    match code {
        "53100" => Problem::Full,
        "25006" => Problem::ReadOnly,
        "40001" | "40P01" | "55P03" | "57014" | "53300" | "53400" => Problem::Busy,
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "58030" => Problem::Io,
        "XX001" | "XX002" => Problem::Damaged,
        _ if code.starts_with("08") => Problem::Io,
        _ => Problem::Other,
    }
}

/// The kind of trouble that an error number of MySQL or MariaDB stands for
/// (<https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html>).
fn of_mysql(number: u16) -> Problem {
    match number {
        1021 | 1114 => Problem::Full,
        1290 | 1792 | 1836 | 3100 => Problem::ReadOnly,
        1040 | 1203 | 1205 | 1213 | 1317 | 1226 | 3024 => Problem::Busy,
        // Shutdown, lost connections, a Galera node that is not in a quorum, a kill.
        1047 | 1053 | 1152 | 1154..=1161 | 1184 | 1927 | 2006 | 2013 => Problem::Io,
        126 | 127 | 1034 | 1035 | 1194 | 1712 => Problem::Damaged,
        _ => Problem::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_words_that_someone_can_act_on() {
        assert_eq!(of_sqlite(13), Problem::Full);
        assert_eq!(of_sqlite(2570), Problem::Io);
        assert_eq!(of_postgres("53100"), Problem::Full);
        assert_eq!(of_postgres("08006"), Problem::Io);
        assert_eq!(of_postgres("42P01"), Problem::Other);
        assert_eq!(of_mysql(1213), Problem::Busy);
        assert_eq!(of_mysql(1836), Problem::ReadOnly);
        assert_eq!(of_mysql(1146), Problem::Other);
        // A packet that is too big is too big on the next connection as well.
        assert_eq!(of_mysql(1153), Problem::Other);
    }
}
