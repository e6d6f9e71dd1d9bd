//! A JSON reader that notices duplicate fields and knows their paths, as `sigs.k8s.io/json` does.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::Decoded;

/// Upstream reports no more than this many strict errors.
const MAX_COMPLAINTS: usize = 100;

/// Parses JSON; trailing characters are an error.
pub(super) fn from_json(body: &[u8]) -> Result<Decoded, String> {
    let reader = Reader::default();
    let mut parser = serde_json::Deserializer::from_slice(body);
    let value = reader
        .deserialize(&mut parser)
        .and_then(|value| parser.end().map(|()| value))
        .map_err(|error| error.to_string())?;
    Ok(Decoded {
        value,
        complaints: reader.complaints.into_inner(),
    })
}

#[derive(Default)]
struct Reader {
    path: RefCell<String>,
    complaints: RefCell<Vec<String>>,
}

impl Reader {
    /// Reads a value with a step appended to the path.
    fn inside<T>(&self, step: impl FnOnce(&mut String), read: impl FnOnce() -> T) -> T {
        let length = self.path.borrow().len();
        step(&mut self.path.borrow_mut());
        let result = read();
        self.path.borrow_mut().truncate(length);
        result
    }

    fn duplicate(&self, key: &str) {
        let mut complaints = self.complaints.borrow_mut();
        if complaints.len() < MAX_COMPLAINTS {
            let path = self.path.borrow();
            let dot = if path.is_empty() { "" } else { "." };
            complaints.push(format!("duplicate field \"{path}{dot}{key}\""));
        }
    }
}

impl<'de> DeserializeSeed<'de> for &Reader {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let step = |path: &mut String| path.push_str(&format!("[{}]", list.len()));
            match self.inside(step, || items.next_element_seed(self))? {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                self.duplicate(&key);
            }
            let step = |path: &mut String| {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&key);
            };
            let value = self.inside(step, || entries.next_value_seed(self))?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
