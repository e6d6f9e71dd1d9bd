//! The table of messages, compiled into the program as text and parsed when the first Protobuf body arrives.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// One message a line: type name, kinds, fields. See `xtask`'s generator `protobuf`.
static TEXT: &str = include_str!("../../../../data/protobuf/messages.tsv");

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(TEXT).unwrap_or_default());

/// A type by its place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TypeId(usize);

/// All types.
#[derive(Debug, Default)]
pub(super) struct Table {
    shapes: Vec<Shape>,
    kinds: BTreeMap<&'static str, TypeId>,
}

/// How a type is written.
#[derive(Debug)]
pub(super) enum Shape {
    /// Its fields, by ascending number.
    Message(Vec<Field>),
    Form(Form),
}

/// Types whose JSON is not that of their fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Time,
    MicroTime,
    Quantity,
    IntOrString,
    /// JSON, in bytes.
    Json,
    /// A list of strings.
    Strings,
    /// `JSONSchemaPropsOrArray`, of schemas of this type; the others likewise.
    SchemaOrArray(TypeId),
    SchemaOrBool(TypeId),
    SchemaOrStrings(TypeId),
}

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    /// Its name in JSON.
    pub(super) name: &'static str,
    pub(super) repeat: Repeat,
    pub(super) of: Type,
    /// Zero is written, too.
    pub(super) keep_zero: bool,
}

/// How often a field occurs, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    One,
    /// Its fields belong to the object around it.
    Embedded,
    List,
    /// Entries with string keys.
    Map,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    String,
    Bytes,
    Bool,
    Int32,
    Int64,
    Double,
    Named(TypeId),
}

impl Table {
    /// The table that is compiled in.
    pub(super) fn get() -> &'static Self {
        &TABLE
    }

    /// The type of a kind, given as `apps/v1/Deployment`. `DeleteOptions` belong to every group and version.
    pub(super) fn kind(&self, api_version: &str, kind: &str) -> Option<TypeId> {
        let api_version = match kind {
            "DeleteOptions" => "v1",
            _ => api_version,
        };
        let key = format!("{api_version}/{kind}");
        self.kinds.get(key.as_str()).copied()
    }

    /// All kinds.
    #[cfg(test)]
    pub(super) fn kinds(&self) -> Vec<(&'static str, TypeId)> {
        self.kinds.iter().map(|(kind, id)| (*kind, *id)).collect()
    }

    /// How a type is written.
    pub(super) fn shape(&self, id: TypeId) -> &Shape {
        &self.shapes[id.0]
    }

    fn parse(text: &'static str) -> Option<Self> {
        let rows: Vec<[&str; 3]> = text
            .lines()
            .map(|line| {
                let mut cells = line.split('\t');
                Some([cells.next()?, cells.next()?, cells.next()?])
            })
            .collect::<Option<_>>()?;
        let names: BTreeMap<&str, TypeId> = (0..)
            .map(TypeId)
            .zip(&rows)
            .map(|(id, row)| (row[0], id))
            .collect();
        let mut table = Self::default();
        for (id, [name, kinds, body]) in rows.iter().enumerate() {
            let package = &name[..name.rfind('.')?];
            let resolve = |name: &str| match name.starts_with('.') {
                true => names.get(format!("{package}{name}").as_str()).copied(),
                false => names.get(name).copied(),
            };
            let kinds = kinds.split(',').filter(|kind| !kind.is_empty());
            table.kinds.extend(kinds.map(|kind| (kind, TypeId(id))));
            table.shapes.push(match body.strip_prefix('=') {
                Some(form) => Shape::Form(self::form(form, resolve)?),
                None => Shape::Message(fields(body, resolve)?),
            });
        }
        Some(table)
    }
}

fn form(name: &str, resolve: impl Fn(&str) -> Option<TypeId>) -> Option<Form> {
    let schema = || resolve(".JSONSchemaProps");
    Some(match name {
        "time" => Form::Time,
        "microTime" => Form::MicroTime,
        "quantity" => Form::Quantity,
        "intOrString" => Form::IntOrString,
        "json" => Form::Json,
        "strings" => Form::Strings,
        "schemaOrArray" => Form::SchemaOrArray(schema()?),
        "schemaOrBool" => Form::SchemaOrBool(schema()?),
        "schemaOrStrings" => Form::SchemaOrStrings(schema()?),
        _ => return None,
    })
}

fn fields(body: &'static str, resolve: impl Fn(&str) -> Option<TypeId>) -> Option<Vec<Field>> {
    let one = |text: &'static str| {
        let mut parts = text.split(':');
        let number = parts.next()?.parse().ok()?;
        let (name, marked) = (parts.next()?, parts.next()?);
        let of = marked.trim_start_matches(['*', '%', '+', '?', '!']);
        let mark = &marked[..marked.len() - of.len()];
        Some(Field {
            number,
            name,
            repeat: match mark {
                "*" => Repeat::List,
                "%" => Repeat::Map,
                "+" => Repeat::Embedded,
                _ => Repeat::One,
            },
            of: match of {
                "s" => Type::String,
                "b" => Type::Bytes,
                "t" => Type::Bool,
                "i" => Type::Int32,
                "l" => Type::Int64,
                "d" => Type::Double,
                name => Type::Named(resolve(name)?),
            },
            keep_zero: matches!(mark, "?" | "!"),
        })
    };
    body.split(' ')
        .filter(|text| !text.is_empty())
        .map(one)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{BuiltinHooks, Plain, builtin_rows};
    use std::sync::Arc;

    #[test]
    fn the_table_parses_and_its_fields_are_in_order() {
        let table = Table::parse(TEXT).unwrap();
        assert_eq!(table.shapes.len(), TEXT.lines().count());
        for shape in &table.shapes {
            if let Shape::Message(fields) = shape {
                assert!(
                    fields.is_sorted_by(|a, b| a.number < b.number),
                    "{fields:?}"
                );
                let embedded = fields.iter().filter(|f| f.repeat == Repeat::Embedded);
                assert!(embedded.into_iter().all(|f| matches!(f.of, Type::Named(_))));
            }
        }
    }

    #[test]
    fn every_served_kind_has_a_message() {
        let rows = builtin_rows(BuiltinHooks {
            strategy: |_, _| Arc::new(Plain),
            columns: |_, _| Vec::new(),
        });
        for kind in rows {
            let api_version = kind.api_version(&kind.versions[0].name);
            let id = Table::get().kind(&api_version, &kind.kind);
            assert!(id.is_some(), "{api_version} {}", kind.kind);
        }
        assert!(Table::get().kind("apps/v1", "DeleteOptions").is_some());
        assert!(Table::get().kind("v1", "Nonsense").is_none());
    }
}
