//! The connections of one stream of packets, and what waits to be sent on it.

use std::collections::{HashMap, VecDeque};
use std::task::{Poll, Waker};

use bytes::Bytes;

use super::Limits;
use super::flow::{Flow, wake};
use super::recent::Recent;
use crate::konnectivity::wire::{ConnectionId, Packet};

/// Longest piece of data in one packet: grpc-go refuses messages above 4 MiB, and small ones let connections take turns.
const PIECE: usize = 32 << 10;

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer closed it.
    Closed,
    /// The peer closed it and said why.
    Failed(String),
    /// Its reader was too slow for too long.
    OverBudget(usize),
    /// The stream that carried it ended.
    Lost(String),
}

/// What a peer must not do. Its stream is ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    /// It gave a connection the number of one that is open.
    #[error("the peer used connection {0} twice")]
    Reused(ConnectionId),
    /// It provokes answers and does not read them.
    #[error("the peer does not read the answers that it provokes")]
    Flood,
}

/// What became of data.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It waits for its reader, or nobody wants it any more.
    Taken,
    /// There is no such connection, and there was none lately.
    Unknown,
}

/// What a reader gets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// Never empty.
    Data(Bytes),
    /// Nothing more will come.
    End(End),
}

/// What the owner of a connection may do with it. The same for both sides of a stream.
pub(crate) trait Connections {
    /// At most `most` bytes that have arrived.
    fn read(&mut self, id: ConnectionId, most: usize, waker: &Waker) -> Poll<Read>;
    /// Queues some of `data`, which must not be empty, and returns how much.
    fn write(&mut self, id: ConnectionId, data: &[u8], waker: &Waker) -> Poll<Result<usize, End>>;
    /// The owner will not write any more.
    fn shutdown(&mut self, id: ConnectionId);
    /// The owner is gone.
    fn abandon(&mut self, id: ConnectionId);
    /// What to send next; `None` once the stream is to end.
    fn next(&mut self, waker: &Waker) -> Poll<Option<Packet>>;
    /// Ready when no connection's reader is too far behind.
    fn relieved(&mut self, waker: &Waker) -> Poll<()>;
    /// Closes the connection that [`Connections::relieved`] waits for.
    fn give_up(&mut self);
    /// The stream has ended, or is to end.
    fn lost(&mut self, why: &str);
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) limits: Limits,
    /// How this side tells its peer that a connection has ended.
    closing: fn(ConnectionId, String) -> Packet,
    flows: HashMap<ConnectionId, Flow>,
    recent: Recent,
    control: VecDeque<Packet>,
    /// Connections with something to send, in turns.
    ring: VecDeque<ConnectionId>,
    queued: usize,
    sender: Option<Waker>,
    /// Writers that wait for the total to go down.
    crowded: Vec<Waker>,
    over: Option<ConnectionId>,
    relief: Option<Waker>,
    pub(super) lost: Option<String>,
}

