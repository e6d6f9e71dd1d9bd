//! One statement with its values, in a form that each driver can be given.
//!
//! The text is written once, with a `?` where a value goes. Everything that came from outside is a value.

use std::fmt::Write;

/// A value of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Int(Option<i64>),
    Text(String),
    Blob(Option<Vec<u8>>),
}

/// SQL text and the values for its marks, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Statement {
    text: String,
    pub(super) values: Vec<Value>,
}

impl Statement {
    /// Starts with a piece of SQL, which must not hold a `?`.
    pub(super) fn new(sql: &str) -> Self {
        Self {
            text: sql.to_owned(),
            values: Vec::new(),
        }
    }

    pub(super) fn sql(mut self, sql: &str) -> Self {
        self.push(sql);
        self
    }

    pub(super) fn int(mut self, value: i64) -> Self {
        self.bind(Value::Int(Some(value)));
        self
    }

    pub(super) fn text(mut self, value: &str) -> Self {
        self.bind(Value::Text(value.to_owned()));
        self
    }

    pub(super) fn push(&mut self, sql: &str) {
        debug_assert!(!sql.contains('?'), "marks come from values");
        self.text.push_str(sql);
    }

    pub(super) fn bind(&mut self, value: Value) {
        self.text.push('?');
        self.values.push(value);
    }

    /// `(?, ?, ?)` with these values; a comma before it unless it is the first.
    pub(super) fn push_row(&mut self, first: bool, values: impl IntoIterator<Item = Value>) {
        self.push(if first { "(" } else { ", (" });
        for (column, value) in values.into_iter().enumerate() {
            if column > 0 {
                self.push(", ");
            }
            self.bind(value);
        }
        self.push(")");
    }

    /// The text with `?` marks, as MySQL reads it.
    pub(super) fn marked(&self) -> &str {
        &self.text
    }

    /// The text with `$1`, `$2`, … as PostgreSQL reads it.
    pub(super) fn numbered(&self) -> String {
        let mut numbered = String::with_capacity(self.text.len() + 3 * self.values.len());
        for (number, piece) in self.text.split('?').enumerate() {
            if number > 0 {
                // Writing to a string cannot fail.
                let _ = write!(numbered, "${number}");
            }
            numbered.push_str(piece);
        }
        numbered
    }

    /// The text with the values in it, for servers that do not prepare statements. Bytes are written in
    /// hexadecimal, so nothing in them can be taken for SQL.
    pub(super) fn literal(&self) -> String {
        let mut literal = String::with_capacity(self.text.len());
        let mut values = self.values.iter();
        for (number, piece) in self.text.split('?').enumerate() {
            if number > 0 {
                match values.next() {
                    Some(Value::Int(Some(int))) => {
                        let _ = write!(literal, "{int}");
                    }
                    Some(Value::Text(text)) => push_hex(&mut literal, text.as_bytes()),
                    Some(Value::Blob(Some(blob))) => push_hex(&mut literal, blob),
                    Some(Value::Int(None) | Value::Blob(None)) | None => literal.push_str("NULL"),
                }
            }
            literal.push_str(piece);
        }
        literal
    }
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    text.reserve(2 * bytes.len() + 3);
    text.push_str("x'");
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
    text.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_statement_in_three_forms() {
        let mut statement = Statement::new("INSERT INTO t (a, b, c) VALUES ");
        let row = |text: &str, blob| {
            [
                Value::Int(Some(-1)),
                Value::Text(text.into()),
                Value::Blob(blob),
            ]
        };
        statement.push_row(true, row("a'b?", Some(vec![0, 255])));
        statement.push_row(false, row("", None));
        let statement = statement.sql(" LIMIT ").int(5);
        assert_eq!(
            statement.marked(),
            "INSERT INTO t (a, b, c) VALUES (?, ?, ?), (?, ?, ?) LIMIT ?"
        );
        assert_eq!(
            statement.numbered(),
            "INSERT INTO t (a, b, c) VALUES ($1, $2, $3), ($4, $5, $6) LIMIT $7"
        );
        assert_eq!(
            statement.literal(),
            "INSERT INTO t (a, b, c) VALUES (-1, x'6127623f', x'00ff'), (-1, x'', NULL) LIMIT 5"
        );
    }
}
