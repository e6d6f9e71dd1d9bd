//! Packets that arrive.

use std::collections::HashMap;
use std::fmt::Display;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::task::{AbortHandle, JoinSet};
use tracing::{debug, warn};

use super::{ProxiedStream, Session, splice};
use crate::konnectivity::dial::{Dial, DialError};
use crate::konnectivity::machine::{Acceptor, Ask, Connections, Dialer};
use crate::konnectivity::wire::{DialId, Message, Packet};

/// Hands what an agent says to its session until it ends, and then ends the session.
pub(crate) async fn deliver<E: Display>(
    session: Session<Dialer>,
    hold: Option<Duration>,
    messages: impl Stream<Item = Result<Message, E>>,
) {
    let mut messages = pin!(messages);
    let why = loop {
        let message = match messages.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => break error.to_string(),
            None => break "the agent closed it".to_owned(),
        };
        let Some(packet) = Packet::read(message) else {
            continue;
        };
        if let Err(violation) = session.with(|machine| machine.receive(packet)) {
            warn!(%violation, "an agent breaks the protocol");
            break violation.to_string();
        }
        if session.relieve(hold).await {
            warn!("closed a connection whose reader held up all connections of an agent");
        }
    };
    session.with(|machine| machine.lost(&why));
}

/// Serves what the other side asks for until it ends. Returns why it ended.
pub(crate) async fn accept<E: Display>(
    session: Session<Acceptor>,
    hold: Option<Duration>,
    messages: impl Stream<Item = Result<Message, E>>,
    dial: Arc<dyn Dial>,
) -> String {
    let mut messages = pin!(messages);
    let mut served = Served::default();
    let why = loop {
        let message = tokio::select! {
            message = messages.next() => message,
            Some(done) = served.tasks.join_next() => {
                served.forget(done.ok());
                continue;
            }
        };
        let message = match message {
            Some(Ok(message)) => message,
            Some(Err(error)) => break error.to_string(),
            None => break "the other side closed it".to_owned(),
        };
        let Some(packet) = Packet::read(message) else {
            continue;
        };
        match session.with(|machine| machine.receive(packet)) {
            Ok(Some(ask)) => served.act(ask, &session, &dial),
            Ok(None) => {}
            Err(violation) => break violation.to_string(),
        }
        if session.relieve(hold).await {
            warn!("closed a connection whose target held up all connections of a server");
        }
    };
    session.with(|machine| machine.lost(&why));
    why
}

/// The tasks of the connections. Dropping it ends them.
#[derive(Default)]
struct Served {
    tasks: JoinSet<DialId>,
    dials: HashMap<DialId, AbortHandle>,
}

impl Served {
    fn act(&mut self, ask: Ask, session: &Session<Acceptor>, dial: &Arc<dyn Dial>) {
        match ask {
            Ask::Dial {
                dial: number,
                protocol,
                address,
            } => {
                let one = serve(session.clone(), Arc::clone(dial), number, protocol, address);
                self.dials.insert(number, self.tasks.spawn(one));
            }
            Ask::Abort { dial } => {
                if let Some(task) = self.dials.remove(&dial) {
                    task.abort();
                }
            }
        }
    }

    fn forget(&mut self, done: Option<DialId>) {
        if let Some(dial) = done
            && self.dials.get(&dial).is_some_and(AbortHandle::is_finished)
        {
            self.dials.remove(&dial);
        }
    }
}

async fn serve(
    session: Session<Acceptor>,
    dial: Arc<dyn Dial>,
    number: DialId,
    protocol: String,
    address: String,
) -> DialId {
    let target = match protocol.as_str() {
        "tcp" => dial.dial(&address).await,
        other => Err(DialError::Failed(format!(
            "the protocol {other:?} is not served"
        ))),
    };
    match target {
        Ok(target) => {
            if let Some(id) = session.with(|machine| machine.dialed(number)) {
                let stream = ProxiedStream::new(session.erased(), id);
                let outcome = splice(stream, target).await;
                debug!(%address, ?outcome, "a connection ended");
            }
        }
        Err(error) => {
            let text = error.text();
            debug!(%address, error = text, "a dial failed");
            if let Err(violation) = session.with(|machine| machine.failed(number, text)) {
                session.with(|machine| machine.lost(&violation.to_string()));
            }
        }
    }
    number
}
