//! The rules of `metadata`, the same for every kind (`k8s.io/apimachinery/pkg/api/validation`).

mod names;
mod types;
mod update;
mod validate;

pub(crate) use names::{
    generate_name, label_problems, label_value_problems, name_problems, qualified_name_problems,
};
pub(crate) use types::{check_types, prune_unknown};
pub(crate) use update::validate_update;
pub(crate) use validate::{labels as validate_labels, validate_metadata};
