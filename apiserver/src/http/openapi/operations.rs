//! The operations of a resource, in the words that clients look for.

use serde_json::{Map, Value, json};

use super::cached::reference;

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

/// What a path's operations are about.
pub(super) struct Subject<'a> {
    pub(super) group: &'a str,
    pub(super) version: &'a str,
    pub(super) kind: &'a str,
    /// Component of what is read and written.
    pub(super) component: &'a str,
    /// Does the kind know strategic merge patches?
    pub(super) strategic: bool,
    /// What tells the operations of this path from others of the kind: `Namespaced`, `NamespacedStatus`, …
    pub(super) suffix: String,
}

impl Subject<'_> {
    fn operation(
        &self,
        verb: &str,
        action: &str,
        description: String,
        response: &str,
        codes: &[(&str, &str)],
    ) -> Value {
        let mut responses = Map::new();
        for (code, text) in codes {
            responses.insert(
                (*code).to_owned(),
                json!({"description": text, "content": content(response, READ_TYPES)}),
            );
        }
        responses.insert("401".to_owned(), json!({"description": "Unauthorized"}));
        json!({
            "description": description,
            "operationId": format!("{verb}{}{}{}", self.group_version_id(), self.suffix, self.kind),
            "tags": [self.tag()],
            "responses": responses,
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": {"group": self.group, "version": self.version, "kind": self.kind},
        })
    }

    /// `AppsV1`, `CoreV1`, `StableExampleComV1`.
    fn group_version_id(&self) -> String {
        let group = match self.group {
            "" => "core",
            name => name.strip_suffix(".k8s.io").unwrap_or(name),
        };
        group
            .split(['.', '-'])
            .chain([self.version])
            .map(capital)
            .collect()
    }

    fn tag(&self) -> String {
        let group = if self.group.is_empty() {
            "core"
        } else {
            self.group
        };
        format!(
            "{}_{}",
            group.replace(".k8s.io", "").replace(['.', '-'], "_"),
            self.version
        )
    }

    pub(super) fn list(&self, list_component: &str) -> Value {
        let text = format!("list or watch objects of kind {}", self.kind);
        let mut out = self.operation("list", "list", text, list_component, &[("200", "OK")]);
        out["parameters"] = parameters(LIST);
        out
    }

    pub(super) fn create(&self) -> Value {
        let codes = [("200", "OK"), ("201", "Created"), ("202", "Accepted")];
        let mut out = self.operation(
            "create",
            "post",
            format!("create {}", self.kind),
            self.component,
            &codes,
        );
        out["parameters"] = parameters(WRITE);
        out["requestBody"] =
            json!({"required": true, "content": content(self.component, WRITE_TYPES)});
        out
    }

    pub(super) fn read(&self) -> Value {
        self.operation(
            "read",
            "get",
            format!("read the specified {}", self.kind),
            self.component,
            &[("200", "OK")],
        )
    }

    pub(super) fn replace(&self) -> Value {
        let codes = [("200", "OK"), ("201", "Created")];
        let text = format!("replace the specified {}", self.kind);
        let mut out = self.operation("replace", "put", text, self.component, &codes);
        out["parameters"] = parameters(WRITE);
        out["requestBody"] =
            json!({"required": true, "content": content(self.component, WRITE_TYPES)});
        out
    }

    pub(super) fn patch(&self) -> Value {
        let codes = [("200", "OK"), ("201", "Created")];
        let text = format!("partially update the specified {}", self.kind);
        let mut out = self.operation("patch", "patch", text, self.component, &codes);
        out["parameters"] = parameters(PATCH);
        let types = if self.strategic {
            PATCH_TYPES
        } else {
            &PATCH_TYPES[..3]
        };
        out["requestBody"] =
            json!({"required": true, "content": content(&format!("{META}.Patch"), types)});
        out
    }

    pub(super) fn delete(&self) -> Value {
        let status = format!("{META}.Status");
        let codes = [("200", "OK"), ("202", "Accepted")];
        let mut out = self.operation(
            "delete",
            "delete",
            format!("delete {}", self.kind),
            &status,
            &codes,
        );
        out["parameters"] = parameters(DELETE);
        out["requestBody"] =
            json!({"content": content(&format!("{META}.DeleteOptions"), WRITE_TYPES)});
        out
    }

    pub(super) fn delete_collection(&self) -> Value {
        let status = format!("{META}.Status");
        let text = format!("delete collection of {}", self.kind);
        let mut out = self.operation(
            "deleteCollection",
            "deletecollection",
            text,
            &status,
            &[("200", "OK")],
        );
        let both: Vec<(&str, &str, &str)> = LIST.iter().chain(DELETE).copied().collect();
        out["parameters"] = parameters(&both);
        out["requestBody"] =
            json!({"content": content(&format!("{META}.DeleteOptions"), WRITE_TYPES)});
        out
    }
}

