//! The side that asks for connections: a server towards an agent.

use std::collections::HashMap;
use std::task::{Poll, Waker};

use super::flow::wake;
use super::{Connections, End, Limits, Read, Seen, Table, Violation};
use crate::konnectivity::wire::{ConnectionId, DialId, Packet};

/// Why a dial came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DialEnd {
    /// The agent could not reach the target; its words.
    Failed(String),
    /// Too many connections.
    Full,
    /// The agent went away before it answered, or before it was asked.
    Lost(String),
}

#[derive(Debug, Default)]
struct Pending {
    outcome: Option<Result<ConnectionId, DialEnd>>,
    waker: Option<Waker>,
}

#[derive(Debug)]
pub(crate) struct Dialer {
    table: Table,
    dials: HashMap<DialId, Pending>,
    last: DialId,
    draining: bool,
}

impl Dialer {
    pub(crate) fn new(limits: Limits) -> Self {
        let closing = |id, _| Packet::Close { id };
        Self {
            table: Table::new(limits, closing),
            dials: HashMap::new(),
            last: 0,
            draining: false,
        }
    }

    /// Asks for a connection. The number tells the answer from others on this stream; nothing else depends on it.
    pub(crate) fn dial(&mut self, address: &str) -> Result<DialId, DialEnd> {
        if let Some(why) = &self.table.lost {
            return Err(DialEnd::Lost(why.clone()));
        }
        if self.table.len() + self.dials.len() >= self.table.limits.connections {
            return Err(DialEnd::Full);
        }
        self.last += 1;
        let dial = self.last;
        let request = Packet::Dial {
            dial,
            protocol: "tcp".to_owned(),
            address: address.to_owned(),
        };
        self.table.control(request).map_err(|_| DialEnd::Full)?;
        self.dials.insert(dial, Pending::default());
        Ok(dial)
    }

    /// The answer to a dial. Once it is ready, the dial is over, and the connection belongs to the caller.
    pub(crate) fn answer(
        &mut self,
        dial: DialId,
        waker: &Waker,
    ) -> Poll<Result<ConnectionId, DialEnd>> {
        let Some(pending) = self.dials.get_mut(&dial) else {
            return Poll::Ready(Err(DialEnd::Lost("the dial is over".to_owned())));
        };
        match pending.outcome.take() {
            Some(outcome) => {
                self.dials.remove(&dial);
                Poll::Ready(outcome)
            }
            None => {
                pending.waker = Some(waker.clone());
                Poll::Pending
            }
        }
    }

    /// Nobody waits for the answer any more. A connection that is made all the same is closed when its answer comes: agents up to this
    /// day ignore the cancellation.
    pub(crate) fn cancel(&mut self, dial: DialId) {
        match self.dials.remove(&dial).map(|pending| pending.outcome) {
            Some(Some(Ok(id))) => self.table.abandon(id),
            Some(None) if self.table.lost.is_none() => {
                // Only a courtesy: where there is no room for it, the answer is met with a closing packet.
                let _ = self.table.control(Packet::CancelDial { dial });
            }
            _ => {}
        }
    }

    pub(crate) fn receive(&mut self, packet: Packet) -> Result<(), Violation> {
        match packet {
            Packet::Dialed { dial, id } => self.dialed(dial, id)?,
            Packet::DialFailed { dial, error } => self.failed(dial, error),
            Packet::CancelDial { dial } => {
                self.failed(dial, "the agent gave up the dial".to_owned());
            }
            Packet::Data { id, bytes } => {
                if self.table.data(id, bytes) == Seen::Unknown {
                    self.table.reject(id)?;
                }
            }
            Packet::Closed { id, error } => {
                let end = match error.is_empty() {
                    true => End::Closed,
                    false => End::Failed(error),
                };
                self.table.ended(id, end);
            }
            Packet::Drain => self.draining = true,
            // What agents do not say.
            Packet::Dial { .. } | Packet::Close { .. } => {}
        }
        Ok(())
    }

    fn dialed(&mut self, dial: DialId, id: ConnectionId) -> Result<(), Violation> {
        match self.dials.get_mut(&dial) {
            Some(pending) if pending.outcome.is_none() => {
                self.table.open(id)?;
                pending.outcome = Some(Ok(id));
                wake(&mut pending.waker);
                Ok(())
            }
            _ if self.table.is_open(id) => Err(Violation::Reused(id)),
            _ => self.table.reject(id),
        }
    }

    fn failed(&mut self, dial: DialId, error: String) {
        if let Some(pending) = self.dials.get_mut(&dial)
            && pending.outcome.is_none()
        {
            pending.outcome = Some(Err(DialEnd::Failed(error)));
            wake(&mut pending.waker);
        }
    }

    /// Whether the agent asked for no new connections.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining
    }

    /// Whether the stream has ended.
    pub(crate) fn is_lost(&self) -> bool {
        self.table.lost.is_some()
    }

    /// Connections and pending dials.
    pub(crate) fn load(&self) -> usize {
        self.table.len() + self.dials.len()
    }

    #[cfg(test)]
    pub(super) fn table(&self) -> &Table {
        &self.table
    }
}

impl Connections for Dialer {
    fn read(&mut self, id: ConnectionId, most: usize, waker: &Waker) -> Poll<Read> {
        self.table.read(id, most, waker)
    }

    fn write(&mut self, id: ConnectionId, data: &[u8], waker: &Waker) -> Poll<Result<usize, End>> {
        self.table.write(id, data, waker)
    }

    /// Says nothing to the agent: the protocol cannot end one direction, and the answer is still to come.
    fn shutdown(&mut self, _id: ConnectionId) {}

    fn abandon(&mut self, id: ConnectionId) {
        self.table.abandon(id);
    }

    fn next(&mut self, waker: &Waker) -> Poll<Option<Packet>> {
        self.table.next(waker)
    }

    fn relieved(&mut self, waker: &Waker) -> Poll<()> {
        self.table.relieved(waker)
    }

    fn give_up(&mut self) {
        self.table.give_up();
    }

    fn lost(&mut self, why: &str) {
        self.table.lost(why);
        for pending in self.dials.values_mut() {
            // A connection that nobody has claimed yet has ended with the others.
            if !matches!(pending.outcome, Some(Err(_))) {
                pending.outcome = Some(Err(DialEnd::Lost(why.to_owned())));
            }
            wake(&mut pending.waker);
        }
    }
}
