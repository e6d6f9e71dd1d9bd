//! Small histories by hand: what is accepted, what is refused, and in which words.

use crate::history::{
    Call, Event, Freshness, History, Kind, Operation, Origin, Outcome, Refusal, Revision, Seen,
    Time, Version, Violation, Watch, Write, check,
};

fn version(revision: Revision, value: &str) -> Version {
    Version {
        revision,
        value: value.to_owned(),
    }
}

fn operation(client: &str, start: Time, end: Time, call: Call) -> Operation {
    Operation {
        client: client.to_owned(),
        start,
        end,
        call,
    }
}

fn write(start: Time, end: Time, key: &str, write: Write, outcome: Outcome) -> Operation {
    let call = Call::Write {
        key: key.to_owned(),
        write,
        outcome,
    };
    operation("c1", start, end, call)
}

fn create(value: &str) -> Write {
    Write::Create {
        value: value.to_owned(),
    }
}

fn update(value: &str, expect: Option<Revision>) -> Write {
    Write::Update {
        value: value.to_owned(),
        expect,
    }
}

fn done(revision: Revision) -> Outcome {
    Outcome::Done(Some(revision))
}

fn get(start: Time, end: Time, key: &str, found: Option<Version>) -> Operation {
    let call = Call::Get {
        key: key.to_owned(),
        freshness: Freshness::Latest,
        found,
    };
    operation("c2", start, end, call)
}

fn list(start: Time, end: Time, revision: Revision, items: &[(&str, Version)]) -> Operation {
    let items = items.iter().cloned();
    let call = Call::List {
        freshness: Freshness::Latest,
        revision,
        items: items.map(|(key, item)| (key.to_owned(), item)).collect(),
    };
    operation("c2", start, end, call)
}

fn watch(origin: Revision, events: Vec<(Time, Event)>) -> Watch {
    let seen = events.into_iter().map(|(at, event)| Seen { at, event });
    Watch {
        client: "w".to_owned(),
        origin: Origin::After(origin),
        events: seen.collect(),
    }
}

fn added(revision: Revision, value: &str) -> Event {
    Event::Added("a".to_owned(), version(revision, value))
}

fn modified(revision: Revision, value: &str) -> Event {
    Event::Modified("a".to_owned(), version(revision, value))
}

fn deleted(revision: Revision, value: &str) -> Event {
    Event::Deleted("a".to_owned(), version(revision, value))
}

/// Created at 5, replaced at 7, deleted at 9, each acknowledged; all of it watched.
fn history() -> History {
    History {
        operations: vec![
            write(10, 20, "a", create("one"), done(5)),
            write(30, 40, "a", update("two", Some(5)), done(7)),
            write(
                50,
                60,
                "a",
                Write::Delete { expect: 7 },
                Outcome::Done(None),
            ),
        ],
        watches: vec![watch(
            0,
            vec![
                (21, added(5, "one")),
                (41, modified(7, "two")),
                (61, deleted(9, "two")),
                (70, Event::Bookmark(12)),
            ],
        )],
    }
}

fn with(operations: impl IntoIterator<Item = Operation>) -> History {
    let mut history = history();
    history.operations.extend(operations);
    history
}

fn kinds(history: &History) -> Vec<Kind> {
    match check(history) {
        Ok(_) => Vec::new(),
        Err(violations) => violations.iter().map(|violation| violation.kind).collect(),
    }
}

#[test]
fn what_fits_is_counted() {
    let history = with([
        get(12, 15, "a", None),
        get(12, 22, "a", Some(version(5, "one"))),
        get(32, 35, "a", Some(version(5, "one"))),
        get(32, 36, "a", Some(version(7, "two"))),
        get(62, 63, "a", None),
        list(32, 38, 6, &[("a", version(5, "one"))]),
        list(62, 63, 9, &[]),
        write(
            52,
            58,
            "a",
            create("three"),
            Outcome::Refused(Refusal::Exists),
        ),
        write(52, 58, "a", update("four", None), Outcome::Unknown),
        write(
            62,
            68,
            "a",
            update("five", None),
            Outcome::Refused(Refusal::Missing),
        ),
    ]);
    let summary = check(&history).unwrap();
    assert_eq!((summary.acknowledged, summary.unknown), (3, 1));
    assert_eq!((summary.refused, summary.reads), (2, 7));
    assert_eq!((summary.events, summary.changes), (3, 3));
}