const READ_TYPES: &[&str] = &["application/json", "application/yaml"];
const WRITE_TYPES: &[&str] = &["*/*"];
const PATCH_TYPES: &[&str] = &[
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];

const DRY_RUN: (&str, &str, &str) = (
    "dryRun",
    "string",
    "When present, indicates that modifications should not be persisted. Valid values are: - All: all dry run stages will be processed",
);
const FIELD_MANAGER: (&str, &str, &str) = (
    "fieldManager",
    "string",
    "fieldManager is a name associated with the actor or entity that is making these changes.",
);
const FIELD_VALIDATION: (&str, &str, &str) = (
    "fieldValidation",
    "string",
    "fieldValidation instructs the server on how to handle objects in the request (POST/PUT/PATCH) containing unknown or duplicate fields. Valid values are: Ignore, Warn (the default), Strict.",
);
const WRITE: &[(&str, &str, &str)] = &[DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION];
const PATCH: &[(&str, &str, &str)] = &[
    DRY_RUN,
    FIELD_MANAGER,
    FIELD_VALIDATION,
    (
        "force",
        "boolean",
        "Force is going to \"force\" Apply requests: the user takes over conflicting fields owned by other people.",
    ),
];
const DELETE: &[(&str, &str, &str)] = &[
    DRY_RUN,
    (
        "gracePeriodSeconds",
        "integer",
        "The duration in seconds before the object should be deleted. The value zero indicates delete immediately.",
    ),
    (
        "propagationPolicy",
        "string",
        "Whether and how garbage collection will be performed: Orphan, Background or Foreground.",
    ),
];
const LIST: &[(&str, &str, &str)] = &[
    (
        "allowWatchBookmarks",
        "boolean",
        "allowWatchBookmarks requests watch events with type \"BOOKMARK\".",
    ),
    (
        "continue",
        "string",
        "The continue option of a page, as the previous page gave it.",
    ),
    (
        "fieldSelector",
        "string",
        "A selector to restrict the list of returned objects by their fields. Defaults to everything.",
    ),
    (
        "labelSelector",
        "string",
        "A selector to restrict the list of returned objects by their labels. Defaults to everything.",
    ),
    (
        "limit",
        "integer",
        "limit is a maximum number of responses to return for a list call.",
    ),
    (
        "resourceVersion",
        "string",
        "resourceVersion sets a constraint on what resource versions a request may be served from.",
    ),
    (
        "resourceVersionMatch",
        "string",
        "resourceVersionMatch determines how resourceVersion is applied to list calls.",
    ),
    (
        "sendInitialEvents",
        "boolean",
        "With watch, send the objects that there are first, then a bookmark, then their changes.",
    ),
    (
        "timeoutSeconds",
        "integer",
        "Timeout for the list/watch call, regardless of any activity or inactivity.",
    ),
    (
        "watch",
        "boolean",
        "Watch for changes to the described resources and return them as a stream of events.",
    ),
];

fn parameters(list: &[(&str, &str, &str)]) -> Value {
    let one = |(name, kind, text): &(&str, &str, &str)| json!({"name": name, "in": "query", "description": text, "schema": {"type": kind, "uniqueItems": true}});
    list.iter().map(one).collect()
}

fn content(component: &str, types: &[&str]) -> Value {
    let entries: Map<String, Value> = types
        .iter()
        .map(|media| ((*media).to_owned(), json!({"schema": reference(component)})))
        .collect();
    entries.into()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
