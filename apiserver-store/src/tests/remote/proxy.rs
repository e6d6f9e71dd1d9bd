//! A TCP proxy that cuts connections, or stops passing anything on, where a test wants it.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What the proxy does to all its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Pass,
    /// Refuses new connections and has cut the old ones.
    Cut,
}

pub(super) struct Proxy {
    port: u16,
    mode: watch::Sender<Mode>,
    /// Messages of the server's that are still passed on until the connection is cut right before the next.
    answers_left: Arc<AtomicI64>,
    /// The same for the client's messages.
    requests_left: Arc<AtomicI64>,
}

impl Proxy {
    /// Starts to pass on to a port of this machine.
    pub(super) async fn start(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mode = watch::Sender::new(Mode::Pass);
        let answers_left = Arc::new(AtomicI64::new(i64::MAX));
        let requests_left = Arc::new(AtomicI64::new(i64::MAX));
        let (modes, answers, requests) = (
            mode.subscribe(),
            answers_left.clone(),
            requests_left.clone(),
        );
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (answers, requests) = (answers.clone(), requests.clone());
                let mut mode = modes.clone();
                if *mode.borrow() == Mode::Cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else {
                    continue;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(async move {
                    tokio::select! {
                        () = pass(from_client, to_server, &requests) => {}
                        () = pass(from_server, to_client, &answers) => {}
                        _ = mode.wait_for(|mode| *mode == Mode::Cut) => {}
                    }
                });
            }
        });
        Self {
            port,
            mode,
            answers_left,
            requests_left,
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Lets so many of the server's messages through from now on, then cuts the connection that has the next.
    pub(super) fn cut_after_answers(&self, count: i64) {
        self.answers_left.store(count, Ordering::SeqCst);
    }

    /// Lets so many of the client's messages through from now on, then cuts the connection that has the next.
    pub(super) fn cut_after_requests(&self, count: i64) {
        self.requests_left.store(count, Ordering::SeqCst);
    }
}

/// Passes on until the end of the connection or of the count. After a cut everything passes again.
async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    left: &AtomicI64,
) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        if left.fetch_sub(1, Ordering::SeqCst) == 0 {
            left.store(i64::MAX, Ordering::SeqCst);
            return;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
