//! Builders for tests.

use std::collections::BTreeMap;

use federation_api::kinds::PodPlacement;
use federation_api::{labels, names};

use crate::member::{CellFacts, Member};

pub(crate) fn labels_of(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// A ready physical member.
pub(crate) fn cluster(name: &str, pairs: &[(&str, &str)]) -> Member {
    Member {
        name: name.into(),
        labels: labels_of(pairs),
        ready: true,
        cell: None,
    }
}

/// A ready member that stands for a cell.
pub(crate) fn cell(name: &str, namespace: &str, cluster: &str, pairs: &[(&str, &str)]) -> Member {
    let mut all = labels_of(pairs);
    all.insert(labels::CELL.into(), name.into());
    all.insert(labels::CELL_NAMESPACE.into(), namespace.into());
    all.insert(labels::CLUSTER.into(), cluster.into());
    Member {
        name: names::cell_cluster(name, namespace),
        labels: all,
        ready: true,
        cell: Some(CellFacts {
            name: name.into(),
            namespace: namespace.into(),
            cluster: cluster.into(),
            member_namespace: names::default_member_namespace(namespace, name),
            pod_placement: PodPlacement::default(),
            leaving: None,
        }),
    }
}
