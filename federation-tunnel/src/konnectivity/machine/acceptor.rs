//! The side that is asked for connections: an agent towards a server, and a server towards its clients.

use std::collections::HashSet;
use std::task::{Poll, Waker};

use super::{Connections, End, Limits, Read, Seen, Table, Violation};
use crate::konnectivity::wire::{ConnectionId, DialId, Packet};

/// What the peer wants done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Connect to an address, then say [`Acceptor::dialed`] or [`Acceptor::failed`].
    Dial {
        dial: DialId,
        protocol: String,
        address: String,
    },
    /// Nobody waits for this dial any more.
    Abort { dial: DialId },
}

#[derive(Debug)]
pub(crate) struct Acceptor {
    table: Table,
    dialing: HashSet<DialId>,
    next: i64,
}

impl Acceptor {
    pub(crate) fn new(limits: Limits) -> Self {
        let closing = |id, error| Packet::Closed { id, error };
        Self {
            table: Table::new(limits, closing),
            dialing: HashSet::new(),
            next: 0,
        }
    }

    pub(crate) fn receive(&mut self, packet: Packet) -> Result<Option<Ask>, Violation> {
        match packet {
            Packet::Dial {
                dial,
                protocol,
                address,
            } => return self.asked(dial, protocol, address),
            Packet::CancelDial { dial } => {
                if self.dialing.remove(&dial) {
                    return Ok(Some(Ask::Abort { dial }));
                }
            }
            Packet::Data { id, bytes } => {
                if self.table.data(id, bytes) == Seen::Unknown {
                    let error = "unrecognized connectID".to_owned();
                    self.table.control(Packet::Closed { id, error })?;
                }
            }
            Packet::Close { id } => self.closed(id)?,
            // What servers and clients do not say.
            Packet::Dialed { .. }
            | Packet::DialFailed { .. }
            | Packet::Closed { .. }
            | Packet::Drain => {}
        }
        Ok(None)
    }

    fn asked(
        &mut self,
        dial: DialId,
        protocol: String,
        address: String,
    ) -> Result<Option<Ask>, Violation> {
        let full = self.table.len() + self.dialing.len() >= self.table.limits.connections;
        let error = match full {
            true => "too many connections",
            false if !self.dialing.insert(dial) => "this dial is under way",
            false => {
                return Ok(Some(Ask::Dial {
                    dial,
                    protocol,
                    address,
                }));
            }
        };
        let error = error.to_owned();
        self.table.control(Packet::DialFailed { dial, error })?;
        Ok(None)
    }

    /// The peer waits for an answer to its CLOSE_REQ in every case.
    fn closed(&mut self, id: ConnectionId) -> Result<(), Violation> {
        let error = match self.table.is_open(id) || self.table.ended_lately(id) {
            true => String::new(),
            false => "Unknown connectID".to_owned(),
        };
        self.table.ended(id, End::Closed);
        self.table.control(Packet::Closed { id, error })
    }

    /// A dial succeeded. `None`: it was cancelled, and the socket is to be closed. Otherwise the connection belongs to the caller.
    pub(crate) fn dialed(&mut self, dial: DialId) -> Option<ConnectionId> {
        if self.table.lost.is_some() || !self.dialing.remove(&dial) {
            return None;
        }
        self.next += 1;
        let id = ConnectionId::new(self.next)?;
        self.table.open(id).ok()?;
        self.table.queue(id, Packet::Dialed { dial, id });
        Some(id)
    }

    /// A dial failed.
    pub(crate) fn failed(&mut self, dial: DialId, error: String) -> Result<(), Violation> {
        match self.dialing.remove(&dial) {
            true => self.table.control(Packet::DialFailed { dial, error }),
            false => Ok(()),
        }
    }

    /// Asks the server for no new connections.
    pub(crate) fn drain(&mut self) -> Result<(), Violation> {
        self.table.control(Packet::Drain)
    }

    /// Connections and dials under way.
    pub(crate) fn load(&self) -> usize {
        self.table.len() + self.dialing.len()
    }

    #[cfg(test)]
    pub(super) fn table(&self) -> &Table {
        &self.table
    }
}

impl Connections for Acceptor {
    fn read(&mut self, id: ConnectionId, most: usize, waker: &Waker) -> Poll<Read> {
        self.table.read(id, most, waker)
    }

    fn write(&mut self, id: ConnectionId, data: &[u8], waker: &Waker) -> Poll<Result<usize, End>> {
        self.table.write(id, data, waker)
    }

    /// The end of what the target has to say ends the connection: otherwise the other side would never hear of it.
    fn shutdown(&mut self, id: ConnectionId) {
        self.table.finish(id);
        self.table.deafen(id);
    }

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
        self.dialing.clear();
    }
}
