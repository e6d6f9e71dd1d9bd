//! One scalar out of serialised JSON, without building the rest.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The scalar at a path of field names, in the text that field selectors compare: strings as they are, numbers and
/// booleans in decimal. `None` if it is absent, null, or not a scalar.
pub fn pick(bytes: &[u8], path: &[String]) -> Option<String> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    Walk { path }.deserialize(&mut deserializer).ok().flatten()
}

struct Walk<'a> {
    path: &'a [String],
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Walk<'_> {
    fn scalar(&self, text: impl fmt::Display) -> Option<String> {
        self.path.is_empty().then(|| text.to_string())
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        let Some((head, rest)) = self.path.split_first() else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(None);
        };
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if *key == **head {
                found = map.next_value_seed(Walk { path: rest })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(self.scalar(value))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(self.scalar(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(self.scalar(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(self.scalar(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(self.scalar(value))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_scalars_only() {
        let json = br#"{"a":{"b\"c":1,"d":"x","e":[1,{"d":2}],"f":null,"g":true,"h":{}},"d":"y"}"#;
        let at = |path: &str| {
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            pick(json, &path)
        };
        assert_eq!(at("a.d").as_deref(), Some("x"));
        assert_eq!(at("d").as_deref(), Some("y"));
        assert_eq!(at("a.g").as_deref(), Some("true"));
        assert_eq!(at("a.b\"c").as_deref(), Some("1"));
        for absent in ["a", "a.e", "a.f", "a.h", "a.h.x", "a.d.x", "z", "a.e.d"] {
            assert_eq!(at(absent), None, "{absent}");
        }
        assert_eq!(pick(b"nonsense", &["a".to_owned()]), None);
    }
}
