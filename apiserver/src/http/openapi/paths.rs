//! The document of one group version.

use serde_json::{Map, Value, json};

use super::components;
use super::operations::Subject;
use crate::kinds::{Kind, KindVersion, Kinds};
use crate::request::Verb;

/// Types that every document needs, besides those of its kinds.
const COMMON: &[&str] = &[
    "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Patch",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
];
const SCALE: &str = "io.k8s.api.autoscaling.v1.Scale";

/// The whole document.
pub(super) fn document(kinds: &Kinds, group: &str, version: &str) -> Value {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    COMMON
        .iter()
        .for_each(|name| components::add_builtin(name, &mut schemas));
    for row in kinds.iter().filter(|row| &*row.group == group) {
        let Some(version) = row.version(version) else {
            continue;
        };
        components::add(row, version, &mut schemas);
        if version.scale.is_some() {
            components::add_builtin(SCALE, &mut schemas);
        }
        add_paths(row, version, &mut paths);
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn add_paths(row: &Kind, version: &KindVersion, paths: &mut Map<String, Value>) {
    let root = match &*row.group {
        "" => format!("/api/{}", version.name),
        group => format!("/apis/{group}/{}", version.name),
    };
    let component = components::component(row, version);
    let list = components::list_component(row, version);
    let scope = if row.namespaced() { "Namespaced" } else { "" };
    let subject = |suffix: String| Subject {
        group: &row.group,
        version: &version.name,
        kind: &row.kind,
        component: &component,
        strategic: !row.is_custom(),
        suffix,
    };
    let base = if row.namespaced() {
        if row.verbs.contains(&Verb::List) {
            let all = Map::from_iter([(
                "get".to_owned(),
                subject("AllNamespaces".to_owned()).list(&list),
            )]);
            paths.insert(format!("{root}/{}", row.plural), with_parameters(all, &[]));
        }
        format!("{root}/namespaces/{{namespace}}/{}", row.plural)
    } else {
        format!("{root}/{}", row.plural)
    };
    let own: &[&str] = if row.namespaced() {
        &["namespace"]
    } else {
        &[]
    };
    let named: Vec<&str> = own.iter().copied().chain(["name"]).collect();
    let whole = subject(scope.to_owned());
    paths.insert(
        base.clone(),
        with_parameters(collection(row, &whole, &list), own),
    );
    let single = single(row, &whole);
    if !single.is_empty() {
        let operations = with_parameters(single, &named);
        paths.insert(format!("{base}/{{name}}"), operations);
    }
    if version.status {
        let status = subject(format!("{scope}Status"));
        paths.insert(
            format!("{base}/{{name}}/status"),
            with_parameters(read_write(&status), &named),
        );
    }
    if version.scale.is_some() {
        let scale = Subject {
            group: "autoscaling",
            version: "v1",
            kind: "Scale",
            component: SCALE,
            ..subject(format!("{scope}{}", row.kind))
        };
        paths.insert(
            format!("{base}/{{name}}/scale"),
            with_parameters(read_write(&scale), &named),
        );
    }
}

fn collection(row: &Kind, subject: &Subject<'_>, list: &str) -> Map<String, Value> {
    let mut out = Map::new();
    for (verb, method) in [
        (Verb::List, "get"),
        (Verb::Create, "post"),
        (Verb::DeleteCollection, "delete"),
    ] {
        if row.verbs.contains(&verb) {
            let operation = match verb {
                Verb::List => subject.list(list),
                Verb::Create => subject.create(),
                _ => subject.delete_collection(),
            };
            out.insert(method.to_owned(), operation);
        }
    }
    out
}

fn single(row: &Kind, subject: &Subject<'_>) -> Map<String, Value> {
    let mut out = read_write(subject);
    out.insert("delete".to_owned(), subject.delete());
    for (verb, method) in [
        (Verb::Get, "get"),
        (Verb::Update, "put"),
        (Verb::Patch, "patch"),
        (Verb::Delete, "delete"),
    ] {
        if !row.verbs.contains(&verb) {
            out.remove(method);
        }
    }
    out
}

fn read_write(subject: &Subject<'_>) -> Map<String, Value> {
    Map::from_iter([
        ("get".to_owned(), subject.read()),
        ("put".to_owned(), subject.replace()),
        ("patch".to_owned(), subject.patch()),
    ])
}

fn with_parameters(mut operations: Map<String, Value>, in_path: &[&str]) -> Value {
    let mut parameters: Vec<Value> = in_path
        .iter()
        .map(|name| {
            let text = if *name == "name" { "name of the object" } else { "object name and auth scope, such as for teams and projects" };
            json!({"name": name, "in": "path", "required": true, "description": text, "schema": {"type": "string", "uniqueItems": true}})
        })
        .collect();
    parameters.push(json!({"name": "pretty", "in": "query", "description": "If 'true', then the output is pretty printed.", "schema": {"type": "string", "uniqueItems": true}}));
    operations.insert("parameters".to_owned(), parameters.into());
    operations.into()
}
