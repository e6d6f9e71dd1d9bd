//! The packets that a session sends, as the stream that gRPC takes.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use tokio::task::JoinHandle;

use super::Session;
use crate::konnectivity::machine::Connections;
use crate::konnectivity::wire::Message;

/// Ends a session when dropped, with the task that receives its packets.
#[derive(Debug)]
pub(crate) struct Owned<M: Connections> {
    session: Session<M>,
    task: Option<JoinHandle<()>>,
}

impl<M: Connections> Owned<M> {
    pub(crate) fn new(session: Session<M>, task: Option<JoinHandle<()>>) -> Self {
        Self { session, task }
    }
}

impl<M: Connections> Drop for Owned<M> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        self.session
            .with(|machine| machine.lost("the connection that carried it has ended"));
    }
}

/// What a session sends, in order; it ends when the session is lost. `K` is kept as long as somebody listens.
#[derive(Debug)]
pub(crate) struct Outbound<M: Connections, K> {
    session: Session<M>,
    _kept: K,
}

impl<M: Connections, K> Outbound<M, K> {
    pub(crate) fn new(session: Session<M>, kept: K) -> Self {
        Self {
            session,
            _kept: kept,
        }
    }
}

impl<M: Connections, K: Unpin> Stream for Outbound<M, K> {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.session
            .with(|machine| machine.next(cx.waker()))
            .map(|packet| packet.map(Message::from))
    }
}
