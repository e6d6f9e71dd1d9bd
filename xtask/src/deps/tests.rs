//! The rules, each broken on purpose.

use std::path::PathBuf;

use super::rule::{arrows, check};
use super::{deny, purity, spdx};
use crate::workspace::{Dependency, Package};

fn package(name: &str, dependencies: Vec<Dependency>) -> Package {
    Package {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        manifest_path: PathBuf::new(),
        dependencies,
        targets: Vec::new(),
        license: None,
    }
}

fn on(name: &str) -> Dependency {
    Dependency {
        name: name.to_owned(),
        kind: None,
        features: Vec::new(),
        uses_default_features: true,
    }
}

fn in_tests_on(name: &str) -> Dependency {
    Dependency {
        kind: Some("dev".to_owned()),
        ..on(name)
    }
}

/// The broken rules when `from` has that dependency, among crates with the names of ours.
fn broken(from: &str, dependency: Dependency) -> Vec<String> {
    let mut packages: Vec<Package> = arrows()
        .iter()
        .map(|(name, _)| package(name, Vec::new()))
        .collect();
    packages.push(package("xtask", Vec::new()));
    let owner = packages
        .iter_mut()
        .find(|package| package.name == from)
        .expect("a crate of ours");
    owner.dependencies.push(dependency);
    check(&packages)
}

#[test]
fn the_table_is_in_topological_order() {
    for (row, (from, direct)) in arrows().iter().enumerate() {
        for to in *direct {
            assert!(
                arrows()[..row].iter().any(|(earlier, _)| earlier == to),
                "{from} names {to} before its row"
            );
        }
    }
}

#[test]
fn arrows_hold() {
    assert!(broken("federation-core", on("federation-api")).is_empty());
    assert!(
        broken("federation-apiserver", on("apiserver-store")).is_empty(),
        "along two arrows"
    );
    assert_eq!(
        broken("federation-api", on("federation-core")),
        ["federation-api -> federation-core: no such arrow in the design"]
    );
    assert_eq!(
        broken("federation-controller", on("federation-apiserver")).len(),
        1
    );
}

#[test]
fn tests_may_look_sideways_but_never_back() {
    assert!(broken("federation-controller", in_tests_on("apiserver")).is_empty());
    assert_eq!(broken("apiserver-store", in_tests_on("apiserver")).len(), 1);
    assert_eq!(broken("apiserver", in_tests_on("xtask")).len(), 1);
}

#[test]
fn an_unknown_crate_must_be_placed() {
    assert_eq!(check(&[package("newcomer", Vec::new())]).len(), 1);
}

#[test]
fn libraries_stay_where_they_belong() {
    assert!(broken("apiserver-store", on("sqlx")).is_empty());
    assert_eq!(
        broken("apiserver", on("sqlx")),
        ["apiserver -> sqlx: only apiserver-store may use it"]
    );
    assert!(broken("apiserver", in_tests_on("sqlx")).is_empty());
    assert_eq!(broken("fedctl", on("axum")).len(), 1);
    assert_eq!(broken("fedctl", on("tonic")).len(), 1);
}

#[test]
fn kube_is_only_a_derive_for_most() {
    let with = |features: &[&str]| Dependency {
        features: features.iter().map(ToString::to_string).collect(),
        uses_default_features: false,
        ..on("kube")
    };
    assert!(broken("federation-api", with(&["derive"])).is_empty());
    assert_eq!(
        broken("federation-api", with(&["derive", "client"])).len(),
        1
    );
    assert_eq!(broken("apiserver", on("kube")).len(), 1, "default features");
    assert!(broken("federation-controller", with(&["client", "runtime"])).is_empty());
}

#[test]
fn impurities_are_found_by_whole_name() {
    assert_eq!(
        impurities_of("serde v1.0.0\ntokio-util v0.7.0\nkube-core v1.0.0"),
        Vec::<&str>::new()
    );
    assert_eq!(
        impurities_of("hyper v1.0.0 (*)\ntokio v1.0.0\ntokio v1.0.0 (*)"),
        ["hyper", "tokio"]
    );
}

fn impurities_of(tree: &str) -> Vec<&str> {
    purity::impurities(tree)
}

#[test]
fn licence_expressions() {
    let mit_or_zlib = |licence: &str| matches!(licence, "MIT" | "Zlib");
    let ask = |expression: &str| spdx::satisfied(expression, &mit_or_zlib);
    for yes in [
        "MIT",
        "GPL-3.0 OR MIT",
        "MIT/Apache-2.0",
        "MIT AND Zlib",
        "(MIT OR X) AND Zlib",
        "MIT WITH Y-exception",
        "MIT+",
    ] {
        assert!(ask(yes).unwrap(), "{yes}");
    }
    for no in [
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(MIT OR X) AND Y",
        "GPL-3.0 OR MIT AND X",
    ] {
        assert!(!ask(no).unwrap(), "{no}");
    }
    for wrong in ["", "MIT OR", "(MIT", "MIT Zlib", "AND"] {
        assert!(ask(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_policy_judges_licences_and_bans() {
    let policy = toml::from_str(
        r#"
        [licenses]
        allow = ["MIT"]
        exceptions = [{ crate = "special", allow = ["MPL-2.0"] }]
        [bans]
        deny = [{ crate = "openssl", reason = "we use rustls" }]
        "#,
    )
    .unwrap();
    let licensed = |name: &str, licence: Option<&str>| Package {
        license: licence.map(ToOwned::to_owned),
        ..package(name, Vec::new())
    };
    let packages = [
        licensed("good", Some("MIT OR Apache-2.0")),
        licensed("special", Some("MPL-2.0")),
        licensed("other", Some("MPL-2.0")),
        licensed("openssl", Some("MIT")),
        licensed("silent", None),
    ];
    assert_eq!(
        deny::judge(&policy, &packages),
        [
            "other 1.0.0: licence MPL-2.0 is not allowed by deny.toml",
            "openssl 1.0.0: banned: we use rustls",
            "silent 1.0.0: names no licence",
        ]
    );
}