#[test]
fn an_unknown_write_may_have_happened_or_not() {
    let mut history = History {
        operations: vec![write(10, 20, "a", create("one"), Outcome::Unknown)],
        watches: Vec::new(),
    };
    assert_eq!(kinds(&history), []);
    history.operations.push(get(30, 40, "a", None));
    assert_eq!(kinds(&history), []);
    // It may even happen after the client gave up on it, but then it stays.
    history
        .operations
        .push(get(50, 60, "a", Some(version(8, "one"))));
    assert_eq!(kinds(&history), []);
    history.operations.push(get(70, 80, "a", None));
    assert_eq!(kinds(&history), [Kind::Lost]);
}

#[test]
fn a_lost_write_is_named() {
    let history = History {
        operations: vec![
            write(10, 20, "a", create("one"), done(5)),
            list(30, 40, 8, &[]),
        ],
        watches: Vec::new(),
    };
    let violations = check(&history).unwrap_err();
    let [Violation { kind, .. }] = &violations[..] else {
        panic!("{violations:?}")
    };
    assert_eq!(*kind, Kind::Lost);
    assert_eq!(
        violations[0].to_string(),
        "lost write: of a, nothing is shown at 8\n  \
         revision 5: c1 from 0.000000 s to 0.000000 s: create \"one\" as a: acknowledged as 5 (still there)\n  \
         c2 from 0.000000 s to 0.000000 s: list (latest): 0 objects at 8"
    );
}

#[test]
fn stale_reads_are_found() {
    let stale = [
        get(42, 45, "a", Some(version(5, "one"))),
        get(42, 45, "a", None),
        get(62, 65, "a", Some(version(7, "two"))),
        list(42, 45, 6, &[("a", version(5, "one"))]),
        list(62, 65, 7, &[("a", version(7, "two"))]),
    ];
    for read in stale {
        assert_eq!(kinds(&with([read.clone()])), [Kind::Stale], "{read}");
    }
    // Two who read after each other must not see time go back, acknowledged or not.
    let reads = [
        get(31, 33, "a", Some(version(7, "two"))),
        get(34, 36, "a", Some(version(5, "one"))),
    ];
    assert_eq!(kinds(&with(reads)), [Kind::Stale]);
    let mut history = with([
        get(51, 53, "a", None),
        get(54, 56, "a", Some(version(7, "two"))),
    ]);
    assert_eq!(kinds(&history), [Kind::Stale]);
    // Who asks for any state may get an old one.
    for operation in &mut history.operations {
        if let Call::Get { freshness, .. } = &mut operation.call {
            *freshness = Freshness::Any;
        }
    }
    assert_eq!(kinds(&history), []);
}

#[test]
fn phantoms_are_found() {
    let refused = [
        write(
            12,
            14,
            "b",
            create("no"),
            Outcome::Refused(Refusal::Unavailable),
        ),
        get(15, 16, "b", Some(version(6, "no"))),
    ];
    assert_eq!(kinds(&with(refused)), [Kind::Phantom]);
    let read = get(31, 32, "a", Some(version(6, "nobody's")));
    assert_eq!(kinds(&with([read])), [Kind::Phantom]);
    let mut undeleted = history();
    undeleted.operations.pop();
    assert!(kinds(&undeleted).contains(&Kind::Phantom));
}

#[test]
fn revisions_belong_to_one_change_each() {
    let twice = [write(12, 18, "b", create("other"), done(5))];
    assert!(kinds(&with(twice)).contains(&Kind::Reused));
    let moved = [get(21, 25, "a", Some(version(6, "one")))];
    assert!(kinds(&with(moved)).contains(&Kind::Reused));
}

#[test]
fn writes_take_place_on_what_they_expect() {
    let blind = [write(44, 46, "a", update("blind", Some(5)), done(8))];
    assert!(kinds(&with(blind)).contains(&Kind::Overwritten));
    let twice = [write(22, 26, "a", create("again"), done(6))];
    assert!(kinds(&with(twice)).contains(&Kind::Overwritten));
    let deleted = [write(
        55,
        66,
        "a",
        Write::Delete { expect: 7 },
        Outcome::Done(None),
    )];
    assert!(kinds(&with(deleted)).contains(&Kind::Overwritten));
}

