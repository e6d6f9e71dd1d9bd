//! `KubeFedCluster`.

use apiserver::admit::{Attributes, Operation};
use apiserver::status::{ApiError, FieldError};
use federation_api::labels;
use serde_json::{Value, json};

use super::facts::Facts;
use super::verdict;

/// A plain cluster's name has no dot: the dot is what tells a cell's derived cluster.
pub(super) fn validate(
    facts: &Facts,
    attributes: &Attributes<'_>,
    object: &Value,
) -> Result<(), ApiError> {
    let _ = facts;
    let derived = object["metadata"]["labels"][labels::CELL].is_string();
    if attributes.operation == Operation::Create && attributes.name.contains('.') && !derived {
        let finding = FieldError::invalid(
            "metadata.name",
            &json!(attributes.name),
            "the name of a cluster must not contain a dot: such names stand for cells",
        );
        return verdict(attributes, &[finding]);
    }
    Ok(())
}
