//! Which of the names that a CRD wants it gets (`apiextensions-apiserver/pkg/controller/status/naming_controller.go`).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::definition::{text, texts};
use crate::kinds::Kind;

/// Names that others in a group hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClaimedNames {
    resources: BTreeSet<String>,
    kinds: BTreeSet<String>,
}

impl ClaimedNames {
    /// Adds the names that a CRD holds.
    pub(crate) fn add(&mut self, accepted: &AcceptedNames) {
        self.resources
            .extend([accepted.plural.clone(), accepted.singular.clone()]);
        self.resources.extend(accepted.short_names.iter().cloned());
        self.kinds
            .extend([accepted.kind.clone(), accepted.list_kind.clone()]);
    }

    fn add_row(&mut self, row: &Kind) {
        self.resources
            .extend([row.plural.to_string(), row.singular.to_string()]);
        self.resources.extend(row.short_names.iter().cloned());
        self.kinds
            .extend([row.kind.to_string(), row.list_kind.to_string()]);
    }
}

/// The names of the built-in kinds of a group, which no CRD may take.
pub(crate) fn claimed_names<'a>(rows: impl Iterator<Item = &'a Kind>) -> ClaimedNames {
    let mut claimed = ClaimedNames::default();
    rows.for_each(|row| claimed.add_row(row));
    claimed
}

/// The names under which a CRD is served: `status.acceptedNames`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptedNames {
    /// Plural resource name.
    pub plural: String,
    /// Singular resource name.
    pub singular: String,
    /// Short names.
    pub short_names: Vec<String>,
    /// Kind.
    pub kind: String,
    /// Kind of lists.
    pub list_kind: String,
    /// Categories.
    pub categories: Vec<String>,
}

impl AcceptedNames {
    /// From `spec.names` or `status.acceptedNames`.
    pub fn parse(names: &Value) -> Self {
        Self {
            plural: text(names, &["plural"]).to_owned(),
            singular: text(names, &["singular"]).to_owned(),
            short_names: texts(names, &["shortNames"]),
            kind: text(names, &["kind"]).to_owned(),
            list_kind: text(names, &["listKind"]).to_owned(),
            categories: texts(names, &["categories"]),
        }
    }

    /// As JSON, without what is empty (plural and kind are always there).
    pub fn to_value(&self) -> Value {
        let mut out = json!({"plural": self.plural, "kind": self.kind});
        for (key, one) in [("singular", &self.singular), ("listKind", &self.list_kind)] {
            if !one.is_empty() {
                out[key] = one.as_str().into();
            }
        }
        for (key, many) in [
            ("shortNames", &self.short_names),
            ("categories", &self.categories),
        ] {
            if !many.is_empty() {
                out[key] = json!(many);
            }
        }
        out
    }
}

/// Why a CRD does not get all its names: reason and message of its condition `NamesAccepted`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameConflict {
    /// `PluralConflict`, `SingularConflict`, `ShortNamesConflict`, `KindConflict` or `ListKindConflict`.
    pub reason: &'static str,
    /// Which name is in use.
    pub message: String,
}

/// The names that a CRD has from now on: what it wants where that is free, what it has where it is not. The last
/// conflict is the one that is told.
pub(crate) fn accept_names(
    wanted: &AcceptedNames,
    held: &AcceptedNames,
    others: &ClaimedNames,
) -> (AcceptedNames, Option<NameConflict>) {
    let mut accepted = held.clone();
    let mut conflict = None;
    let free = |wanted: &str, held: &str, used: &BTreeSet<String>| {
        wanted == held || !used.contains(wanted)
    };
    let mut decide =
        |reason, wanted: &str, held: &str, used: &BTreeSet<String>, slot: &mut String| {
            if free(wanted, held, used) {
                wanted.clone_into(slot);
            } else {
                conflict = Some(NameConflict {
                    reason,
                    message: format!("{wanted:?} is already in use"),
                });
            }
        };
    let resources = &others.resources;
    decide(
        "PluralConflict",
        &wanted.plural,
        &held.plural,
        resources,
        &mut accepted.plural,
    );
    decide(
        "SingularConflict",
        &wanted.singular,
        &held.singular,
        resources,
        &mut accepted.singular,
    );
    let taken: Vec<String> = wanted
        .short_names
        .iter()
        .filter(|name| !held.short_names.contains(name) && resources.contains(*name))
        .map(|name| format!("{name:?} is already in use"))
        .collect();
    let mut short_conflict = None;
    if taken.is_empty() {
        accepted.short_names.clone_from(&wanted.short_names);
    } else {
        let message = if let [one] = &taken[..] {
            one.clone()
        } else {
            format!("[{}]", taken.join(", "))
        };
        short_conflict = Some(NameConflict {
            reason: "ShortNamesConflict",
            message,
        });
    }
    decide(
        "KindConflict",
        &wanted.kind,
        &held.kind,
        &others.kinds,
        &mut accepted.kind,
    );
    decide(
        "ListKindConflict",
        &wanted.list_kind,
        &held.list_kind,
        &others.kinds,
        &mut accepted.list_kind,
    );
    accepted.categories.clone_from(&wanted.categories);
    let conflict = match conflict {
        Some(found) if short_conflict.is_none() || found.reason.contains("Kind") => Some(found),
        other => short_conflict.or(other),
    };
    (accepted, conflict)
}
