//! One connection to a hub, from the hub's welcome to the end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::contact::Socket;
use super::serve::{Notice, Shared, confirm, notice, serve};
use crate::cluster::ClusterName;
use crate::transport::{Budget, Flows, Governor, Meter, Share, server_builder, watch};

/// Why a connection ended, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// In order, by either side.
    Closed,
    /// It broke.
    Broken,
    /// The hub was silent for too long.
    Silent,
    /// Its time to drain was over.
    Cut,
}

/// What a session needs.
pub(crate) struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) clusters: Arc<[ClusterName]>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) budget: Arc<Budget>,
    /// Take no new streams; end when the open ones have.
    pub(crate) drain: CancellationToken,
    /// End now.
    pub(crate) cut: CancellationToken,
}

/// The h2 library's connection over the hub's TLS session.
type Connection = h2::server::Connection<Socket, Bytes>;

impl Session {
    /// Serves until the end. `left` is told when the hub asks for a successor.
    pub(crate) async fn run(self, socket: Socket, mut left: impl FnMut(Duration)) -> Ended {
        let limit = self.shared.config.connect_timeout;
        let handshake = server_builder().handshake::<_, Bytes>(socket);
        match timeout(limit, handshake).await {
            Ok(Ok(connection)) => self.serve(connection, &mut left).await,
            Ok(Err(_)) | Err(_) => Ended::Broken,
        }
    }

    async fn serve(self, mut connection: Connection, left: &mut impl FnMut(Duration)) -> Ended {
        let flows = Arc::new(Flows::default());
        let share = Share::new(vec![self.budget.clone()]);
        let mut governor = Governor::new(self.meter.clone(), flows.clone(), share, Instant::now());
        let Some(ping) = connection.ping_pong() else {
            return Ended::Broken;
        };
        let mut silence = pin!(watch(ping, self.meter.clone(), self.shared.config.liveness));
        let (mut watching, mut draining) = (true, false);
        let mut streams = JoinSet::new();
        loop {
            tokio::select! {
                accepted = connection.accept() => match accepted {
                    Some(Ok((request, respond))) => match notice(&request) {
                        Some(Notice::Leave(spread)) => {
                            confirm(respond);
                            left(spread);
                        }
                        None => {
                            let (shared, clusters) = (self.shared.clone(), self.clusters.clone());
                            streams.spawn(serve(shared, clusters, flows.clone(), request, respond));
                        }
                    },
                    Some(Err(_)) => return Ended::Broken,
                    None => return Ended::Closed,
                },
                Some(_) = streams.join_next() => {}
                silent = &mut silence, if watching => {
                    if silent {
                        return Ended::Silent;
                    }
                    watching = false;
                }
                () = sleep_until(governor.due()) => {
                    if let Some(window) = governor.measure(Instant::now())
                        && connection.set_initial_window_size(window).is_ok()
                    {
                        governor.applied(window);
                    }
                }
                () = self.drain.cancelled(), if !draining => {
                    draining = true;
                    connection.graceful_shutdown();
                }
                () = self.cut.cancelled() => return Ended::Cut,
            }
        }
    }
}
