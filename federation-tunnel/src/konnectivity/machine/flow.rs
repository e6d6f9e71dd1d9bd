//! One connection: what waits to be read, what waits to be sent, and how it ended.

use std::collections::VecDeque;
use std::task::Waker;

use bytes::Bytes;

use super::End;
use crate::konnectivity::wire::Packet;

/// What keeping a packet costs besides its bytes.
const OVERHEAD: usize = 64;
/// A reader that is this far behind gets copies: a slice of a large receive buffer would keep all of it.
const COPY_ABOVE: usize = 256 << 10;
/// Bytes that are always copied, for the same reason.
const COPY_BELOW: usize = 1 << 10;

#[derive(Debug, Default)]
pub(super) struct Flow {
    inbound: VecDeque<Bytes>,
    /// What `inbound` costs.
    pub(super) buffered: usize,
    /// Set once nothing more comes in; what waits is read first.
    pub(super) end: Option<End>,
    outbound: VecDeque<Packet>,
    /// Bytes of data in `outbound`.
    pub(super) queued: usize,
    /// Whether the table's ring holds it.
    pub(super) in_ring: bool,
    /// Nothing more may be queued: the closing packet is, or the peer has closed.
    pub(super) finished: bool,
    /// Its owner is gone.
    pub(super) abandoned: bool,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

impl Flow {
    pub(super) fn push(&mut self, bytes: Bytes) {
        let bytes = match self.buffered > COPY_ABOVE || bytes.len() < COPY_BELOW {
            true => Bytes::copy_from_slice(&bytes),
            false => bytes,
        };
        self.buffered += bytes.len() + OVERHEAD;
        self.inbound.push_back(bytes);
        wake(&mut self.reader);
    }

    /// At most `most` bytes of what waits; never empty.
    pub(super) fn pull(&mut self, most: usize) -> Option<Bytes> {
        let front = self.inbound.front_mut()?;
        if front.len() > most {
            self.buffered -= most;
            return Some(front.split_to(most));
        }
        let bytes = self.inbound.pop_front()?;
        self.buffered -= bytes.len() + OVERHEAD;
        Some(bytes)
    }

    pub(super) fn drop_inbound(&mut self) {
        self.inbound = VecDeque::new();
        self.buffered = 0;
    }

    pub(super) fn queue(&mut self, packet: Packet) {
        if let Packet::Data { bytes, .. } = &packet {
            self.queued += bytes.len();
        }
        self.outbound.push_back(packet);
    }

    pub(super) fn next(&mut self) -> Option<Packet> {
        let packet = self.outbound.pop_front()?;
        if let Packet::Data { bytes, .. } = &packet {
            self.queued -= bytes.len();
        }
        wake(&mut self.writer);
        Some(packet)
    }

    pub(super) fn has_outbound(&self) -> bool {
        !self.outbound.is_empty()
    }

    /// Returns how many bytes were dropped.
    pub(super) fn drop_outbound(&mut self) -> usize {
        self.outbound = VecDeque::new();
        std::mem::take(&mut self.queued)
    }

    pub(super) fn wake_both(&mut self) {
        wake(&mut self.reader);
        wake(&mut self.writer);
    }
}

pub(super) fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
