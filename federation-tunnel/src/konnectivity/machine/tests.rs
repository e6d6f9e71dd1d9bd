//! Both sides against each other in any order of events, and each against a peer that says anything.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroI64;
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::konnectivity::wire::{ConnectionId, Packet};

const LIMITS: Limits = Limits {
    connections: 4,
    inbound: 4_000,
    hold: Some(Duration::from_secs(1)),
    outbound: 600,
    outbound_total: 1_500,
    control: 16,
};

fn id(number: i64) -> ConnectionId {
    NonZeroI64::new(number).unwrap()
}

fn sent(machine: &mut impl Connections) -> Vec<Packet> {
    let mut all = Vec::new();
    while let Poll::Ready(Some(packet)) = machine.next(Waker::noop()) {
        all.push(packet);
    }
    all
}

fn dialed(dialer: &mut Dialer, number: i64) -> ConnectionId {
    assert_eq!(dialer.dial("a:1"), Ok(number));
    let answer = Packet::Dialed {
        dial: number,
        id: id(number),
    };
    dialer.receive(answer).unwrap();
    match dialer.answer(number, Waker::noop()) {
        Poll::Ready(Ok(id)) => id,
        other => panic!("{other:?}"),
    }
}

fn data(number: i64, bytes: &'static [u8]) -> Packet {
    Packet::Data {
        id: id(number),
        bytes: Bytes::from_static(bytes),
    }
}

#[test]
fn an_answer_to_a_cancelled_dial_closes_what_was_dialled() {
    let mut dialer = Dialer::new(LIMITS);
    dialer.dial("a:1").unwrap();
    dialer.cancel(1);
    sent(&mut dialer);
    let late = Packet::Dialed { dial: 1, id: id(3) };
    dialer.receive(late).unwrap();
    dialer.receive(data(3, b"greeting")).unwrap();
    assert_eq!(sent(&mut dialer), [Packet::Close { id: id(3) }]);
    assert_eq!(dialer.load(), 0);
}

#[test]
fn an_answer_that_nobody_took_is_closed_too() {
    let mut dialer = Dialer::new(LIMITS);
    dialer.dial("a:1").unwrap();
    sent(&mut dialer);
    dialer
        .receive(Packet::Dialed { dial: 1, id: id(3) })
        .unwrap();
    dialer.cancel(1);
    assert_eq!(sent(&mut dialer), [Packet::Close { id: id(3) }]);
    assert_eq!(dialer.load(), 0);
}

#[test]
fn a_number_used_twice_ends_the_stream() {
    let mut dialer = Dialer::new(LIMITS);
    dialed(&mut dialer, 1);
    dialer.dial("a:1").unwrap();
    let again = Packet::Dialed { dial: 2, id: id(1) };
    assert_eq!(dialer.receive(again), Err(Violation::Reused(id(1))));
}

#[test]
fn what_arrived_before_the_end_is_read_before_it() {
    let mut dialer = Dialer::new(LIMITS);
    let one = dialed(&mut dialer, 1);
    dialer.receive(data(1, b"last words")).unwrap();
    let closed = Packet::Closed {
        id: one,
        error: String::new(),
    };
    dialer.receive(closed).unwrap();
    let read = |dialer: &mut Dialer| dialer.read(one, 100, Waker::noop());
    let words = Bytes::from_static(b"last words");
    assert_eq!(read(&mut dialer), Poll::Ready(Read::Data(words)));
    assert_eq!(read(&mut dialer), Poll::Ready(Read::End(End::Closed)));
    let write = dialer.write(one, b"x", Waker::noop());
    assert_eq!(write, Poll::Ready(Err(End::Closed)));
    sent(&mut dialer);
    dialer.abandon(one);
    assert_eq!(
        sent(&mut dialer),
        [],
        "it is closed already: nothing to say"
    );
}

