//! One stream of packets that many tasks use.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::ProxiedStream;
use crate::konnectivity::dial::DialError;
use crate::konnectivity::machine::{Connections, DialEnd, Dialer};
use crate::konnectivity::wire::DialId;

/// A machine that is shared. No lock is held while anybody waits. Cheap to clone.
#[derive(Debug)]
pub(crate) struct Session<M: ?Sized>(Arc<Mutex<M>>);

impl<M: ?Sized> Clone for Session<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> Session<M> {
    pub(crate) fn new(machine: M) -> Self {
        Self(Arc::new(Mutex::new(machine)))
    }
}

impl<M: Connections + Send + 'static> Session<M> {
    pub(crate) fn erased(&self) -> Session<dyn Connections + Send> {
        Session(Arc::clone(&self.0) as Arc<Mutex<dyn Connections + Send>>)
    }
}

impl<M: ?Sized> Session<M> {
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut M) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<M: Connections + ?Sized> Session<M> {
    /// Waits for a reader that is too far behind, or ends its connection. `true`: a connection was ended.
    pub(crate) async fn relieve(&self, hold: Option<Duration>) -> bool {
        let relieved = poll_fn(|cx| self.with(|machine| machine.relieved(cx.waker())));
        let Some(hold) = hold else {
            relieved.await;
            return false;
        };
        if tokio::time::timeout(hold, relieved).await.is_ok() {
            return false;
        }
        self.with(|machine| machine.give_up());
        true
    }
}

/// Takes the question back unless it was answered.
struct Pending<'a> {
    session: &'a Session<Dialer>,
    dial: DialId,
    over: bool,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.session.with(|machine| machine.cancel(self.dial));
        }
    }
}

/// Asks the agent at the other end for a connection. Dropping the future cancels the dial.
pub(crate) async fn dial(
    session: &Session<Dialer>,
    target: &str,
    deadline: Duration,
) -> Result<ProxiedStream, DialError> {
    let number = session.with(|machine| machine.dial(target))?;
    let mut pending = Pending {
        session,
        dial: number,
        over: false,
    };
    let answer = poll_fn(|cx| session.with(|machine| machine.answer(number, cx.waker())));
    let answer = tokio::time::timeout(deadline, answer)
        .await
        .map_err(|_| DialError::Timeout(deadline))?;
    pending.over = true;
    Ok(ProxiedStream::new(session.erased(), answer?))
}

impl From<DialEnd> for DialError {
    fn from(end: DialEnd) -> Self {
        match end {
            DialEnd::Failed(why) => Self::Failed(why),
            DialEnd::Full => Self::Full,
            DialEnd::Lost(why) => Self::Lost(why),
        }
    }
}
