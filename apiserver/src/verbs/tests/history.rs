//! Any interleaving of writes and watches tells every watcher exactly the history that it chose.

use std::collections::BTreeMap;

use futures::StreamExt;
use proptest::prelude::*;

use super::{World, short};

const NAMESPACES: [&str; 2] = ["a", "b"];
const LABELS: [&str; 2] = ["p", "q"];

#[derive(Clone, Debug)]
enum Step {
    Put {
        namespace: usize,
        name: u8,
        label: usize,
    },
    Delete {
        namespace: usize,
        name: u8,
    },
    Watch(Start),
}

/// One watch: over a namespace or all, of one label or all, from so many changes ago or from all objects.
#[derive(Clone, Debug)]
struct Start {
    namespace: Option<usize>,
    label: Option<usize>,
    back: Option<u64>,
}

/// The model: every pod with its label and revision.
type Pods = BTreeMap<(usize, u8), (usize, u64)>;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (namespace, name, label) = (0..2_usize, 0..4_u8, 0..2_usize);
    let start = (
        proptest::option::of(namespace.clone()),
        proptest::option::of(label.clone()),
        proptest::option::of(0..8_u64),
    );
    let step = prop_oneof![
        5 => (namespace.clone(), name.clone(), label)
            .prop_map(|(namespace, name, label)| Step::Put { namespace, name, label }),
        2 => (namespace, name).prop_map(|(namespace, name)| Step::Delete { namespace, name }),
        2 => start.prop_map(|(namespace, label, back)| Step::Watch(Start { namespace, label, back })),
    ];
    proptest::collection::vec(step, 1..50)
}

impl Start {
    fn chooses(&self, namespace: usize, label: usize) -> bool {
        self.namespace.is_none_or(|n| n == namespace) && self.label.is_none_or(|l| l == label)
    }

    /// The items that the history after `after` gives this watch, after those of the objects it begins with.
    fn due(&self, history: &[Pods], after: u64) -> Vec<String> {
        let mut items = Vec::new();
        let start = usize::try_from(after).unwrap();
        if self.back.is_none() {
            for ((namespace, name), (label, revision)) in &history[start] {
                if self.chooses(*namespace, *label) {
                    items.push(format!("+{name}@{revision}"));
                }
            }
        }
        for (index, pair) in history.windows(2).enumerate().skip(start) {
            let revision = index + 1;
            let [before, now] = pair else { continue };
            let changed = before
                .keys()
                .chain(now.keys())
                .find(|k| before.get(*k) != now.get(*k));
            let Some(key) = changed else { continue };
            let chosen = |pods: &Pods| {
                pods.get(key)
                    .is_some_and(|(label, _)| self.chooses(key.0, *label))
            };
            let name = key.1;
            match (chosen(before), chosen(now)) {
                (false, true) => items.push(format!("+{name}@{revision}")),
                (true, true) => items.push(format!("~{name}@{revision}")),
                (true, false) => items.push(format!("-{name}@{revision}")),
                (false, false) => {}
            }
        }
        items
    }
}

/// Carries the steps out; every watch with the items it gave, read at the same time as the writing goes on.
async fn play(steps: Vec<Step>) {
    let mut world = World::new().await;
    let mut history = vec![Pods::new()];
    let mut watches = Vec::new();
    for step in steps {
        let mut pods = history.last().unwrap().clone();
        let revision = history.len() as u64;
        match step {
            Step::Put {
                namespace,
                name,
                label,
            } => {
                let (ns, text) = (NAMESPACES[namespace], name.to_string());
                world.put(ns, &text, LABELS[label], "Running").await;
                pods.insert((namespace, name), (label, revision));
                history.push(pods);
            }
            Step::Delete { namespace, name } => {
                if pods.remove(&(namespace, name)).is_some() {
                    world.delete(NAMESPACES[namespace], &name.to_string()).await;
                    history.push(pods);
                }
            }
            Step::Watch(start) => {
                let current = revision - 1;
                let after = start.back.map_or(current, |back| {
                    current.saturating_sub(back).max(1).min(current)
                });
                // Revision 0 has no text form; a watch from there begins with all objects, of which there are none.
                let label = start
                    .label
                    .map(|l| format!("labelSelector=x={}&", LABELS[l]));
                let from = start.back.map_or("0".to_owned(), |_| after.to_string());
                let query = format!("{}resourceVersion={from}", label.unwrap_or_default());
                let namespace = start.namespace.map_or("", |n| NAMESPACES[n]);
                let stream = world.watch(namespace, &query).await.unwrap();
                let items = stream.map(|item| short(&item)).collect::<Vec<_>>();
                watches.push((start, after, tokio::spawn(items)));
            }
        }
        tokio::task::yield_now().await;
    }
    // Let the readers take what is there before they are told to stop.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    world.api.cache.end_watches();
    for (start, after, items) in watches {
        let items = items.await.unwrap();
        assert_eq!(items, start.due(&history, after), "{start:?} after {after}");
    }
    let model = history.last().unwrap();
    let listed = world.list("", "").await.unwrap();
    let names: Vec<String> = model.keys().map(|(_, name)| name.to_string()).collect();
    assert_eq!(listed.names, names);
    assert_eq!(listed.revision, history.len() as u64 - 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_watcher_sees_exactly_its_history(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(steps));
    }
}