#[test]
fn a_reader_that_never_reads_loses_its_connection_and_nobody_else_does() {
    let mut acceptor = Acceptor::new(LIMITS);
    for dial in [1, 2] {
        let (protocol, address) = ("tcp".to_owned(), "a:1".to_owned());
        acceptor
            .receive(Packet::Dial {
                dial,
                protocol,
                address,
            })
            .unwrap();
        assert_eq!(acceptor.dialed(dial), Some(id(dial)));
    }
    sent(&mut acceptor);
    while acceptor.relieved(Waker::noop()).is_ready() {
        acceptor.receive(data(1, &[0; 500])).unwrap();
    }
    acceptor.give_up();
    assert!(acceptor.relieved(Waker::noop()).is_ready());
    let read = acceptor.read(id(1), 10, Waker::noop());
    assert_eq!(read, Poll::Ready(Read::End(End::OverBudget(4_000))));
    let error = "the reader is 4000 bytes behind".to_owned();
    assert_eq!(
        sent(&mut acceptor),
        [Packet::Closed { id: id(1), error }],
        "and says why"
    );
    acceptor.receive(data(1, &[0; 500])).unwrap();
    acceptor.receive(data(2, b"x")).unwrap();
    let read = acceptor.read(id(2), 10, Waker::noop());
    assert_eq!(
        read,
        Poll::Ready(Read::Data(Bytes::from_static(b"x"))),
        "the other one goes on"
    );
    acceptor.abandon(id(1));
    assert_eq!(sent(&mut acceptor), []);
}

#[test]
fn a_slow_reader_that_reads_is_waited_for() {
    let mut dialer = Dialer::new(LIMITS);
    let one = dialed(&mut dialer, 1);
    while dialer.relieved(Waker::noop()).is_ready() {
        dialer.receive(data(1, &[0; 500])).unwrap();
    }
    for _ in 0..2 {
        assert!(dialer.read(one, 500, Waker::noop()).is_ready());
        assert!(dialer.relieved(Waker::noop()).is_pending());
    }
    assert!(dialer.read(one, 500, Waker::noop()).is_ready());
    assert!(dialer.relieved(Waker::noop()).is_ready());
}

#[test]
fn an_agent_answers_upstreams_way() {
    let mut agent = Acceptor::new(LIMITS);
    agent.receive(data(5, b"x")).unwrap();
    agent.receive(Packet::Close { id: id(5) }).unwrap();
    let closed = |error: &str| Packet::Closed {
        id: id(5),
        error: error.to_owned(),
    };
    assert_eq!(
        sent(&mut agent),
        [
            closed("unrecognized connectID"),
            closed("Unknown connectID")
        ]
    );
    agent.drain().unwrap();
    assert_eq!(sent(&mut agent), [Packet::Drain]);
}

#[test]
fn who_provokes_and_does_not_read_is_cut_off() {
    let mut agent = Acceptor::new(LIMITS);
    let flood = (0..17).find_map(|_| agent.receive(data(5, b"x")).err());
    assert_eq!(flood, Some(Violation::Flood));
}

#[test]
fn the_end_of_a_stream_ends_everything_on_it() {
    let mut dialer = Dialer::new(LIMITS);
    let one = dialed(&mut dialer, 1);
    dialer.dial("a:1").unwrap();
    dialer.lost("gone");
    let end = End::Lost("gone".to_owned());
    let read = dialer.read(one, 1, Waker::noop());
    assert_eq!(read, Poll::Ready(Read::End(end)));
    let lost = DialEnd::Lost("gone".to_owned());
    let answer = dialer.answer(2, Waker::noop());
    assert_eq!(answer, Poll::Ready(Err(lost.clone())));
    assert_eq!(dialer.dial("a:1"), Err(lost));
    assert_eq!(dialer.next(Waker::noop()), Poll::Ready(None));
}

