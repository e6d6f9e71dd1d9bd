//! A JSON reader that notices duplicate fields and knows their paths, as `sigs.k8s.io/json` does.

use std::cell::RefCell;

use serde::de::DeserializeSeed;

use super::walk::{Observer, Reader};
use super::{Decoded, is_too_deep, too_deep};
use crate::object::MAX_DEPTH;

/// Upstream reports no more than this many strict errors.
const MAX_COMPLAINTS: usize = 100;

/// Parses JSON; trailing characters are an error.
pub(super) fn from_json(body: &[u8]) -> Result<Decoded, String> {
    let json = Json::default();
    let mut parser = serde_json::Deserializer::from_slice(body);
    let value = Reader(&json)
        .deserialize(&mut parser)
        .and_then(|value| parser.end().map(|()| value))
        .map_err(|error| match error.to_string() {
            why if is_too_deep(&why) => too_deep("json", MAX_DEPTH),
            why => why,
        })?;
    Ok(Decoded {
        value,
        complaints: json.complaints.into_inner(),
    })
}

/// Complains of duplicates by their path, before it reads them.
#[derive(Default)]
struct Json {
    path: RefCell<String>,
    complaints: RefCell<Vec<String>>,
}

impl Json {
    /// Reads a value with a step appended to the path.
    fn inside<T>(&self, step: impl FnOnce(&mut String), read: impl FnOnce() -> T) -> T {
        let length = self.path.borrow().len();
        step(&mut self.path.borrow_mut());
        let result = read();
        self.path.borrow_mut().truncate(length);
        result
    }

    fn duplicate(&self) {
        let mut complaints = self.complaints.borrow_mut();
        if complaints.len() < MAX_COMPLAINTS {
            complaints.push(format!("duplicate field \"{}\"", self.path.borrow()));
        }
    }
}

impl Observer for Json {
    type Key = String;

    fn name(key: &String) -> &str {
        key
    }

    fn field<T>(&self, key: &String, repeated: bool, read: impl FnOnce() -> T) -> T {
        let step = |path: &mut String| {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(key);
        };
        self.inside(step, || {
            if repeated {
                self.duplicate();
            }
            read()
        })
    }

    fn item<T>(&self, index: usize, read: impl FnOnce() -> T) -> T {
        self.inside(|path| path.push_str(&format!("[{index}]")), read)
    }
}
