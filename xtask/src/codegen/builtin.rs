//! `apiserver/data/builtin`: the built-in kinds and their types, from the OpenAPI and discovery documents that upstream
//! keeps in its own source tree.
//!
//! Data, not code: `types.tsv` holds one type a line (name, tab, schema as JSON), `kinds.jsonl` one kind a line. Both are
//! sorted, so that the diff of a new upstream release reads well and a type is found by binary search. Which kinds are
//! served is decided here and nowhere else: [`SERVED`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use super::{GeneratedFile, Generator};
use crate::process::output;
use crate::workspace::Workspace;

/// Where the data goes.
const FOLDER: &str = "apiserver/data/builtin";

/// The upstream release that the table is made from.
pub(super) const MODULE: &str = "k8s.io/kubernetes@v1.35.8";

/// The kinds that are served, as `group/version/resource`; the core group is empty.
const SERVED: &[&str] = &[
    "/v1/configmaps",
    "/v1/endpoints",
    "/v1/events",
    "/v1/limitranges",
    "/v1/namespaces",
    "/v1/nodes",
    "/v1/persistentvolumeclaims",
    "/v1/persistentvolumes",
    "/v1/pods",
    "/v1/podtemplates",
    "/v1/replicationcontrollers",
    "/v1/resourcequotas",
    "/v1/secrets",
    "/v1/serviceaccounts",
    "/v1/services",
    "admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "apiextensions.k8s.io/v1/customresourcedefinitions",
    "apps/v1/controllerrevisions",
    "apps/v1/daemonsets",
    "apps/v1/deployments",
    "apps/v1/replicasets",
    "apps/v1/statefulsets",
    "authentication.k8s.io/v1/selfsubjectreviews",
    "authentication.k8s.io/v1/tokenreviews",
    "authorization.k8s.io/v1/localsubjectaccessreviews",
    "authorization.k8s.io/v1/selfsubjectaccessreviews",
    "authorization.k8s.io/v1/selfsubjectrulesreviews",
    "authorization.k8s.io/v1/subjectaccessreviews",
    "autoscaling/v2/horizontalpodautoscalers",
    "batch/v1/cronjobs",
    "batch/v1/jobs",
    "coordination.k8s.io/v1/leases",
    "discovery.k8s.io/v1/endpointslices",
    "events.k8s.io/v1/events",
    "networking.k8s.io/v1/ingressclasses",
    "networking.k8s.io/v1/ingresses",
    "networking.k8s.io/v1/networkpolicies",
    "node.k8s.io/v1/runtimeclasses",
    "policy/v1/poddisruptionbudgets",
    "rbac.authorization.k8s.io/v1/clusterrolebindings",
    "rbac.authorization.k8s.io/v1/clusterroles",
    "rbac.authorization.k8s.io/v1/rolebindings",
    "rbac.authorization.k8s.io/v1/roles",
    "scheduling.k8s.io/v1/priorityclasses",
    "storage.k8s.io/v1/storageclasses",
];