#[derive(Clone, Debug)]
enum Event {
    Dial,
    Cancel(usize),
    Answer {
        good: bool,
    },
    Claim(usize),
    Write {
        side: bool,
        which: usize,
        len: usize,
    },
    Read {
        side: bool,
        which: usize,
        most: usize,
    },
    Leave {
        side: bool,
        which: usize,
    },
    Shutdown {
        which: usize,
    },
    Carry {
        side: bool,
    },
    GiveUp {
        side: bool,
    },
}

fn event() -> impl Strategy<Value = Event> {
    let (side, which) = (any::<bool>(), 0_usize..8);
    prop_oneof![
        2 => Just(Event::Dial),
        1 => which.clone().prop_map(Event::Cancel),
        2 => any::<bool>().prop_map(|bad| Event::Answer { good: !bad }),
        3 => which.clone().prop_map(Event::Claim),
        6 => (side, which.clone(), 1_usize..700).prop_map(|(side, which, len)| Event::Write { side, which, len }),
        6 => (side, which.clone(), 1_usize..900).prop_map(|(side, which, most)| Event::Read { side, which, most }),
        1 => (side, which.clone()).prop_map(|(side, which)| Event::Leave { side, which }),
        1 => which.prop_map(|which| Event::Shutdown { which }),
        9 => side.prop_map(|side| Event::Carry { side }),
        1 => side.prop_map(|side| Event::GiveUp { side }),
    ]
}

/// One end of one connection, as its owner sees it.
#[derive(Debug, Default)]
struct Owner {
    wrote: usize,
    read: usize,
    ended: bool,
    gone: bool,
}

/// A server and an agent, and the two directions between them.
struct Pair {
    dialer: Dialer,
    acceptor: Acceptor,
    there: VecDeque<Packet>,
    back: VecDeque<Packet>,
    dials: Vec<i64>,
    asked: Vec<i64>,
    here_owners: HashMap<ConnectionId, Owner>,
    there_owners: HashMap<ConnectionId, Owner>,
}

/// The n-th byte of a direction, so that a byte that is lost or moved is seen.
fn byte(side: bool, id: ConnectionId, place: usize) -> u8 {
    (place as u64 * 31 + place as u64 / 251 + id.get() as u64 * 7 + u64::from(side)) as u8
}

impl Pair {
    fn new() -> Self {
        Self {
            dialer: Dialer::new(LIMITS),
            acceptor: Acceptor::new(LIMITS),
            there: VecDeque::new(),
            back: VecDeque::new(),
            dials: Vec::new(),
            asked: Vec::new(),
            here_owners: HashMap::new(),
            there_owners: HashMap::new(),
        }
    }

    fn side(
        &mut self,
        here: bool,
    ) -> (
        &mut dyn Connections,
        &mut HashMap<ConnectionId, Owner>,
        &mut HashMap<ConnectionId, Owner>,
    ) {
        match here {
            true => (
                &mut self.dialer,
                &mut self.here_owners,
                &mut self.there_owners,
            ),
            false => (
                &mut self.acceptor,
                &mut self.there_owners,
                &mut self.here_owners,
            ),
        }
    }

    fn pick(&mut self, here: bool, which: usize) -> Option<ConnectionId> {
        let (_, owners, _) = self.side(here);
        let mut ids: Vec<_> = owners.iter().filter(|(_, o)| !o.gone).collect();
        ids.sort_by_key(|(id, _)| **id);
        ids.get(which % ids.len().max(1)).map(|(id, _)| **id)
    }

