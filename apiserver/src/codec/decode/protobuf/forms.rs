//! Types whose JSON is not that of their fields.

use jiff::Timestamp;
use serde_json::Value;

use super::message::{Decoder, MAX_DEPTH};
use super::table::{Form, TypeId};
use super::wire::{Reader, WireError};

/// The seconds of Go's zero time, the beginning of the year 1, which JSON has as `null`.
const ZERO_TIME: i64 = -62_135_596_800;

impl Decoder {
    /// A value of a type with a form of its own, at a depth. `field` is what errors name.
    pub(super) fn form(
        &mut self,
        form: Form,
        field: &'static str,
        bytes: &[u8],
        depth: usize,
    ) -> Result<Value, WireError> {
        match form {
            Form::Time => time(field, bytes, false),
            Form::MicroTime => time(field, bytes, true),
            Form::Quantity => quantity(field, bytes),
            Form::IntOrString => int_or_string(field, bytes),
            Form::Json => json(field, bytes, depth),
            Form::Strings => self.strings(field, bytes, 1).map(Value::Array),
            Form::SchemaOrArray(schema) => self.schema_or_array(schema, field, bytes, depth),
            Form::SchemaOrBool(schema) => self.schema_or_bool(schema, field, bytes, depth),
            Form::SchemaOrStrings(schema) => {
                let list = self.strings(field, bytes, 2)?;
                match list.is_empty() {
                    true => Ok(self
                        .schema(schema, field, bytes, 1, depth)?
                        .unwrap_or_default()),
                    false => Ok(Value::Array(list)),
                }
            }
        }
    }

    /// All values of one field of strings.
    fn strings(
        &mut self,
        field: &'static str,
        bytes: &[u8],
        wanted: u32,
    ) -> Result<Vec<Value>, WireError> {
        let mut list = Vec::new();
        let mut reader = Reader::new(bytes);
        while let Some((number, wire)) = reader.field()? {
            if number == wanted {
                self.count()?;
                list.push(wire.text(field)?.into());
            }
        }
        Ok(list)
    }

    fn schema_or_array(
        &mut self,
        schema: TypeId,
        field: &'static str,
        bytes: &[u8],
        depth: usize,
    ) -> Result<Value, WireError> {
        let mut list = Vec::new();
        let mut reader = Reader::new(bytes);
        while let Some((number, wire)) = reader.field()? {
            if number == 2 {
                self.count()?;
                list.push(self.object(schema, wire.bytes(field)?, depth + 1)?);
            }
        }
        match list.is_empty() {
            true => Ok(self
                .schema(schema, field, bytes, 1, depth)?
                .unwrap_or_default()),
            false => Ok(Value::Array(list)),
        }
    }

    fn schema_or_bool(
        &mut self,
        schema: TypeId,
        field: &'static str,
        bytes: &[u8],
        depth: usize,
    ) -> Result<Value, WireError> {
        let mut allows = false;
        let mut reader = Reader::new(bytes);
        while let Some((number, wire)) = reader.field()? {
            if number == 1 {
                allows = wire.varint(field)? != 0;
            }
        }
        let schema = self.schema(schema, field, bytes, 2, depth)?;
        Ok(schema.unwrap_or(Value::Bool(allows)))
    }

    /// The schema in a field, if it is there.
    fn schema(
        &mut self,
        schema: TypeId,
        field: &'static str,
        bytes: &[u8],
        wanted: u32,
        depth: usize,
    ) -> Result<Option<Value>, WireError> {
        let mut found = None;
        let mut reader = Reader::new(bytes);
        while let Some((number, wire)) = reader.field()? {
            if number == wanted {
                found = Some(self.object(schema, wire.bytes(field)?, depth)?);
            }
        }
        Ok(found)
    }
}

/// Seconds and nanoseconds. As in Go, a `Time` has whole seconds and a `MicroTime` whole microseconds.
fn time(field: &'static str, bytes: &[u8], micro: bool) -> Result<Value, WireError> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let (mut seconds, mut nanos) = (0_i64, 0_i32);
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.field()? {
        match number {
            1 => seconds = wire.varint(field)? as i64,
            2 => nanos = wire.varint(field)? as i32,
            _ => {}
        }
    }
    let nanos = match micro {
        true => nanos - nanos % 1000,
        false => 0,
    };
    if seconds == ZERO_TIME && nanos == 0 {
        return Ok(Value::Null);
    }
    let time = Timestamp::new(seconds, nanos).map_err(|_| WireError::Unwritable(field))?;
    // What RFC 3339 can write.
    let years = time.strftime("%Y").to_string();
    if years.len() != 4 {
        return Err(WireError::Unwritable(field));
    }
    Ok(match micro {
        true => format!("{time:.6}"),
        false => format!("{time:.0}"),
    }
    .into())
}

fn quantity(field: &'static str, bytes: &[u8]) -> Result<Value, WireError> {
    let mut found = "0";
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.field()? {
        if number == 1 {
            found = wire.text(field)?;
        }
    }
    Ok(found.into())
}

fn int_or_string(field: &'static str, bytes: &[u8]) -> Result<Value, WireError> {
    let (mut is_string, mut number_value, mut string_value) = (false, 0_i32, "");
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.field()? {
        match number {
            1 => is_string = wire.varint(field)? == 1,
            2 => number_value = wire.varint(field)? as i32,
            3 => string_value = wire.text(field)?,
            _ => {}
        }
    }
    Ok(match is_string {
        true => string_value.into(),
        false => number_value.into(),
    })
}

fn json(field: &'static str, bytes: &[u8], depth: usize) -> Result<Value, WireError> {
    let mut raw = &b""[..];
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.field()? {
        if number == 1 {
            raw = wire.bytes(field)?;
        }
    }
    if raw.is_empty() {
        return Ok(Value::Null);
    }
    let value: Value =
        serde_json::from_slice(raw).map_err(|error| WireError::InvalidJson(error.to_string()))?;
    match depth + nesting(&value) > MAX_DEPTH {
        true => Err(WireError::TooDeep),
        false => Ok(value),
    }
}

/// How deep a value is nested: 0 for a scalar. The reader's own limit bounds the recursion.
fn nesting(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(nesting).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(nesting).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
