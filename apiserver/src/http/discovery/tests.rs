//! Discovery against upstream's own documents.

use std::sync::Arc;

use serde_json::Value;

use super::*;
use crate::kinds::{BuiltinHooks, Kinds, Plain, builtin_rows};

fn kinds() -> Arc<Kinds> {
    let hooks = BuiltinHooks {
        strategy: |_, _| Arc::new(Plain),
        columns: |_, _| Vec::new(),
    };
    Arc::new(Kinds::new(builtin_rows(hooks)))
}

fn get(discovery: &Discovery, kinds: &Arc<Kinds>, path: DiscoveryPath) -> Value {
    serde_json::from_slice(&discovery.document(kinds, path).unwrap().body).unwrap()
}

fn find<'a>(list: &'a Value, key: &str, wanted: &str) -> &'a Value {
    list.as_array()
        .unwrap()
        .iter()
        .find(|item| item[key] == wanted)
        .unwrap()
}

#[test]
fn aggregated_discovery_shows_all() {
    let (discovery, kinds) = (Discovery::default(), kinds());
    let version = AggregatedVersion::V2;
    let core = get(
        &discovery,
        &kinds,
        DiscoveryPath::Aggregated {
            core: true,
            version,
        },
    );
    assert_eq!(core["items"].as_array().unwrap().len(), 1);
    assert_eq!(core["apiVersion"], "apidiscovery.k8s.io/v2");
    let rest = get(
        &discovery,
        &kinds,
        DiscoveryPath::Aggregated {
            core: false,
            version,
        },
    );
    let names: Vec<&str> = rest["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        &names[..3],
        ["apps", "events.k8s.io", "authentication.k8s.io"]
    );
    let apps = &rest["items"][0]["versions"][0];
    assert_eq!(apps["freshness"], "Current");
    let deployments = find(&apps["resources"], "resource", "deployments");
    assert_eq!(deployments["scope"], "Namespaced");
    assert_eq!(deployments["responseKind"]["version"], "v1");
    assert_eq!(
        deployments["subresources"][0]["responseKind"]["kind"],
        "Scale"
    );
    assert_eq!(deployments["verbs"][2], "deletecollection");
}

#[test]
fn older_documents_are_upstreams() {
    let (discovery, kinds) = (Discovery::default(), kinds());
    let core = get(
        &discovery,
        &kinds,
        DiscoveryPath::Resources(String::new(), "v1".to_owned()),
    );
    assert_eq!(core["groupVersion"], "v1");
    let pods = find(&core["resources"], "name", "pods");
    assert_eq!(pods["storageVersionHash"], "xPOwRZ+Yhw8=");
    assert_eq!(
        find(&core["resources"], "name", "namespaces/finalize")["verbs"],
        serde_json::json!(["update"])
    );
    let apps = get(
        &discovery,
        &kinds,
        DiscoveryPath::Resources("apps".to_owned(), "v1".to_owned()),
    );
    assert_eq!(
        find(&apps["resources"], "name", "deployments")["storageVersionHash"],
        "8aSe+NMegvE="
    );
    assert_eq!(
        find(&apps["resources"], "name", "deployments/scale")["group"],
        "autoscaling"
    );
    let group = get(&discovery, &kinds, DiscoveryPath::Group("apps".to_owned()));
    assert_eq!(group["preferredVersion"]["groupVersion"], "apps/v1");
    assert_eq!(
        get(&discovery, &kinds, DiscoveryPath::Groups)["groups"][0]["name"],
        "apps"
    );
    assert_eq!(
        get(
            &discovery,
            &kinds,
            DiscoveryPath::ApiVersions("h:1".to_owned())
        )["versions"][0],
        "v1"
    );
    for absent in [
        DiscoveryPath::Group("nope".to_owned()),
        DiscoveryPath::Group(String::new()),
        DiscoveryPath::Resources("apps".to_owned(), "v9".to_owned()),
    ] {
        assert!(discovery.document(&kinds, absent).is_none());
    }
}

#[test]
fn documents_change_with_the_table_only() {
    let (discovery, full) = (Discovery::default(), kinds());
    let path = || DiscoveryPath::Groups;
    let first = discovery.document(&full, path()).unwrap();
    assert_eq!(discovery.document(&full, path()), Some(first.clone()));
    assert_eq!(discovery.document(&kinds(), path()), Some(first.clone()));
    assert_ne!(
        discovery.document(&Arc::new(Kinds::default()), path()),
        Some(first.clone())
    );
    assert_eq!(first.hash.len(), 128);
}
