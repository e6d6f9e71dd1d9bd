//! Lists of resources: which are named, and whether they make sense together.

use apiserver_store::ResourcePattern;

/// A name such as `secrets`, `deployments.apps`, `*.apps`, `*.` or `*.*`, in its two parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GroupResource {
    pub(super) resource: String,
    pub(super) group: String,
}

impl GroupResource {
    pub(super) fn parse(name: &str) -> Self {
        let (resource, group) = name.split_once('.').unwrap_or((name, ""));
        Self {
            resource: resource.to_owned(),
            group: group.to_owned(),
        }
    }

    fn is_all(&self) -> bool {
        self.resource == "*" && self.group == "*"
    }

    pub(super) fn pattern(&self) -> ResourcePattern {
        match (&*self.resource, &*self.group) {
            ("*", "*") => ResourcePattern::All,
            ("*", group) => ResourcePattern::Group(group.to_owned()),
            (resource, group) => ResourcePattern::Resource(format!("{group}/{resource}")),
        }
    }
}

/// What kube-apiserver says of one name; `None` if it is fine.
pub(super) fn name_complaint(name: &str) -> Option<&'static str> {
    let parsed = GroupResource::parse(name);
    if name.to_lowercase() != name {
        Some("resource name should not contain capital letters")
    } else if name == "*" {
        Some(
            "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources",
        )
    } else if matches!(
        name,
        "apiserveripinfo" | "serviceipallocations" | "servicenodeportallocations"
    ) {
        Some("resources which do not have REST API/s cannot be encrypted")
    } else if parsed.group == "events.k8s.io" {
        Some(
            "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file",
        )
    } else if parsed.group == "extensions" {
        Some("'extensions' group has been removed and cannot be used for encryption")
    } else if parsed.group == "*" && parsed.resource != "*" {
        Some("encrypting the same resource across groups is not supported")
    } else if parsed.resource.is_empty() {
        Some("resource name should not be empty")
    } else {
        None
    }
}

/// What kube-apiserver says of names in one list.
pub(super) fn list_complaints(names: &[String]) -> Vec<&'static str> {
    let parsed: Vec<GroupResource> = names
        .iter()
        .map(|name| GroupResource::parse(name))
        .collect();
    let (mut duplicate, mut overlap) = (false, false);
    for (i, one) in parsed.iter().enumerate() {
        for other in parsed.iter().skip(i + 1) {
            if one == other {
                duplicate = true;
            } else {
                let same_group = one.group == other.group;
                let any = one.resource == "*" || other.resource == "*";
                overlap |= one.is_all() || other.is_all() || (same_group && any);
            }
        }
    }
    let mut complaints = Vec::new();
    if duplicate {
        complaints.push("the same resource cannot be specified multiple times");
    }
    if overlap {
        complaints.push(
            "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked",
        );
    }
    complaints
}

/// The rule among `earlier` that leaves nothing for this one.
pub(super) fn masked_by<'a>(
    earlier: &'a [GroupResource],
    wanted: &GroupResource,
) -> Option<&'a GroupResource> {
    earlier
        .iter()
        .find(|rule| rule.is_all() || (rule.resource == "*" && rule.group == wanted.group))
}

/// As it is written in the file.
pub(super) fn written(name: &GroupResource) -> String {
    match (&*name.resource, &*name.group) {
        ("*", "") => "*.".to_owned(),
        (resource, "") => resource.to_owned(),
        (resource, group) => format!("{resource}.{group}"),
    }
}
