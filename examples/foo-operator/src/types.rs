//! The kind `Foo`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{CustomResource, CustomResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whom a Foo looks for.
#[derive(Debug, Clone, PartialEq, Eq, CustomResource, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "tutorial.my.domain",
    version = "v1",
    kind = "Foo",
    namespaced,
    status = "FooStatus",
    doc = "A Foo looks for a friend, a Pod of a certain name, and is happy while the friend exists.",
    printcolumn(
        name = "Friend",
        type_ = "string",
        json_path = ".spec.name",
        description = "The name of the Pod that the Foo looks for"
    ),
    printcolumn(
        name = "Happy",
        type_ = "boolean",
        json_path = ".status.happy",
        description = "Whether the friend exists"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
pub struct FooSpec {
    /// Name of the friend: a Pod in the Foo's own namespace.
    pub name: String,
}

/// What the operator observed last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FooStatus {
    /// Whether a Pod named like the friend exists.
    #[serde(default)]
    pub happy: bool,
}

/// The definition of [`Foo`], to be installed in the cluster before the operator runs there.
#[must_use]
pub fn crd() -> CustomResourceDefinition {
    Foo::crd()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_definition_is_the_tutorials_with_columns() {
        let crd = serde_json::to_value(crd()).unwrap();
        assert_eq!(crd["metadata"]["name"], "foos.tutorial.my.domain");
        assert_eq!(crd["spec"]["scope"], "Namespaced");
        let version = &crd["spec"]["versions"][0];
        assert_eq!(version["name"], "v1");
        assert_eq!(version["subresources"]["status"], json!({}));
        let columns: Vec<&Value> = version["additionalPrinterColumns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| &column["name"])
            .collect();
        assert_eq!(columns, ["Friend", "Happy", "Age"]);
    }

    #[test]
    fn the_tutorials_manifest_is_a_foo() {
        let foo: Foo = serde_json::from_value(json!({
            "apiVersion": "tutorial.my.domain/v1", "kind": "Foo",
            "metadata": {"name": "foo-01"}, "spec": {"name": "jack"},
        }))
        .unwrap();
        assert_eq!(foo.spec.name, "jack");
        assert_eq!(foo.status, None);
    }

    #[test]
    fn a_status_written_by_the_go_operator_may_lack_happy() {
        let status: FooStatus = serde_json::from_value(json!({})).unwrap();
        assert_eq!(status, FooStatus { happy: false });
    }
}
