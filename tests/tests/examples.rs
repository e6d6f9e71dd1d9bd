//! The manifests under `examples/` say what the API types say: nothing misspelt, nothing that refers to what is not there.
//!
//! That they do what their comments promise is shown by the end-to-end tests, which apply them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use federation_api::federated::northbound::FederatedObject;
use federation_api::kinds::FederatedTypeConfig;
use federation_api::names;
use serde_json::Value;

/// The cells of the playground.
const CELLS: [&str; 3] = ["rz00a", "rz00b", "rz01a"];

/// Every document of every manifest in a folder of `examples/`, with the file that it is from; subfolders are not read.
fn documents(folder: &str) -> Vec<(PathBuf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples")
        .join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("read {}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no manifest in {}", folder.display());
    let mut documents = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a readable manifest");
        assert!(
            text.starts_with("# "),
            "{}: no comment that says what it shows",
            file.display()
        );
        assert!(
            text.contains("apply -f examples/"),
            "{}: does not say how to apply it",
            file.display()
        );
        let values: Vec<Value> = serde_saphyr::from_multiple(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        documents.extend(values.into_iter().map(|value| (file.clone(), value)));
    }
    documents
}

fn type_configs() -> BTreeMap<String, FederatedTypeConfig> {
    documents("types")
        .into_iter()
        .map(|(file, value)| {
            let config: FederatedTypeConfig = serde_json::from_value(value.clone())
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let written: Value = serde_json::to_value(&config).expect("types are JSON");
            assert_eq!(
                written["spec"],
                value["spec"],
                "{}: unknown fields",
                file.display()
            );
            (config.spec.federated_type.kind.clone(), config)
        })
        .collect()
}

fn federated_objects() -> Vec<(PathBuf, FederatedObject)> {
    let all = documents("").into_iter().chain(documents("grey-release"));
    all.map(|(file, value)| {
        let object = FederatedObject::from_value(&value)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        (file, object)
    })
    .collect()
}

#[test]
fn type_configs_are_named_by_the_rule() {
    for (kind, config) in type_configs() {
        let (target, federated) = (&config.spec.target_type, &config.spec.federated_type);
        let name = names::type_config(&target.plural_name, target.group());
        assert_eq!(config.metadata.name.as_deref(), Some(name.as_str()));
        assert_eq!(kind, names::federated_kind(&target.kind));
        assert_eq!(
            federated.plural_name,
            names::federated_plural(&target.plural_name)
        );
        assert_eq!(
            config.metadata.namespace.as_deref(),
            Some("kube-federation-system")
        );
    }
}

#[test]
fn federated_objects_hold_nothing_unknown() {
    for (file, object) in federated_objects() {
        let file = file.display();
        assert!(
            object.other.is_empty() && object.spec.other.is_empty(),
            "{file}: unknown fields"
        );
        let placements = [&object.spec.placement, &object.spec.placement_mask];
        assert!(
            placements
                .into_iter()
                .flatten()
                .all(|placement| placement.other.is_empty()),
            "{file}"
        );
        for one in object.spec.overrides.iter().flatten() {
            assert!(
                one.other.is_empty(),
                "{file}: unknown fields in an override"
            );
        }
        assert_eq!(object.api_version, "types.kubefed.io/v1", "{file}");
        assert_eq!(object.namespace(), "bank-prod", "{file}");
        assert!(object.spec.template.is_some(), "{file}: no template");
    }
}

#[test]
fn federated_objects_are_of_enabled_kinds_and_in_known_cells() {
    let configs = type_configs();
    for (file, object) in federated_objects() {
        let file = file.display();
        assert!(
            configs.contains_key(&object.kind),
            "{file}: no type config for {}",
            object.kind
        );
        assert_eq!(object.spec.topology_type.as_deref(), Some("cell"), "{file}");
        let placed = object
            .spec
            .placement
            .expect("a placement")
            .topologies
            .expect("topologies");
        let placed: BTreeSet<String> = placed.into_iter().map(|topology| topology.name).collect();
        assert!(
            placed.iter().all(|cell| CELLS.contains(&cell.as_str())),
            "{file}: {placed:?}"
        );
        let masked = object
            .spec
            .placement_mask
            .and_then(|mask| mask.topologies)
            .unwrap_or_default();
        assert!(
            masked
                .iter()
                .all(|topology| placed.contains(&topology.name)),
            "{file}: {masked:?}"
        );
        for one in object.spec.overrides.iter().flatten() {
            assert!(
                placed.contains(&one.topology_name),
                "{file}: {}",
                one.topology_name
            );
        }
    }
}

#[test]
fn custom_kinds_are_defined_in_the_members_as_the_hub_expects_them() {
    let configs = type_configs();
    for (file, definition) in documents("members/crds") {
        let spec = &definition["spec"];
        let kind = spec["names"]["kind"].as_str().unwrap();
        let config = configs
            .get(&names::federated_kind(kind))
            .unwrap_or_else(|| panic!("{}: no type config for {kind}", file.display()));
        let target = &config.spec.target_type;
        assert_eq!(spec["group"].as_str(), Some(target.group()), "{kind}");
        assert_eq!(
            spec["versions"][0]["name"].as_str(),
            Some(target.version.as_str()),
            "{kind}"
        );
        assert_eq!(
            spec["names"]["plural"].as_str(),
            Some(target.plural_name.as_str()),
            "{kind}"
        );
        assert_eq!(spec["scope"], "Namespaced", "{kind}");
    }
}

#[test]
fn the_annotation_of_the_example_is_propagated_and_the_members_own_is_not() {
    let services = &type_configs()["FederatedService"];
    let patterns = services
        .spec
        .propagating_annotations
        .as_deref()
        .unwrap_or_default();
    let matches = |key: &str| {
        patterns
            .iter()
            .any(|pattern| key.starts_with(pattern.trim_end_matches('*')))
    };
    assert!(matches(
        "service.beta.kubernetes.io/antcloud-loadbalancer-listener-protocol"
    ));
    assert!(!matches("status.cafe.sofastack.io/loadbalancer"));
}

#[test]
fn every_step_of_the_grey_release_has_the_same_template_and_a_wider_mask() {
    let mut steps = federated_objects();
    steps.retain(|(file, _)| {
        file.file_name().is_some_and(|name| {
            name.to_string_lossy()
                .starts_with(|c: char| c.is_ascii_digit())
        })
    });
    assert_eq!(steps.len(), 3);
    for pair in steps.windows(2) {
        let (before, after) = (&pair[0].1.spec, &pair[1].1.spec);
        assert_eq!(before.template, after.template);
        assert_eq!(before.placement, after.placement);
        let size = |mask: &Option<federation_api::federated::northbound::Placement>| {
            mask.as_ref().map_or(usize::MAX, |mask| {
                mask.topologies.as_ref().map_or(0, Vec::len)
            })
        };
        assert!(size(&before.placement_mask) < size(&after.placement_mask));
    }
}
