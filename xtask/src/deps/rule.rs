//! The dependency rule as a table, and the check of declared dependencies against it.

use std::collections::{BTreeMap, BTreeSet};

use crate::workspace::{Dependency, Package};

/// Which member crates a member crate builds on directly; what those build on is allowed too.
const ARROWS: &[(&str, &[&str])] = &[
    ("federation-api", &[]),
    ("federation-core", &["federation-api"]),
    ("federation-member", &["federation-api"]),
    ("federation-tunnel", &[]),
    ("apiserver-store", &[]),
    ("apiserver", &["apiserver-store"]),
    (
        "federation-apiserver",
        &[
            "apiserver",
            "federation-core",
            "federation-member",
            "federation-tunnel",
        ],
    ),
    (
        "federation-controller",
        &["federation-core", "federation-member"],
    ),
    ("proxy-agent", &["federation-tunnel"]),
    ("foo-operator", &[]),
    ("kms-plugin", &[]),
    (
        "fedctl",
        &[
            "federation-apiserver",
            "federation-controller",
            "proxy-agent",
            "foo-operator",
        ],
    ),
];

/// Crates that are not part of the product and may use everything.
const FREE: &[&str] = &["xtask", "federation-tests", "bench"];

/// Libraries that only some crates may use, and which.
const RESERVED: &[(&str, &[&str])] = &[
    ("sqlx", &["apiserver-store"]),
    ("axum", &["apiserver", "federation-apiserver"]),
    // apiserver-store: the client of KMS plugins.
    (
        "tonic",
        &[
            "federation-tunnel",
            "federation-apiserver",
            "proxy-agent",
            "apiserver-store",
            "kms-plugin",
        ],
    ),
    ("kube-client", &[]),
    ("kube-runtime", &[]),
];

/// Crates that may use every feature of `kube`; the others get [`KUBE_PURE_FEATURES`].
/// federation-apiserver: its webhook for hubs that are other API servers (docs/decisions/0006-webhook-is-a-client.md).
const KUBE_USERS: &[&str] = &[
    "federation-apiserver",
    "federation-controller",
    "fedctl",
    "foo-operator",
];

/// Features of `kube` that bring types and no I/O.
const KUBE_PURE_FEATURES: &[&str] = &["derive", "jsonpatch", "admission"];

/// Checks what each member crate declares. Returns a sentence per broken rule, in the order of the crates.
#[must_use]
pub fn check(packages: &[Package]) -> Vec<String> {
    let members: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let closure = closure();
    let mut broken = Vec::new();
    for package in packages
        .iter()
        .filter(|package| !FREE.contains(&package.name.as_str()))
    {
        let name = package.name.as_str();
        let Some(allowed) = closure.get(name) else {
            broken.push(format!(
                "{name}: a new crate: add it to the arrows in xtask/src/deps/rule.rs"
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let target = dependency.name.as_str();
            let in_tests = dependency.kind.as_deref() == Some("dev");
            if members.contains(target) {
                broken.extend(arrow(name, target, in_tests, allowed, &closure));
            } else if !in_tests {
                broken.extend(library(name, dependency));
            }
        }
    }
    broken
}

/// Everything that each crate may reach along the arrows.
fn closure() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut reach: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    // ARROWS is in topological order (a test says so): what a row names has its own set already.
    for &(from, direct) in ARROWS {
        let mut all = BTreeSet::new();
        for &to in direct {
            all.insert(to);
            all.extend(reach.get(to).into_iter().flatten().copied());
        }
        reach.insert(from, all);
    }
    reach
}

fn arrow(
    from: &str,
    to: &str,
    in_tests: bool,
    allowed: &BTreeSet<&str>,
    closure: &BTreeMap<&str, BTreeSet<&str>>,
) -> Option<String> {
    let reverses = from == to
        || FREE.contains(&to)
        || closure.get(to).is_some_and(|reach| reach.contains(from));
    match (in_tests, allowed.contains(to)) {
        (_, true) => None,
        (true, false) if !reverses => None,
        (true, false) => Some(format!("{from} -> {to}: reverses an arrow, in tests")),
        (false, false) => Some(format!("{from} -> {to}: no such arrow in the design")),
    }
}

fn library(from: &str, dependency: &Dependency) -> Option<String> {
    let library = dependency.name.as_str();
    if library == "kube" && !KUBE_USERS.contains(&from) {
        let impure: Vec<&str> = dependency
            .features
            .iter()
            .map(String::as_str)
            .filter(|feature| !KUBE_PURE_FEATURES.contains(feature))
            .chain(dependency.uses_default_features.then_some("default"))
            .collect();
        return (!impure.is_empty()).then(|| {
            format!(
                "{from} -> kube: features {} bring kube's client",
                impure.join(", ")
            )
        });
    }
    let (_, users) = RESERVED.iter().find(|(reserved, _)| *reserved == library)?;
    (!users.contains(&from)).then(|| match users.is_empty() {
        true => format!("{from} -> {library}: use it through kube"),
        false => format!("{from} -> {library}: only {} may use it", users.join(", ")),
    })
}

#[cfg(test)]
pub(super) fn arrows() -> &'static [(&'static str, &'static [&'static str])] {
    ARROWS
}