/// Types that no kind refers to and that the OpenAPI documents need nevertheless, with the document that has them.
const EXTRA_TYPES: &[(&str, &str)] = &[
    (
        "apis__apps__v1",
        "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    ),
    (
        "apis__apps__v1",
        "io.k8s.apimachinery.pkg.apis.meta.v1.Patch",
    ),
    (
        "apis__apps__v1",
        "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
    ),
    (
        "apis__apps__v1",
        "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta",
    ),
    ("apis__apps__v1", "io.k8s.api.autoscaling.v1.Scale"),
];

const REFERENCE: &str = "#/components/schemas/";
const GVK: &str = "x-kubernetes-group-version-kind";

/// The generator of the built-in table.
pub const GENERATOR: Generator = Generator {
    name: "builtin",
    about: "apiserver/data/builtin, from upstream's OpenAPI and discovery documents",
    folders: &[FOLDER],
    generate,
};

fn generate(_: &Workspace) -> Result<Vec<GeneratedFile>> {
    build(&module_folder(MODULE)?.join("api"))
}

/// Where a Go module, given as `path@version`, has its files.
pub(super) fn module_folder(module: &str) -> Result<PathBuf> {
    let listing = output(Command::new("go").args(["mod", "download", "-json", module]))?;
    let module: Value = serde_json::from_str(&listing).context("understand go mod download")?;
    let folder = module["Dir"]
        .as_str()
        .context("go mod download names no folder")?;
    Ok(PathBuf::from(folder))
}

/// Computes both files from upstream's `api` folder.
fn build(api: &Path) -> Result<Vec<GeneratedFile>> {
    let discovery = read(&api.join("discovery/aggregated_v2.json"))?;
    let core = read(&api.join("discovery/api__v1.json"))?;
    let mut types = BTreeMap::new();
    let mut kinds = Vec::new();
    for served in SERVED {
        let parts: Vec<&str> = served.split('/').collect();
        let [group, version, plural] = parts[..] else {
            bail!("{served} is not group/version/resource")
        };
        let row = match group {
            "" => core_row(&core, plural),
            _ => group_row(&discovery, group, version, plural),
        }
        .with_context(|| format!("{served} is not in upstream's discovery"))?;
        let document = read(&document_path(api, group, version))?;
        let schemas = schemas(&document)?;
        let type_name = type_of(
            schemas,
            group,
            version,
            row["kind"].as_str().unwrap_or_default(),
        )
        .with_context(|| format!("{served} has no type"))?;
        collect(schemas, &type_name, &mut types)?;
        // A review is made and answered; there are no lists of them.
        let list = format!("{type_name}List");
        if schemas.contains_key(&list) {
            collect(schemas, &list, &mut types)?;
        }
        kinds.push(finish_row(row, group, version, plural, &type_name));
    }
    for (document, name) in EXTRA_TYPES {
        let document = read(&api.join(format!("openapi-spec/v3/{document}_openapi.json")))?;
        collect(schemas(&document)?, name, &mut types)?;
    }
    Ok(vec![
        file("kinds.jsonl", lines(kinds.iter().map(Value::to_string))),
        type_file(&types),
    ])
}

fn type_file(types: &BTreeMap<String, Value>) -> GeneratedFile {
    file(
        "types.tsv",
        lines(
            types
                .iter()
                .map(|(name, schema)| format!("{name}\t{schema}")),
        ),
    )
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.flat_map(|line| [line, "\n".to_owned()]).collect()
}

fn file(name: &str, content: String) -> GeneratedFile {
    GeneratedFile {
        path: PathBuf::from(FOLDER).join(name),
        content,
    }
}

/// Reads a JSON file.
pub(super) fn read(path: &Path) -> Result<Value> {
    let text = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("understand {}", path.display()))
}

fn document_path(api: &Path, group: &str, version: &str) -> PathBuf {
    let name = match group {
        "" => format!("api__{version}"),
        _ => format!("apis__{group}__{version}"),
    };
    api.join(format!("openapi-spec/v3/{name}_openapi.json"))
}

/// The schemas of an OpenAPI v3 document.
pub(super) fn schemas(document: &Value) -> Result<&Map<String, Value>> {
    document["components"]["schemas"]
        .as_object()
        .context("a document without schemas")
}

fn type_of(schemas: &Map<String, Value>, group: &str, version: &str, kind: &str) -> Option<String> {
    let wanted = json!([{"group": group, "kind": kind, "version": version}]);
    schemas
        .iter()
        .find(|(_, schema)| schema.get(GVK) == Some(&wanted))
        .map(|(name, _)| name.clone())
}

/// A row from the core group's `APIResourceList`, in the words of the row that [`group_row`] gives.
fn core_row(core: &Value, plural: &str) -> Option<Value> {
    let all = core["resources"].as_array()?;
    let row = all.iter().find(|r| r["name"] == plural)?;
    let prefix = format!("{plural}/");
    let subresources: Vec<&str> = all
        .iter()
        .filter_map(|r| r["name"].as_str()?.strip_prefix(&prefix))
        .collect();
    Some(json!({
        "kind": row["kind"], "singular": row["singularName"], "namespaced": row["namespaced"], "verbs": row["verbs"],
        "shortNames": row["shortNames"], "categories": row["categories"], "subresources": subresources,
    }))
}

