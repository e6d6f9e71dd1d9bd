//! YAML bodies: what `sigs.k8s.io/yaml` makes of them.

use std::cell::RefCell;

use serde::de::DeserializeSeed;
use serde_saphyr::{DuplicateKeyPolicy, Error, Options, Spanned};

use super::walk::{Observer, Reader};
use super::{Decoded, is_too_deep};

/// How many levels a document may have: fewer than JSON's, because the parser takes much of the stack for each.
const MAX_DEPTH: usize = 64;

/// Parses one YAML document.
pub(super) fn from_yaml(body: &[u8]) -> Result<Decoded, String> {
    let mut options = Options::default();
    options.duplicate_keys = DuplicateKeyPolicy::LastWins;
    options.with_snippet = false;
    if let Some(budget) = &mut options.budget {
        budget.max_depth = MAX_DEPTH;
    }
    let yaml = Yaml::default();
    let value = serde_saphyr::with_deserializer_from_slice_with_options(body, options, |parser| {
        Reader(&yaml).deserialize(parser)
    })
    .map_err(|error| words(&error))?;
    let lines = yaml.duplicates.into_inner();
    let complaints = if lines.is_empty() {
        Vec::new()
    } else {
        vec![format!("yaml: unmarshal errors:\n{}", lines.join("\n"))]
    };
    Ok(Decoded { value, complaints })
}

fn too_deep() -> String {
    format!("{} in YAML", super::too_deep("yaml", MAX_DEPTH))
}

/// Why the document cannot be read, for people: the parser speaks of its budgets.
fn words(error: &Error) -> String {
    use serde_saphyr::budget::BudgetBreach;
    match error.without_snippet() {
        Error::Budget { breach, .. } => match breach {
            BudgetBreach::Depth { .. } => too_deep(),
            BudgetBreach::Aliases { .. }
            | BudgetBreach::AliasAnchorRatio { .. }
            | BudgetBreach::Anchors { .. }
            | BudgetBreach::RecordedAnchorEvents { .. } => {
                "yaml: document contains excessive aliasing".to_owned()
            }
            _ => "yaml: the document is larger than this server reads".to_owned(),
        },
        other => match other.to_string() {
            why if is_too_deep(&why) => too_deep(),
            why => format!("yaml: {why}"),
        },
    }
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