#[test]
fn a_deletion_that_did_not_take_place_is_lost() {
    let mut history = history();
    history.watches.clear();
    assert_eq!(kinds(&history), []);
    history
        .operations
        .push(get(62, 63, "a", Some(version(7, "two"))));
    assert_eq!(kinds(&history), [Kind::Lost]);
    history.operations.pop();
    history
        .operations
        .push(write(62, 65, "a", update("three", None), done(9)));
    assert_eq!(kinds(&history), [Kind::Lost]);
}

#[test]
fn revisions_follow_the_clock() {
    let late = [write(62, 66, "b", create("late"), done(6))];
    let found = kinds(&with(late));
    assert!(found.contains(&Kind::Disorder), "{found:?}");
}

#[test]
fn refusals_must_have_a_reason() {
    let refusals = [
        (42, update("x", Some(7)), Refusal::Conflict),
        (42, update("x", None), Refusal::Missing),
        (62, create("x"), Refusal::Exists),
    ];
    for (start, asked, refusal) in refusals {
        let refused = write(start, start + 3, "a", asked, Outcome::Refused(refusal));
        assert_eq!(kinds(&with([refused])), [Kind::Refused], "{refusal:?}");
    }
    let right = [
        (42, update("x", Some(5)), Refusal::Conflict),
        (52, update("y", Some(7)), Refusal::Conflict),
        (52, update("z", None), Refusal::Missing),
    ];
    for (start, asked, refusal) in right {
        let refused = write(start, start + 3, "a", asked, Outcome::Refused(refusal));
        assert_eq!(kinds(&with([refused])), [], "{refusal:?}");
    }
}

/// The history with its watch's events changed.
fn told(change: impl FnOnce(&mut Vec<Seen>)) -> Vec<Kind> {
    let mut history = history();
    change(&mut history.watches[0].events);
    kinds(&history)
}

#[test]
fn watches_tell_everything_in_order_once() {
    assert_eq!(told(|events| drop(events.remove(1))), [Kind::Missed]);
    let cut = told(|events| {
        events.remove(2);
    });
    assert_eq!(cut, [], "an unseen deletion may lie anywhere");
    let swapped = told(|events| events.swap(0, 1));
    assert!(swapped.contains(&Kind::Reordered), "{swapped:?}");
    assert!(swapped.contains(&Kind::Missed), "{swapped:?}");
    let repeated = told(|events| {
        let event = events[1].clone();
        events.insert(2, event);
    });
    assert_eq!(repeated, [Kind::Reordered]);
    let renamed = told(|events| events[1].event = added(7, "two"));
    assert_eq!(renamed, [Kind::Misreported]);
    let late_start = told(|events| {
        events[0].event = modified(5, "one");
    });
    assert_eq!(late_start, [Kind::Misreported]);
    let wrong_end = told(|events| events[2].event = deleted(9, "one"));
    assert_eq!(wrong_end, [Kind::Misreported]);
}

#[test]
fn a_watch_begins_with_a_state() {
    let initial = |events| History {
        watches: vec![Watch {
            origin: Origin::Initial,
            ..watch(0, events)
        }],
        ..history()
    };
    let right = initial(vec![
        (43, modified_to_begin_with()),
        (44, Event::InitialEnd(8)),
        (61, deleted(9, "two")),
    ]);
    assert_eq!(kinds(&right), []);
    let empty = initial(vec![(44, Event::InitialEnd(8)), (61, deleted(9, "two"))]);
    assert_eq!(kinds(&empty), [Kind::Lost]);
    let old = initial(vec![
        (43, added(5, "one")),
        (44, Event::InitialEnd(8)),
        (61, deleted(9, "two")),
    ]);
    assert_eq!(kinds(&old), [Kind::Lost]);
    let torn = initial(vec![(43, added(7, "two")), (44, Event::InitialEnd(6))]);
    assert_eq!(kinds(&torn), [Kind::Torn]);
}

/// An object to begin with is told as added, whatever its last change was.
fn modified_to_begin_with() -> Event {
    added(7, "two")
}