    fn run(&mut self, event: Event) {
        match event {
            Event::Dial => {
                if let Ok(dial) = self.dialer.dial("a:1") {
                    self.dials.push(dial);
                }
            }
            Event::Cancel(which) if !self.dials.is_empty() => {
                let dial = self.dials.remove(which % self.dials.len());
                self.dialer.cancel(dial);
            }
            Event::Claim(which) if !self.dials.is_empty() => self.claim(which % self.dials.len()),
            Event::Answer { good } => self.answer(good),
            Event::Write { side, which, len } => self.write(side, which, len),
            Event::Read { side, which, most } => self.read(side, which, most),
            Event::Leave { side, which } => {
                if let Some(id) = self.pick(side, which) {
                    let (machine, owners, _) = self.side(side);
                    machine.abandon(id);
                    owners.get_mut(&id).unwrap().gone = true;
                }
            }
            Event::Shutdown { which } => {
                if let Some(id) = self.pick(false, which) {
                    self.acceptor.shutdown(id);
                }
            }
            Event::Carry { side } => self.carry(side),
            Event::GiveUp { side } => self.side(side).0.give_up(),
            Event::Cancel(_) | Event::Claim(_) => {}
        }
        for table in [self.dialer.table(), self.acceptor.table()] {
            let (inbound, outbound, control) = table.held();
            // One packet may go over before the stream waits.
            assert!(inbound <= LIMITS.inbound + 700 + 64, "{inbound}");
            assert!(outbound <= LIMITS.outbound_total + 700, "{outbound}");
            assert!(control <= LIMITS.control);
        }
    }

    fn claim(&mut self, place: usize) {
        let dial = self.dials[place];
        match self.dialer.answer(dial, Waker::noop()) {
            Poll::Pending => {}
            Poll::Ready(answer) => {
                self.dials.remove(place);
                if let Ok(id) = answer {
                    let new = self.here_owners.insert(id, Owner::default());
                    assert!(new.is_none(), "{id} was answered twice");
                }
            }
        }
    }

    fn answer(&mut self, good: bool) {
        let Some(dial) = self.asked.pop() else { return };
        if !good {
            return self.acceptor.failed(dial, "no".to_owned()).unwrap();
        }
        if let Some(id) = self.acceptor.dialed(dial) {
            self.there_owners.insert(id, Owner::default());
        }
    }

    fn write(&mut self, side: bool, which: usize, len: usize) {
        let Some(id) = self.pick(side, which) else {
            return;
        };
        let (machine, owners, _) = self.side(side);
        let owner = owners.get_mut(&id).unwrap();
        let bytes: Vec<u8> = (0..len).map(|n| byte(side, id, owner.wrote + n)).collect();
        if let Poll::Ready(Ok(taken)) = machine.write(id, &bytes, Waker::noop()) {
            assert!(taken > 0);
            owner.wrote += taken;
        }
    }

    fn read(&mut self, side: bool, which: usize, most: usize) {
        let Some(id) = self.pick(side, which) else {
            return;
        };
        let (machine, owners, others) = self.side(side);
        let owner = owners.get_mut(&id).unwrap();
        match machine.read(id, most, Waker::noop()) {
            Poll::Pending => assert!(!owner.ended, "what has ended does not go on"),
            Poll::Ready(Read::End(_)) => owner.ended = true,
            Poll::Ready(Read::Data(bytes)) => {
                assert!(!owner.ended && bytes.len() <= most && !bytes.is_empty());
                for (n, got) in bytes.iter().enumerate() {
                    assert_eq!(*got, byte(!side, id, owner.read + n));
                }
                owner.read += bytes.len();
                let wrote = others.get(&id).map_or(0, |other| other.wrote);
                assert!(owner.read <= wrote);
            }
        }
    }

    /// Takes one packet from one side, or hands one to the other.
    fn carry(&mut self, to_agent: bool) {
        if to_agent {
            if let Poll::Ready(Some(packet)) = self.dialer.next(Waker::noop()) {
                self.there.push_back(packet);
            }
            if self.acceptor.relieved(Waker::noop()).is_ready()
                && let Some(packet) = self.there.pop_front()
                && let Some(Ask::Dial { dial, .. }) = self.acceptor.receive(packet).unwrap()
            {
                self.asked.push(dial);
            }
            return;
        }
        if let Poll::Ready(Some(packet)) = self.acceptor.next(Waker::noop()) {
            self.back.push_back(packet);
        }
        if self.dialer.relieved(Waker::noop()).is_ready()
            && let Some(packet) = self.back.pop_front()
        {
            self.dialer.receive(packet).unwrap();
        }
    }