fn group_row(discovery: &Value, group: &str, version: &str, plural: &str) -> Option<Value> {
    let group = discovery["items"]
        .as_array()?
        .iter()
        .find(|g| g["metadata"]["name"] == group)?;
    let version = group["versions"]
        .as_array()?
        .iter()
        .find(|v| v["version"] == version)?;
    let row = version["resources"]
        .as_array()?
        .iter()
        .find(|r| r["resource"] == plural)?;
    let subresources = row["subresources"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let names: Vec<&str> = subresources
        .iter()
        .filter_map(|s| s["subresource"].as_str())
        .collect();
    Some(json!({
        "kind": row["responseKind"]["kind"], "singular": row["singularResource"],
        "namespaced": row["scope"] == "Namespaced", "verbs": row["verbs"],
        "shortNames": row["shortNames"], "categories": row["categories"], "subresources": names,
    }))
}

fn finish_row(mut row: Value, group: &str, version: &str, plural: &str, type_name: &str) -> Value {
    row["group"] = group.into();
    row["version"] = version.into();
    row["plural"] = plural.into();
    row["type"] = type_name.into();
    if let Some(fields) = row.as_object_mut() {
        fields.retain(|_, value| {
            !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty())
        });
    }
    row
}

/// Takes a type and all that it refers to.
pub(super) fn collect(
    schemas: &Map<String, Value>,
    name: &str,
    types: &mut BTreeMap<String, Value>,
) -> Result<()> {
    let mut waiting = vec![name.to_owned()];
    while let Some(name) = waiting.pop() {
        if types.contains_key(&name) {
            continue;
        }
        let schema = schemas
            .get(&name)
            .with_context(|| format!("no type {name}"))?;
        let mut found = BTreeSet::new();
        let mut compact = compact(schema, &mut found);
        // Types such as DeleteOptions belong to every group: which, is not worth a line of 10 kB.
        if compact[GVK].as_array().is_some_and(|list| list.len() > 1)
            && let Some(fields) = compact.as_object_mut()
        {
            fields.remove(GVK);
        }
        types.insert(name, compact);
        waiting.extend(found);
    }
    Ok(())
}

/// The schema with references as bare type names, `allOf` of a single reference folded into its parent.
fn compact(schema: &Value, found: &mut BTreeSet<String>) -> Value {
    match schema {
        Value::Object(fields) => {
            let mut out = Map::new();
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("$ref", Value::String(target)) => {
                        let name = target.strip_prefix(REFERENCE).unwrap_or(target);
                        found.insert(name.to_owned());
                        out.insert(key.clone(), name.into());
                    }
                    ("allOf", Value::Array(list))
                        if list.len() == 1 && list[0].get("$ref").is_some() =>
                    {
                        if let Value::Object(inner) = compact(&list[0], found) {
                            out.extend(inner);
                        }
                    }
                    _ => {
                        out.insert(key.clone(), compact(value, found));
                    }
                }
            }
            Value::Object(out)
        }
        Value::Array(list) => list.iter().map(|item| compact(item, found)).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_folded_and_followed() {
        let schemas = json!({
            "a.B": {"properties": {"c": {"allOf": [{"$ref": "#/components/schemas/a.C"}], "default": {}}}},
            "a.C": {"type": "object"}, "a.D": {"type": "object"},
        });
        let mut types = BTreeMap::new();
        collect(schemas.as_object().unwrap(), "a.B", &mut types).unwrap();
        assert_eq!(types.keys().collect::<Vec<_>>(), ["a.B", "a.C"]);
        assert_eq!(
            types["a.B"],
            json!({"properties": {"c": {"$ref": "a.C", "default": {}}}})
        );
        assert!(collect(schemas.as_object().unwrap(), "a.X", &mut types).is_err());
    }

    #[test]
    fn rows_leave_out_what_is_empty() {
        let core = json!({"resources": [
            {"name": "pods", "kind": "Pod", "singularName": "pod", "namespaced": true, "verbs": ["get"], "shortNames": ["po"]},
            {"name": "pods/status", "kind": "Pod"}, {"name": "podtemplates", "kind": "PodTemplate"},
        ]});
        let row = finish_row(core_row(&core, "pods").unwrap(), "", "v1", "pods", "x.Pod");
        assert_eq!(row["subresources"], json!(["status"]));
        assert!(row.get("categories").is_none());
        assert!(core_row(&core, "nodes").is_none());
    }
}
