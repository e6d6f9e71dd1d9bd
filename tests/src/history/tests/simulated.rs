//! Properties: what a right server does is accepted, and every fault is found.

use proptest::prelude::*;

use super::simulation::{Bug, Simulation, Step};
use crate::history::{Event, History, Kind, check};

fn step() -> impl Strategy<Value = Step> {
    let delays = (0..20_u8, 0..20_u8);
    (0..3_u8, 0..3_u8, 0..8_u8, any::<u8>(), 0..20_u8, delays).prop_map(
        |(client, key, what, fate, pause, delays)| Step {
            client,
            key,
            what,
            fate,
            pause,
            delays,
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 20..80)
}

fn kinds(history: &History) -> Vec<Kind> {
    let found = check(history).err().unwrap_or_default();
    found.iter().map(|violation| violation.kind).collect()
}

/// Runs a server with a bug; what was found if it has bitten.
fn found(steps: &[Step], bug: Bug) -> Option<Vec<Kind>> {
    let simulation = Simulation::run(steps, bug);
    simulation.bitten.then(|| kinds(&simulation.history))
}

proptest! {
    #[test]
    fn a_right_server_is_believed(steps in steps()) {
        let simulation = Simulation::run(&steps, Bug::None);
        if let Err(violations) = check(&simulation.history) {
            let told: Vec<String> = violations.iter().map(ToString::to_string).collect();
            prop_assert!(false, "{}", told.join("\n"));
        }
    }

    #[test]
    fn a_lost_write_is_found(steps in steps()) {
        if let Some(kinds) = found(&steps, Bug::LoseAcknowledged) {
            prop_assert!(!kinds.is_empty());
        }
    }

    #[test]
    fn publishing_before_the_commit_is_found(steps in steps()) {
        if let Some(kinds) = found(&steps, Bug::PublishBeforeCommit) {
            prop_assert!(!kinds.is_empty());
        }
    }

    #[test]
    fn a_stale_read_is_found(steps in steps()) {
        if let Some(kinds) = found(&steps, Bug::ReadStale) {
            prop_assert!(kinds.contains(&Kind::Stale), "{kinds:?}");
        }
    }

    #[test]
    fn a_torn_list_is_found(steps in steps()) {
        if let Some(kinds) = found(&steps, Bug::TearList) {
            prop_assert!(kinds.contains(&Kind::Lost), "{kinds:?}");
        }
    }

    #[test]
    fn a_missing_event_is_found(steps in steps(), place in any::<prop::sample::Index>()) {
        let mut history = Simulation::run(&steps, Bug::None).history;
        // The second watch tells only a part: what is missing there is known from the first.
        let events = &mut history.watches[1].events;
        prop_assume!(events.len() > 1);
        events.remove(place.index(events.len() - 1));
        prop_assert_eq!(kinds(&history), [Kind::Missed]);
    }

    #[test]
    fn swapped_events_are_found(steps in steps(), place in any::<prop::sample::Index>()) {
        let mut history = Simulation::run(&steps, Bug::None).history;
        let events = &mut history.watches[0].events;
        prop_assume!(events.len() > 2);
        let first = place.index(events.len() - 2);
        let (at, other) = (events[first].at, events[first + 1].at);
        events.swap(first, first + 1);
        (events[first].at, events[first + 1].at) = (at.max(other), other.max(at));
        prop_assert!(kinds(&history).contains(&Kind::Reordered));
    }

    #[test]
    fn repeated_events_are_found(steps in steps(), place in any::<prop::sample::Index>()) {
        let mut history = Simulation::run(&steps, Bug::None).history;
        let events = &mut history.watches[0].events;
        prop_assume!(events.len() > 1);
        let first = place.index(events.len() - 1);
        let event = events[first].clone();
        events.insert(first + 1, event);
        prop_assert_eq!(kinds(&history), [Kind::Reordered]);
    }

    #[test]
    fn an_event_of_another_revision_is_found(steps in steps(), place in any::<prop::sample::Index>()) {
        let mut history = Simulation::run(&steps, Bug::None).history;
        let events = &mut history.watches[0].events;
        prop_assume!(events.len() > 1);
        let place = place.index(events.len() - 1);
        match &mut events[place].event {
            Event::Added(_, version) | Event::Modified(_, version) | Event::Deleted(_, version) => {
                version.revision += 1_000_000;
            }
            Event::Bookmark(_) | Event::InitialEnd(_) => {}
        }
        prop_assert!(!kinds(&history).is_empty());
    }
}
