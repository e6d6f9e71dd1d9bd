//! Structural schemas of the parts of a federated object. The descriptions are what `kubectl explain` shows.

use serde_json::{Map, Value, json};

use super::federated::TargetFacts;

/// The words in which the two versions differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Vocabulary {
    /// v1: topologies.
    Northbound,
    /// v1beta1: clusters.
    Southbound,
}

impl Vocabulary {
    fn list(self) -> &'static str {
        match self {
            Self::Northbound => "topologies",
            Self::Southbound => "clusters",
        }
    }

    fn selector(self) -> &'static str {
        match self {
            Self::Northbound => "topologySelector",
            Self::Southbound => "clusterSelector",
        }
    }

    fn override_name(self) -> &'static str {
        match self {
            Self::Northbound => "topologyName",
            Self::Southbound => "clusterName",
        }
    }

    fn override_steps(self) -> &'static str {
        match self {
            Self::Northbound => "topologyOverrides",
            Self::Southbound => "clusterOverrides",
        }
    }

    fn one(self) -> &'static str {
        match self {
            Self::Northbound => "topology (cell or cluster)",
            Self::Southbound => "cluster",
        }
    }

    fn many(self) -> &'static str {
        match self {
            Self::Northbound => "topologies (cells or clusters)",
            Self::Southbound => "clusters",
        }
    }
}

fn string(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn integer(description: &str) -> Value {
    json!({"type": "integer", "format": "int64", "description": description})
}

fn instant(description: &str) -> Value {
    json!({"type": "string", "format": "date-time", "description": description})
}

/// Schema of the whole object in one version.
pub(super) fn object(
    kind: &str,
    target_kind: &str,
    words: Vocabulary,
    facts: &TargetFacts,
) -> Value {
    json!({
        "type": "object",
        "description": format!(
            "{kind} puts a {target_kind} into the {} that its placement selects, keeps it there, and brings its status back.",
            words.many(),
        ),
        "required": ["spec"],
        "properties": {
            "apiVersion": string("APIVersion defines the versioned schema of this representation of an object."),
            "kind": string("Kind is a string value representing the REST resource this object represents."),
            "metadata": {"type": "object"},
            "spec": spec(target_kind, words, facts),
            "status": status(words),
        },
    })
}

fn spec(target_kind: &str, words: Vocabulary, facts: &TargetFacts) -> Value {
    let mut properties = Map::new();
    if words == Vocabulary::Northbound {
        let types = if facts.namespaced {
            json!(["cell", "cluster"])
        } else {
            json!(["cluster"])
        };
        properties.insert(
            "topologyType".into(),
            json!({
                "type": "string",
                "enum": types,
                "default": "cluster",
                "description": "What the names in placement, placementMask and overrides stand for: cell (cells of this object's namespace) or cluster (member clusters). \
                    A cluster-scoped object can only use cluster.",
            }),
        );
    }
    properties.insert(
        "template".into(),
        json!({
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": true,
            "description": format!(
                "The {target_kind} that is put into members, without name and namespace. Its annotations are propagated only where the type's annotation policy says so."
            ),
        }),
    );
    properties.insert(
        "placement".into(),
        placement(words, &format!("Which {} hold the object. Empty selects none. One that leaves the placement loses its object.", words.many())),
    );
    properties.insert(
        "placementMask".into(),
        placement(
            words,
            &format!(
                "Which of the selected {} this change may touch: only there is anything created, updated or removed; the others stay exactly as they are and show Masked. \
                 Absent: all of them. An empty list freezes everything. Deleting the whole object is not masked.",
                words.many()
            ),
        ),
    );
    properties.insert("overrides".into(), overrides(words));
    if facts.integer_replicas {
        properties.insert(
            "retainReplicas".into(),
            json!({
                "type": "boolean",
                "description": "Leave spec.replicas of existing member objects to the member, e.g. to its autoscaler.",
            }),
        );
    }
    json!({
        "type": "object",
        "description": "What is wanted: a template, where it goes, and how it differs from place to place.",
        "properties": properties,
    })
}

fn placement(words: Vocabulary, description: &str) -> Value {
    let mut properties = Map::new();
    properties.insert(
        words.list().into(),
        json!({
            "type": "array",
            "description": format!("The {} by name. If present, even as an empty list, {} is ignored.", words.many(), words.selector()),
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": string(&format!("Name of the {}.", words.one()))},
            },
        }),
    );
    properties.insert(words.selector().into(), selector(words));
    json!({"type": "object", "description": description, "properties": properties})
}

