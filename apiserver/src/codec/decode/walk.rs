//! The walk through a document of any format that notices fields given twice.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// What a format does with fields that are given twice.
pub(super) trait Observer {
    /// A field's name as the format's parser gives it.
    type Key: for<'de> Deserialize<'de>;

    /// The name alone.
    fn name(key: &Self::Key) -> &str;

    /// Reads a field's value with `read`; `repeated` if the object had that field already.
    fn field<T>(&self, key: &Self::Key, repeated: bool, read: impl FnOnce() -> T) -> T;

    /// Reads an item of a list with `read`.
    fn item<T>(&self, index: usize, read: impl FnOnce() -> T) -> T {
        let _ = index;
        read()
    }
}

/// Reads a document as JSON. Of a field that is given twice the last value counts, at the place of the first.
pub(super) struct Reader<'a, F>(pub(super) &'a F);

impl<F> Clone for Reader<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Reader<'_, F> {}

impl<'de, F: Observer> DeserializeSeed<'de> for Reader<'_, F> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: Observer> Visitor<'de> for Reader<'_, F> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
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
            let next = self.0.item(list.len(), || items.next_element_seed(self))?;
            match next {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<F::Key>()? {
            let repeated = map.contains_key(F::name(&key));
            let read = || entries.next_value_seed(self);
            let value = self.0.field(&key, repeated, read)?;
            map.insert(F::name(&key).to_owned(), value);
        }
        Ok(Value::Object(map))
    }
}
