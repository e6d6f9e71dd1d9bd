//! A server with clients on simulated time, which keeps every promise, or breaks one.

use std::collections::BTreeMap;

use crate::history::{
    Call, Event, Freshness, History, Operation, Origin, Outcome, Refusal, Revision, Seen, Time,
    Version, Watch, Write,
};

/// How the server is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    None,
    /// One write is acknowledged and told, and then gone; its number is given out again.
    LoseAcknowledged,
    /// One write is told to watchers and readers before it is committed, and then is not.
    PublishBeforeCommit,
    /// One read of the latest state shows the one before.
    ReadStale,
    /// One list lacks an object.
    TearList,
}

/// One step of a client, of random numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) client: u8,
    pub(super) key: u8,
    pub(super) what: u8,
    pub(super) fate: u8,
    pub(super) pause: u8,
    pub(super) delays: (u8, u8),
}

#[derive(Clone, Debug)]
struct Change {
    at: Time,
    revision: Revision,
    key: String,
    event: Event,
}

type State = BTreeMap<String, Version>;

/// A server and what its clients recorded.
pub(super) struct Simulation {
    revision: Revision,
    states: Vec<(Revision, State)>,
    log: Vec<Change>,
    bug: Bug,
    /// Whether the bug has shown itself to somebody.
    pub(super) bitten: bool,
    pub(super) history: History,
}

/// A request on its way: it has begun, and takes effect at its time.
struct Request {
    start: Time,
    effect: Time,
    end: Time,
    number: usize,
    step: Step,
}

impl Simulation {
    /// Lets the clients take their steps, and two watchers see all of it from different beginnings.
    pub(super) fn run(steps: &[Step], bug: Bug) -> Self {
        let mut simulation = Self {
            revision: 0,
            states: vec![(0, State::new())],
            log: Vec::new(),
            bug,
            bitten: false,
            history: History::default(),
        };
        let mut requests = requests(steps);
        requests.sort_by_key(|request| (request.effect, request.number));
        for request in &requests {
            simulation.serve(request);
        }
        let end = requests.iter().map(|request| request.end).max();
        simulation.final_list(end.unwrap_or(0) + 10);
        simulation.watch(0);
        simulation.watch(simulation.revision / 2);
        simulation.watch_with_state(simulation.revision / 3);
        simulation
    }

    fn now(&self) -> &State {
        let last = self.states.last();
        &last.expect("there is a state from the beginning").1
    }

    /// The state when a request began.
    fn seen_at(&self, time: Time, key: &str) -> Option<Version> {
        let began = self.log.iter().rev().find(|change| change.at <= time);
        let revision = began.map_or(0, |change| change.revision);
        let state = self.states.iter().rev().find(|(at, _)| *at <= revision);
        state.and_then(|(_, state)| state.get(key).cloned())
    }

    fn serve(&mut self, request: &Request) {
        let key = format!("k{}", request.step.key % 3);
        let call = match request.step.what % 8 {
            0 | 1 => self.write(request, &key, |value, _| Some(Write::Create { value })),
            2 => self.write(request, &key, |value, _| {
                Some(Write::Update {
                    value,
                    expect: None,
                })
            }),
            3 | 4 => self.write(request, &key, |value, known| {
                Some(Write::Update {
                    value,
                    expect: Some(known?.revision),
                })
            }),
            5 => self.write(request, &key, |_, known| {
                Some(Write::Delete {
                    expect: known?.revision,
                })
            }),
            6 => Some(self.get(&key)),
            _ => Some(self.list(request.step.fate)),
        };
        if let Some(call) = call {
            self.record(request, call);
        }
    }

    fn record(&mut self, request: &Request, call: Call) {
        self.history.operations.push(Operation {
            client: format!("c{}", request.step.client % 3),
            start: request.start,
            end: request.end,
            call,
        });
    }

    fn write(
        &mut self,
        request: &Request,
        key: &str,
        make: impl FnOnce(String, Option<Version>) -> Option<Write>,
    ) -> Option<Call> {
        let known = self.seen_at(request.start, key);
        let write = make(format!("v{}", request.number), known)?;
        let call = |outcome| {
            Some(Call::Write {
                key: key.to_owned(),
                write: write.clone(),
                outcome,
            })
        };
        let current = self.now().get(key).cloned();
        let refusal = match (&write, &current) {
            (Write::Create { .. }, Some(_)) => Some(Refusal::Exists),
            (Write::Update { .. } | Write::Delete { .. }, None) => Some(Refusal::Missing),
            (
                Write::Update {
                    expect: Some(expect),
                    ..
                }
                | Write::Delete { expect },
                Some(current),
            ) if current.revision != *expect => Some(Refusal::Conflict),
            _ => None,
        };
        if let Some(refusal) = refusal {
            return call(Outcome::Refused(refusal));
        }
        let outcome = match request.step.fate % 8 {
            0 => return call(Outcome::Unknown),
            1 => return call(Outcome::Refused(Refusal::Unavailable)),
            2 => Outcome::Unknown,
            _ => Outcome::Done(write.value().map(|_| self.revision + 1)),
        };
        let before = self.now().clone();
        self.apply(request.effect, key, &write, current);
        self.lose(outcome, before);
        call(outcome)
    }

