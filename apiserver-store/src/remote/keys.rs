//! Statements about many keys at once.
//!
//! Every key must be found by the primary key, whatever the server believes of the table's size. MySQL's family sees that in keys joined by OR.
//! PostgreSQL filters all rows of a resource with them as soon as there are some dozens; there each key is looked up by itself in a LATERAL
//! subquery, which its LIMIT keeps from being turned into a join of another kind.

use super::{
    dialect::Dialect,
    statement::{Statement, Value},
};
use crate::Key;

/// Reads `resource, namespace, name, rv, create_rv, value` of those that there are, which are about to be written, after the counter row was
/// locked. On MySQL it is a locking read, which by definition sees the newest committed rows on every engine of that family; nobody else
/// contends for them. PostgreSQL takes a new snapshot per statement, and would have to write in each row to lock it.
pub(super) fn select<'a>(dialect: Dialect, keys: impl Iterator<Item = &'a Key>) -> Statement {
    const COLUMNS: &str = "resource, namespace, name, rv, create_rv, value";
    match dialect {
        Dialect::Postgres => {
            let mut query = Statement::new("SELECT o.* FROM ");
            push_lookups(&mut query, COLUMNS, keys);
            query
        }
        Dialect::MySql => {
            let mut query = Statement::new("SELECT ");
            query.push(COLUMNS);
            query.push(" FROM store_obj WHERE ");
            push_alternatives(&mut query, keys);
            query.push(" FOR UPDATE");
            query
        }
    }
}

/// Deletes them.
pub(super) fn delete<'a>(dialect: Dialect, keys: impl Iterator<Item = &'a Key>) -> Statement {
    let mut statement = Statement::new("DELETE FROM store_obj WHERE ");
    match dialect {
        Dialect::Postgres => {
            statement.push("ctid = ANY (ARRAY(SELECT o.ctid FROM ");
            push_lookups(&mut statement, "ctid", keys);
            statement.push("))");
        }
        Dialect::MySql => push_alternatives(&mut statement, keys),
    }
    statement
}

/// A table `o` of what is found, one look per key.
fn push_lookups<'a>(statement: &mut Statement, columns: &str, keys: impl Iterator<Item = &'a Key>) {
    statement.push("(VALUES ");
    for (number, key) in keys.enumerate() {
        statement.push_row(number == 0, parts(key));
    }
    statement.push(") AS k (resource, namespace, name) CROSS JOIN LATERAL (SELECT ");
    statement.push(columns);
    statement.push(
        " FROM store_obj WHERE resource = k.resource AND namespace = k.namespace AND name = k.name LIMIT 1) AS o",
    );
}

/// Any of these keys. Spelled out, because not every optimizer sees through a list of tuples.
fn push_alternatives<'a>(statement: &mut Statement, keys: impl Iterator<Item = &'a Key>) {
    for (number, key) in keys.enumerate() {
        let [resource, namespace, name] = parts(key);
        statement.push(if number == 0 {
            "(resource = "
        } else {
            " OR (resource = "
        });
        statement.bind(resource);
        statement.push(" AND namespace = ");
        statement.bind(namespace);
        statement.push(" AND name = ");
        statement.bind(name);
        statement.push(")");
    }
}

fn parts(key: &Key) -> [Value; 3] {
    [&key.resource, &key.namespace, &key.name].map(|part| Value::Text(part.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_gets_keys_as_its_optimizer_likes_them() {
        let keys = [Key::new("foos", "a", "x"), Key::new("foos", "", "y")];
        let postgres = select(Dialect::Postgres, keys.iter()).numbered();
        assert!(postgres.contains("(VALUES ($1, $2, $3), ($4, $5, $6)) AS k"));
        let deleted = delete(Dialect::Postgres, keys.iter()).numbered();
        assert!(deleted.starts_with("DELETE FROM store_obj WHERE ctid = ANY (ARRAY(SELECT o.ctid"));
        let mysql = select(Dialect::MySql, keys.iter());
        assert!(mysql.marked().ends_with(
            "WHERE (resource = ? AND namespace = ? AND name = ?) OR (resource = ? AND namespace = ? AND name = ?) FOR UPDATE"
        ));
    }
}