    /// Everybody leaves; whatever happened before, nothing remains.
    fn wind_down(&mut self) {
        for dial in std::mem::take(&mut self.dials) {
            self.dialer.cancel(dial);
        }
        for side in [true, false] {
            while let Some(id) = self.pick(side, 0) {
                let (machine, owners, _) = self.side(side);
                machine.abandon(id);
                owners.get_mut(&id).unwrap().gone = true;
            }
        }
        for _ in 0..400 {
            self.carry(true);
            self.answer(true);
            while let Some(id) = self.pick(false, 0) {
                self.acceptor.abandon(id);
                self.there_owners.get_mut(&id).unwrap().gone = true;
            }
            self.carry(false);
        }
        assert_eq!((self.dialer.load(), self.acceptor.load()), (0, 0));
        assert!(self.there.is_empty() && self.back.is_empty());
    }
}

/// Everything a peer may say, sensible or not.
fn anything() -> impl Strategy<Value = Packet> {
    let (number, dial) = ((1_i64..6).prop_map(id), 0_i64..6);
    let words = prop_oneof![Just(String::new()), Just("why".to_owned())];
    prop_oneof![
        dial.clone().prop_map(|dial| Packet::Dial {
            dial,
            protocol: "tcp".into(),
            address: "a:1".into()
        }),
        (dial.clone(), number.clone()).prop_map(|(dial, id)| Packet::Dialed { dial, id }),
        (dial.clone(), words.clone()).prop_map(|(dial, error)| Packet::DialFailed { dial, error }),
        dial.prop_map(|dial| Packet::CancelDial { dial }),
        (number.clone(), 0_usize..700).prop_map(|(id, len)| Packet::Data {
            id,
            bytes: vec![0; len].into()
        }),
        number.clone().prop_map(|id| Packet::Close { id }),
        (number, words).prop_map(|(id, error)| Packet::Closed { id, error }),
        Just(Packet::Drain),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn bytes_arrive_once_in_order_and_nothing_stays_behind(events in proptest::collection::vec(event(), 1..300)) {
        let mut pair = Pair::new();
        for event in events {
            pair.run(event);
        }
        pair.wind_down();
    }

    #[test]
    fn no_peer_makes_either_side_panic_or_grow(packets in proptest::collection::vec(anything(), 1..200), local in any::<u64>()) {
        let (mut dialer, mut acceptor) = (Dialer::new(LIMITS), Acceptor::new(LIMITS));
        for (n, packet) in packets.into_iter().enumerate() {
            let (dial, which) = (n as i64 % 6, id(n as i64 % 5 + 1));
            match (local >> (n % 60)) & 7 {
                0 => drop(dialer.dial("a:1")),
                1 => dialer.cancel(dial),
                2 => drop(dialer.answer(dial, Waker::noop())),
                3 => drop(acceptor.dialed(dial)),
                4 => acceptor.shutdown(which),
                5 => acceptor.abandon(which),
                6 => dialer.abandon(which),
                _ => drop((sent(&mut dialer), sent(&mut acceptor))),
            }
            if dialer.relieved(Waker::noop()).is_pending() {
                dialer.give_up();
            }
            if acceptor.relieved(Waker::noop()).is_pending() {
                acceptor.give_up();
            }
            let over = dialer.receive(packet.clone()).is_err();
            let over = acceptor.receive(packet).is_err() || over;
            for table in [dialer.table(), acceptor.table()] {
                let (inbound, outbound, control) = table.held();
                prop_assert!(inbound <= LIMITS.inbound + 700 + 64);
                prop_assert!(outbound <= LIMITS.outbound_total);
                prop_assert!(control <= LIMITS.control);
                prop_assert!(table.len() <= LIMITS.connections);
            }
            if over {
                break;
            }
        }
        dialer.lost("end");
        acceptor.lost("end");
    }
}