    fn apply(&mut self, at: Time, key: &str, write: &Write, current: Option<Version>) {
        self.revision += 1;
        let mut state = self.now().clone();
        let version = |value: &str| Version {
            revision: self.revision,
            value: value.to_owned(),
        };
        let name = key.to_owned();
        let event = match write {
            Write::Create { value } => Event::Added(name, version(value)),
            Write::Update { value, .. } => Event::Modified(name, version(value)),
            Write::Delete { .. } => {
                let last = current.expect("it was there to be deleted").value;
                Event::Deleted(name, version(&last))
            }
        };
        match &event {
            Event::Added(_, version) | Event::Modified(_, version) => {
                state.insert(key.to_owned(), version.clone());
            }
            _ => drop(state.remove(key)),
        }
        self.log.push(Change {
            at,
            revision: self.revision,
            key: key.to_owned(),
            event,
        });
        self.states.push((self.revision, state));
    }

    /// Takes the last change back, as the bug wants it.
    fn lose(&mut self, outcome: Outcome, before: State) {
        let acknowledged = matches!(outcome, Outcome::Done(Some(_)));
        let bites = match self.bug {
            Bug::LoseAcknowledged => acknowledged,
            Bug::PublishBeforeCommit => true,
            _ => false,
        };
        if self.bitten || self.revision < 4 || !bites {
            return;
        }
        self.bitten = true;
        if self.bug == Bug::LoseAcknowledged {
            self.log.pop();
        }
        // With the other bug it stays in the log that the watchers read.
        self.states.pop();
        self.revision -= 1;
        debug_assert_eq!(*self.now(), before);
    }

    fn get(&mut self, key: &str) -> Call {
        let state = self.old_or_new();
        Call::Get {
            key: key.to_owned(),
            freshness: Freshness::Latest,
            found: state.1.get(key).cloned(),
        }
    }

    /// The state that a read of the latest gets.
    fn old_or_new(&mut self) -> (Revision, State) {
        let last = self.states.len() - 1;
        self.states[last].clone()
    }

    fn list(&mut self, fate: u8) -> Call {
        let (freshness, (revision, mut items)) = match fate % 4 {
            0 => (Freshness::Any, self.states[self.states.len() / 2].clone()),
            1 => {
                let old = self.states[self.states.len() / 2].clone();
                (Freshness::Exact(old.0), old)
            }
            _ => (Freshness::Latest, self.old_or_new()),
        };
        if self.bug == Bug::TearList && !self.bitten && !items.is_empty() {
            items.pop_first();
            self.bitten = true;
        }
        Call::List {
            freshness,
            revision,
            items,
        }
    }

    /// A last read of everything, by which every earlier write must show.
    fn final_list(&mut self, at: Time) {
        let stale = self.bug == Bug::ReadStale && self.states.len() > 1;
        let back = if stale { 2 } else { 1 };
        self.bitten |= stale;
        let (revision, items) = self.states[self.states.len() - back].clone();
        self.history.operations.push(Operation {
            client: "last".to_owned(),
            start: at,
            end: at + 1,
            call: Call::List {
                freshness: Freshness::Latest,
                revision,
                items,
            },
        });
    }

    fn watch(&mut self, origin: Revision) {
        let mut events = self.events_after(origin);
        let end = events.last().map_or(0, |seen| seen.at) + 5;
        let last = self.log.last().map_or(0, |change| change.revision);
        events.push(Seen {
            at: end,
            event: Event::Bookmark(last.max(origin)),
        });
        self.history.watches.push(Watch {
            client: format!("w{origin}"),
            origin: Origin::After(origin),
            events,
        });
    }

    fn watch_with_state(&mut self, revision: Revision) {
        let state = self.states.iter().rev().find(|(at, _)| *at <= revision);
        let Some((revision, state)) = state.cloned() else {
            return;
        };
        let began = self.log.iter().filter(|change| change.revision <= revision);
        let at = began.map(|change| change.at).max().unwrap_or(0);
        let mut events: Vec<Seen> = state
            .into_iter()
            .map(|(key, version)| Event::Added(key, version))
            .chain([Event::InitialEnd(revision)])
            .map(|event| Seen { at, event })
            .collect();
        events.extend(self.events_after(revision));
        self.history.watches.push(Watch {
            client: format!("s{revision}"),
            origin: Origin::Initial,
            events,
        });
    }

    fn events_after(&self, origin: Revision) -> Vec<Seen> {
        let after = self.log.iter().filter(|change| change.revision > origin);
        after
            .map(|change| {
                debug_assert!(!change.key.is_empty());
                Seen {
                    at: change.at,
                    event: change.event.clone(),
                }
            })
            .collect()
    }
}

/// When each step of each client begins, takes effect and ends: one after the other per client.
fn requests(steps: &[Step]) -> Vec<Request> {
    let mut free: BTreeMap<u8, Time> = BTreeMap::new();
    let mut requests = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let begin = free.entry(step.client % 3).or_default();
        // No two things at the same instant.
        let spread = u64::try_from(number).unwrap_or(0);
        let scaled = |delay: u8| u64::from(delay) * 1000 + spread + 1;
        let start = *begin + scaled(step.pause);
        let effect = start + scaled(step.delays.0);
        let end = effect + scaled(step.delays.1);
        *begin = end;
        requests.push(Request {
            start,
            effect,
            end,
            number,
            step: *step,
        });
    }
    requests
}