impl Table {
    pub(super) fn new(limits: Limits, closing: fn(ConnectionId, String) -> Packet) -> Self {
        Self {
            limits,
            closing,
            flows: HashMap::new(),
            recent: Recent::default(),
            control: VecDeque::new(),
            ring: VecDeque::new(),
            queued: 0,
            sender: None,
            crowded: Vec::new(),
            over: None,
            relief: None,
            lost: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.flows.len()
    }

    pub(super) fn is_open(&self, id: ConnectionId) -> bool {
        self.flows.contains_key(&id)
    }

    pub(super) fn ended_lately(&self, id: ConnectionId) -> bool {
        self.recent.contains(id)
    }

    pub(super) fn open(&mut self, id: ConnectionId) -> Result<(), Violation> {
        if self.is_open(id) {
            return Err(Violation::Reused(id));
        }
        self.flows.insert(id, Flow::default());
        Ok(())
    }

    /// A connection that this side never wanted.
    pub(super) fn reject(&mut self, id: ConnectionId) -> Result<(), Violation> {
        self.recent.insert(id);
        self.control((self.closing)(id, String::new()))
    }

    pub(super) fn control(&mut self, packet: Packet) -> Result<(), Violation> {
        if self.control.len() >= self.limits.control {
            return Err(Violation::Flood);
        }
        self.control.push_back(packet);
        wake(&mut self.sender);
        Ok(())
    }

    /// Queues a packet behind what the connection has queued.
    pub(super) fn queue(&mut self, id: ConnectionId, packet: Packet) {
        let Some(flow) = self.flows.get_mut(&id) else {
            return;
        };
        flow.queue(packet);
        if !std::mem::replace(&mut flow.in_ring, true) {
            self.ring.push_back(id);
        }
        wake(&mut self.sender);
    }

    pub(super) fn data(&mut self, id: ConnectionId, bytes: Bytes) -> Seen {
        let Some(flow) = self.flows.get_mut(&id) else {
            return match self.recent.contains(id) {
                true => Seen::Taken,
                false => Seen::Unknown,
            };
        };
        if flow.end.is_none() && !flow.abandoned && !bytes.is_empty() {
            flow.push(bytes);
            if flow.buffered > self.limits.inbound {
                self.over = Some(id);
            }
        }
        Seen::Taken
    }

    /// The peer ended a connection: nothing that is queued for it interests anybody.
    pub(super) fn ended(&mut self, id: ConnectionId, end: End) {
        let Some(flow) = self.flows.get_mut(&id) else {
            return;
        };
        flow.end.get_or_insert(end);
        flow.finished = true;
        self.queued -= flow.drop_outbound();
        flow.wake_both();
        self.settle(id);
    }

    /// This side ends a connection: what is queued is sent, then the closing packet.
    pub(super) fn finish(&mut self, id: ConnectionId) {
        let packet = (self.closing)(id, String::new());
        if let Some(flow) = self.flows.get_mut(&id)
            && !std::mem::replace(&mut flow.finished, true)
        {
            self.queue(id, packet);
        }
    }

    /// Nothing more is taken from the peer; what has arrived can still be read.
    pub(super) fn deafen(&mut self, id: ConnectionId) {
        if let Some(flow) = self.flows.get_mut(&id) {
            flow.end.get_or_insert(End::Closed);
            wake(&mut flow.reader);
        }
    }

    /// Forgets a connection that nobody owns and that has nothing to send, and looks whether a slow reader has caught up.
    fn settle(&mut self, id: ConnectionId) {
        let enough = self.limits.inbound - self.limits.inbound / 4;
        let flow = self.flows.get(&id);
        let behind = flow.is_some_and(|flow| flow.buffered > enough && flow.end.is_none());
        if self.over == Some(id) && !behind {
            self.over = None;
            wake(&mut self.relief);
        }
        if flow.is_some_and(|flow| flow.abandoned && !flow.has_outbound()) {
            self.flows.remove(&id);
            self.recent.insert(id);
        }
    }

    pub(super) fn abandon(&mut self, id: ConnectionId) {
        self.finish(id);
        if let Some(flow) = self.flows.get_mut(&id) {
            flow.abandoned = true;
            flow.drop_inbound();
            flow.reader = None;
            flow.writer = None;
        }
        self.settle(id);
    }

    pub(super) fn read(&mut self, id: ConnectionId, most: usize, waker: &Waker) -> Poll<Read> {
        let Some(flow) = self.flows.get_mut(&id) else {
            return Poll::Ready(Read::End(End::Closed));
        };
        match (flow.pull(most), &flow.end) {
            (Some(bytes), _) => {
                self.settle(id);
                Poll::Ready(Read::Data(bytes))
            }
            (None, Some(end)) => Poll::Ready(Read::End(end.clone())),
            (None, None) => {
                flow.reader = Some(waker.clone());
                Poll::Pending
            }
        }
    }

    pub(super) fn write(
        &mut self,
        id: ConnectionId,
        data: &[u8],
        waker: &Waker,
    ) -> Poll<Result<usize, End>> {
        let Some(flow) = self.flows.get_mut(&id) else {
            return Poll::Ready(Err(End::Closed));
        };
        if flow.finished {
            return Poll::Ready(Err(flow.end.clone().unwrap_or(End::Closed)));
        }
        let room = self.limits.outbound.saturating_sub(flow.queued);
        if room == 0 {
            flow.writer = Some(waker.clone());
            return Poll::Pending;
        }
        if self.queued >= self.limits.outbound_total {
            self.crowded.push(waker.clone());
            return Poll::Pending;
        }
        let piece = &data[..data.len().min(room).min(PIECE)];
        self.queued += piece.len();
        let bytes = Bytes::copy_from_slice(piece);
        self.queue(id, Packet::Data { id, bytes });
        Poll::Ready(Ok(piece.len()))
    }

    pub(super) fn next(&mut self, waker: &Waker) -> Poll<Option<Packet>> {
        if self.lost.is_some() {
            return Poll::Ready(None);
        }
        if let Some(packet) = self.control.pop_front() {
            return Poll::Ready(Some(packet));
        }
        while let Some(id) = self.ring.pop_front() {
            let Some(flow) = self.flows.get_mut(&id) else {
                continue;
            };
            let packet = flow.next();
            flow.in_ring = flow.has_outbound();
            if flow.in_ring {
                self.ring.push_back(id);
            }
            if let Some(Packet::Data { bytes, .. }) = &packet {
                self.queued -= bytes.len();
                if self.queued <= self.limits.outbound_total / 2 {
                    self.crowded.drain(..).for_each(Waker::wake);
                }
            }
            self.settle(id);
            if packet.is_some() {
                return Poll::Ready(packet);
            }
        }
        self.sender = Some(waker.clone());
        Poll::Pending
    }

    pub(super) fn relieved(&mut self, waker: &Waker) -> Poll<()> {
        match self.over {
            None => Poll::Ready(()),
            Some(_) => {
                self.relief = Some(waker.clone());
                Poll::Pending
            }
        }
    }

    pub(super) fn give_up(&mut self) {
        let Some(id) = self.over.take() else {
            return;
        };
        let limit = self.limits.inbound;
        if let Some(flow) = self.flows.get_mut(&id) {
            flow.end.get_or_insert(End::OverBudget(limit));
            flow.drop_inbound();
            if !std::mem::replace(&mut flow.finished, true) {
                self.queued -= flow.drop_outbound();
                flow.wake_both();
                let why = format!("the reader is {limit} bytes behind");
                self.queue(id, (self.closing)(id, why));
            }
        }
        self.settle(id);
    }

    pub(super) fn lost(&mut self, why: &str) {
        if self.lost.is_some() {
            return;
        }
        self.lost = Some(why.to_owned());
        let ids: Vec<ConnectionId> = self.flows.keys().copied().collect();
        for id in ids {
            self.ended(id, End::Lost(why.to_owned()));
        }
        self.crowded.drain(..).for_each(Waker::wake);
        wake(&mut self.sender);
        wake(&mut self.relief);
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize, usize) {
        let inbound = self.flows.values().map(|flow| flow.buffered).max();
        let outbound: usize = self.flows.values().map(|flow| flow.queued).sum();
        assert_eq!(outbound, self.queued);
        (inbound.unwrap_or(0), outbound, self.control.len())
    }
}