fn selector(words: Vocabulary) -> Value {
    let reach = match words {
        Vocabulary::Northbound => {
            "Under topologyType cell it matches cells of this object's namespace, under cluster it matches member clusters and never cells."
        }
        Vocabulary::Southbound => {
            "It never matches clusters derived from cells, except through the requirement koinon.io/cell-namespace."
        }
    };
    json!({
        "type": "object",
        "description": format!("The {} by label, used when {} is absent. The empty selector matches all. {reach}", words.many(), words.list()),
        "properties": {
            "matchLabels": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "Labels that must be present with exactly these values.",
            },
            "matchExpressions": {
                "type": "array",
                "description": "Further requirements; all must hold.",
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": string("Label key the requirement is about."),
                        "operator": string("How the label relates to the values: In, NotIn, Exists or DoesNotExist."),
                        "values": {
                            "type": "array",
                            "description": "Values for In and NotIn; must be empty for Exists and DoesNotExist.",
                            "items": {"type": "string"},
                        },
                    },
                },
            },
        },
    })
}

fn overrides(words: Vocabulary) -> Value {
    let mut properties = Map::new();
    properties.insert(
        words.override_name().into(),
        string(&format!(
            "Name of the {} whose object is changed.",
            words.one()
        )),
    );
    properties.insert(
        words.override_steps().into(),
        json!({
            "type": "array",
            "description": "Changes, applied in order.",
            "items": {
                "type": "object",
                "required": ["path"],
                "properties": {
                    "op": {
                        "type": "string",
                        "pattern": "^(add|remove|replace)?$",
                        "description": "What to do at the path: add, remove or replace (the default).",
                    },
                    "path": string(
                        "JSON pointer into the object, e.g. /spec/replicas. Not allowed: /kind and /metadata/name, /metadata/namespace, /metadata/generateName.",
                    ),
                    "value": {
                        "x-kubernetes-preserve-unknown-fields": true,
                        "description": "Value for add and replace.",
                    },
                },
            },
        }),
    );
    json!({
        "type": "array",
        "description": format!("How the object differs in single {}.", words.many()),
        "items": {"type": "object", "properties": properties},
    })
}

fn status(words: Vocabulary) -> Value {
    let mut properties = Map::new();
    properties.insert(
        "observedGeneration".into(),
        integer("Generation of this object that the status describes."),
    );
    properties.insert("conditions".into(), conditions());
    properties.insert(
        "counts".into(),
        json!({
            "type": "object",
            "description": "The numbers of the printer columns.",
            "properties": {
                "topologies": integer(&format!("How many {} the placement selects.", words.many())),
                "updated": integer("How many of those run the current template and overrides."),
                "masked": integer("How many of those the placement mask keeps as they are."),
                "failing": integer("How many need attention: see reason and message of each."),
            },
        }),
    );
    properties.insert(
        words.list().into(),
        json!({
            "type": "array",
            "description": format!("Every {} that holds the object or should, sorted by name.", words.one()),
            "items": member_entry(words),
        }),
    );
    json!({
        "type": "object",
        "description": "What is: how far the object has been propagated, and the status of the member objects.",
        "properties": properties,
    })
}

fn conditions() -> Value {
    json!({
        "type": "array",
        "description": "One condition of type Propagation: True when every member this change may touch holds the desired state.",
        "items": {
            "type": "object",
            "required": ["type", "status"],
            "properties": {
                "type": string("Type of the condition: Propagation."),
                "status": string("True, False or Unknown."),
                "reason": string("One-word reason: ClusterRetrievalFailed, ComputePlacementFailed, NamespaceNotFederated or CheckClusters."),
                "message": string("The reason in a sentence."),
                "lastUpdateTime": instant("When the condition, or what it sums up, last changed."),
                "lastTransitionTime": instant("When status or reason last changed."),
            },
        },
    })
}

fn member_entry(words: Vocabulary) -> Value {
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": string(&format!("Name of the {}.", words.one())),
            "status": string("KubeFed's word for what is wrong; absent means OK. A masked one is OK in KubeFed's sense."),
            "reason": string("Why it does not hold the current state: Masked, or the word of status; absent if it does."),
            "message": string("The reason in a sentence."),
            "version": string("Short hash of the template, and of this member's own overrides, that it runs; equal text means equal content."),
            "generation": integer("metadata.generation of the member object, for kinds that have generations."),
            "remoteStatus": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": true,
                "description": "The member object's whole status, as the member reports it.",
            },
        },
    })
}
