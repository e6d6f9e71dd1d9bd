//! Messages into JSON objects, as the table says.
//!
//! What becomes of a zero follows Go: its encoder writes every field that is no pointer, and JSON then leaves out those
//! with `omitempty`. A `null` counts as absent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

use super::table::{Field, Repeat, Shape, Table, Type, TypeId};
use super::wire::{Reader, Wire, WireError};

/// How deep the JSON may be nested: enough for every schema of a schema, and less than what the JSON reader takes, which
/// must read it again from the store.
pub(super) const MAX_DEPTH: usize = 100;

/// How many values an object may have. Two bytes on the wire can make one, which takes thirty times as much memory.
const MAX_VALUES: usize = 500_000;

/// Decodes one body.
pub(super) struct Decoder {
    pub(super) table: &'static Table,
    /// How many values may still come.
    left: usize,
}

impl Decoder {
    pub(super) fn new(table: &'static Table) -> Self {
        Self {
            table,
            left: MAX_VALUES,
        }
    }

    /// Adds the fields of a message to an object that stands at a depth; the outermost is at 1.
    pub(super) fn message(
        &mut self,
        id: TypeId,
        bytes: &[u8],
        depth: usize,
        object: &mut Map<String, Value>,
    ) -> Result<(), WireError> {
        if depth > MAX_DEPTH {
            return Err(WireError::TooDeep);
        }
        let Shape::Message(fields) = self.table.shape(id) else {
            return Ok(());
        };
        let mut reader = Reader::new(bytes);
        while let Some((number, wire)) = reader.field()? {
            let Ok(index) = fields.binary_search_by_key(&number, |field| field.number) else {
                continue;
            };
            let field = &fields[index];
            match field.repeat {
                Repeat::One => self.one(field, wire, depth, object)?,
                Repeat::Embedded => {
                    if let Type::Named(id) = field.of {
                        self.message(id, wire.bytes(field.name)?, depth, object)?;
                    }
                }
                Repeat::List => self.item(field, wire, depth, object)?,
                Repeat::Map => self.entry(field, wire, depth, object)?,
            }
        }
        Ok(())
    }

    /// A field that occurs once. If it occurs again, messages are merged and of other values the last one counts.
    fn one(
        &mut self,
        field: &Field,
        wire: Wire<'_>,
        depth: usize,
        object: &mut Map<String, Value>,
    ) -> Result<(), WireError> {
        if let Type::Named(id) = field.of
            && let Shape::Message(_) = self.table.shape(id)
        {
            let bytes = wire.bytes(field.name)?;
            self.count()?;
            let slot = object
                .entry(field.name)
                .or_insert_with(|| Value::Object(Map::new()));
            return match slot {
                Value::Object(inner) => self.message(id, bytes, depth + 1, inner),
                _ => Ok(()),
            };
        }
        let value = self.value(field, wire, depth + 1)?;
        if value.is_null() || (is_zero(field.of, &value) && !field.keep_zero) {
            object.remove(field.name);
        } else {
            object.insert(field.name.to_owned(), value);
        }
        Ok(())
    }

    fn item(
        &mut self,
        field: &Field,
        wire: Wire<'_>,
        depth: usize,
        object: &mut Map<String, Value>,
    ) -> Result<(), WireError> {
        let mut items = Vec::new();
        match (field.of, wire) {
            (Type::Bool | Type::Int32 | Type::Int64, Wire::Bytes(packed)) => {
                let mut packed = Reader::new(packed);
                while let Some(number) = packed.packed()? {
                    items.push(self.value(field, Wire::Varint(number), depth + 2)?);
                }
            }
            _ => items.push(self.value(field, wire, depth + 2)?),
        }
        let slot = object
            .entry(field.name)
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = slot {
            list.append(&mut items);
        }
        Ok(())
    }

    fn entry(
        &mut self,
        field: &Field,
        wire: Wire<'_>,
        depth: usize,
        object: &mut Map<String, Value>,
    ) -> Result<(), WireError> {
        let mut reader = Reader::new(wire.bytes(field.name)?);
        let (mut key, mut value) = ("", None);
        while let Some((number, wire)) = reader.field()? {
            match number {
                1 => key = wire.text(field.name)?,
                2 => value = Some(self.value(field, wire, depth + 2)?),
                _ => {}
            }
        }
        let value = match value {
            Some(value) => value,
            None => self.value(field, zero(field.of), depth + 2)?,
        };
        let slot = object
            .entry(field.name)
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(map) = slot {
            map.insert(key.to_owned(), value);
        }
        Ok(())
    }

    /// One value of a field's type, at a depth.
    pub(super) fn value(
        &mut self,
        field: &Field,
        wire: Wire<'_>,
        depth: usize,
    ) -> Result<Value, WireError> {
        self.count()?;
        let name = field.name;
        Ok(match field.of {
            Type::String => wire.text(name)?.into(),
            Type::Bytes => STANDARD.encode(wire.bytes(name)?).into(),
            Type::Bool => (wire.varint(name)? != 0).into(),
            // Go, too, keeps the lower 32 bits.
            Type::Int32 => (wire.varint(name)? as i32).into(),
            Type::Int64 => (wire.varint(name)? as i64).into(),
            Type::Double => double(wire.double(name)?).ok_or(WireError::Unwritable(name))?,
            Type::Named(id) => {
                let bytes = wire.bytes(name)?;
                match self.table.shape(id) {
                    Shape::Message(_) => self.object(id, bytes, depth)?,
                    Shape::Form(form) => self.form(*form, name, bytes, depth)?,
                }
            }
        })
    }

    /// A message as an object of its own.
    pub(super) fn object(
        &mut self,
        id: TypeId,
        bytes: &[u8],
        depth: usize,
    ) -> Result<Value, WireError> {
        let mut object = Map::new();
        self.message(id, bytes, depth, &mut object)?;
        Ok(Value::Object(object))
    }

    /// Counts a value.
    pub(super) fn count(&mut self) -> Result<(), WireError> {
        self.left = self.left.checked_sub(1).ok_or(WireError::TooLarge)?;
        Ok(())
    }
}

/// What stands for a value that is not there.
fn zero(of: Type) -> Wire<'static> {
    match of {
        Type::String | Type::Bytes | Type::Named(_) => Wire::Bytes(b""),
        Type::Bool | Type::Int32 | Type::Int64 => Wire::Varint(0),
        Type::Double => Wire::Fixed64(0),
    }
}

fn is_zero(of: Type, value: &Value) -> bool {
    match value {
        _ if matches!(of, Type::Named(_)) => false,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// As Go writes it: whole numbers without a fraction.
fn double(number: f64) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        return Some((number as i64).into());
    }
    Number::from_f64(number).map(Value::Number)
}
