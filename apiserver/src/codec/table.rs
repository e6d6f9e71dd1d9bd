//! Tables: what `kubectl get` prints, computed by the server.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::jsonpath::JsonPath;
use super::negotiate::Include;
use super::partial::partial;
use super::since;
use crate::kinds::{Cell, Column, KindVersion};

/// How cells are got, parsed once for all rows.
pub(super) struct Printer {
    columns: Vec<(Column, Source)>,
}

enum Source {
    Path(Option<JsonPath>),
    Computed(fn(&Value, Timestamp) -> Value),
}

impl Printer {
    /// The printer of a version: its columns, or `NAME` and `AGE` if it has none.
    pub(super) fn new(version: &KindVersion) -> Self {
        let columns = if version.columns.is_empty() {
            default_columns()
        } else {
            version.columns.clone()
        };
        let columns = columns
            .into_iter()
            .map(|column| {
                let source = match &column.cell {
                    // A path that does not parse was refused with its CRD; should one be stored, its column stays empty.
                    Cell::Path(path) => Source::Path(JsonPath::parse(path).ok()),
                    Cell::Computed(function) => Source::Computed(*function),
                };
                (column, source)
            })
            .collect();
        Self { columns }
    }

    /// `columnDefinitions`.
    pub(super) fn definitions(&self) -> Value {
        self.columns
            .iter()
            .map(|(column, _)| {
                json!({
                    "name": column.name,
                    "type": column.column_type,
                    "format": column.format,
                    "description": column.description,
                    "priority": column.priority,
                })
            })
            .collect()
    }

    /// One row; `api_version` is that of the Table.
    pub(super) fn row(
        &self,
        object: &Value,
        include: Include,
        api_version: &str,
        now: Timestamp,
    ) -> Value {
        let cells: Vec<Value> = self
            .columns
            .iter()
            .map(|(column, source)| match source {
                Source::Computed(function) => function(object, now),
                Source::Path(path) => cell(column, path.as_ref(), object, now),
            })
            .collect();
        let mut row = json!({"cells": cells});
        match include {
            Include::None => row["object"] = Value::Null,
            Include::Metadata => row["object"] = partial(object, api_version),
            Include::Object => row["object"] = object.clone(),
        }
        row
    }
}

/// The whole Table around rows; `definitions` only where headings are due.
pub(super) fn table(
    api_version: &str,
    metadata: &Value,
    definitions: Option<Value>,
    rows: Vec<Value>,
) -> Value {
    json!({
        "kind": "Table",
        "apiVersion": api_version,
        "metadata": metadata,
        "columnDefinitions": definitions.unwrap_or_default(),
        "rows": rows,
    })
}

fn default_columns() -> Vec<Column> {
    let column =
        |name: &str, column_type: &str, format: &str, description: &str, path: &str| Column {
            name: name.to_owned(),
            column_type: column_type.to_owned(),
            format: format.to_owned(),
            description: description.to_owned(),
            priority: 0,
            cell: Cell::Path(path.to_owned()),
        };
    vec![
        column(
            "Name",
            "string",
            "name",
            "Name must be unique within a namespace.",
            ".metadata.name",
        ),
        column(
            "Age",
            "date",
            "",
            "CreationTimestamp is a timestamp representing the server time when this object was created.",
            ".metadata.creationTimestamp",
        ),
    ]
}

/// A cell by path, as `k8s.io/apiextensions-apiserver/pkg/registry/customresource/tableconvertor` makes it.
fn cell(column: &Column, path: Option<&JsonPath>, object: &Value, now: Timestamp) -> Value {
    let Some(path) = path else { return Value::Null };
    let found = path.find(object);
    let Some(first) = found.first() else {
        return Value::Null;
    };
    match column.column_type.as_str() {
        "integer" => match first {
            Value::Number(number) if number.is_i64() || number.is_u64() => (*first).clone(),
            Value::Number(number) => number
                .as_f64()
                .map_or(Value::Null, |f| Value::from(f.trunc() as i64)),
            _ => Value::Null,
        },
        "number" => match first {
            Value::Number(_) => (*first).clone(),
            _ => Value::Null,
        },
        "boolean" => match first {
            Value::Bool(_) => (*first).clone(),
            _ => Value::Null,
        },
        "date" => match first {
            Value::String(time) => since(time, now).into(),
            _ => "<unknown>".into(),
        },
        // Only the first, as upstream: these paths are meant to lead to one value.
        _ => text(first).into(),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
