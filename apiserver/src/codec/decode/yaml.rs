//! YAML bodies: what `sigs.k8s.io/yaml` makes of them.

use std::cell::RefCell;

use serde::de::DeserializeSeed;
use serde_saphyr::{DuplicateKeyPolicy, Options, Spanned};

use super::Decoded;
use super::walk::{Observer, Reader};

/// Parses one YAML document.
pub(super) fn from_yaml(body: &[u8]) -> Result<Decoded, String> {
    let mut options = Options::default();
    options.duplicate_keys = DuplicateKeyPolicy::LastWins;
    options.with_snippet = false;
    let yaml = Yaml::default();
    let value = serde_saphyr::with_deserializer_from_slice_with_options(body, options, |parser| {
        Reader(&yaml).deserialize(parser)
    })
    .map_err(|error| format!("yaml: {error}"))?;
    let lines = yaml.duplicates.into_inner();
    let complaints = if lines.is_empty() {
        Vec::new()
    } else {
        vec![format!("yaml: unmarshal errors:\n{}", lines.join("\n"))]
    };
    Ok(Decoded { value, complaints })
}

/// Complains of duplicates by their line, after it read them.
#[derive(Default)]
struct Yaml {
    duplicates: RefCell<Vec<String>>,
}

impl Observer for Yaml {
    type Key = Spanned<String>;

    fn name(key: &Spanned<String>) -> &str {
        &key.value
    }

    fn field<T>(&self, key: &Spanned<String>, repeated: bool, read: impl FnOnce() -> T) -> T {
        let value = read();
        if repeated {
            let (line, name) = (key.referenced.line(), &key.value);
            let text = format!("  line {line}: key \"{name}\" already set in map");
            self.duplicates.borrow_mut().push(text);
        }
        value
    }
}
