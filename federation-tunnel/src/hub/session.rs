//! The life of one connection of an agent, from welcome to end.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Uri};
use tokio::time::{Instant, sleep_until, timeout};

use super::end::End;
use super::link::{Link, Parts};
use super::serve::{Admitted, Socket};
use super::tunnels::Inner;
use crate::identity::judge_all;
use crate::transport::{Governor, Meter, Share, client_builder, watch};
use crate::wire::{HEADER_SPREAD, HUB_SERVER_NAME, PATH_DRAIN};

/// A connection that was welcomed.
pub(crate) struct Newcomer {
    pub(crate) socket: Socket,
    pub(crate) meter: Arc<Meter>,
    pub(crate) admitted: Admitted,
}

/// Serves a connection until it ends, and keeps the registry and the counters right about it.
pub(crate) async fn run(inner: &Arc<Inner>, newcomer: Newcomer, from: &str) {
    let Newcomer {
        socket,
        meter,
        admitted,
    } = newcomer;
    let handshake = client_builder().handshake::<_, Bytes>(socket);
    let (sender, connection) = match timeout(inner.config.handshake_timeout, handshake).await {
        Ok(Ok(pair)) => pair,
        Ok(Err(error)) => {
            tracing::info!(from, %error, "an agent left before its tunnel was up");
            return;
        }
        Err(_) => return,
    };
    let link = Link::new(Parts {
        id: inner.next_link(),
        agent: admitted.agent,
        class: admitted.class,
        clusters: admitted.clusters,
        certificate: admitted.certificate,
        sender,
        meter,
    });
    let names: Vec<&str> = link.clusters.iter().map(|name| name.as_str()).collect();
    let clusters = names.join(", ");
    tracing::info!(from, link = link.id, agent = link.agent, software = admitted.software, class = %link.class, clusters, "a tunnel connection is up");
    let registered = Registered::new(inner, &link);
    let end = drive(inner, &link, connection, registered.share()).await;
    registered.finish(end);
    tracing::info!(from, link = link.id, agent = link.agent, clusters, end = %end, "a tunnel connection ended");
}

/// A link in the registry. Takes it out also if the task is dropped.
struct Registered<'a> {
    inner: &'a Inner,
    link: &'a Arc<Link>,
    budgets: Vec<Arc<crate::transport::Budget>>,
    end: End,
}

impl<'a> Registered<'a> {
    fn new(inner: &'a Inner, link: &'a Arc<Link>) -> Self {
        let mut budgets = inner.registry.insert(link);
        budgets.push(inner.budget.clone());
        inner.counters.accepted.fetch_add(1, Ordering::Relaxed);
        Self {
            inner,
            link,
            budgets,
            end: End::Stopped,
        }
    }

    fn share(&self) -> Share {
        Share::new(self.budgets.clone())
    }

    fn finish(mut self, end: End) {
        self.end = end;
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        let counters = &self.inner.counters;
        self.inner.registry.remove(self.link, self.end);
        counters.ended(self.end);
        counters.carried(&self.link.meter);
    }
}

/// Turns the connection's wheel until it ends.
async fn drive(
    inner: &Inner,
    link: &Arc<Link>,
    mut connection: h2::client::Connection<Socket, Bytes>,
    share: Share,
) -> End {
    let mut governor = Governor::new(
        link.meter.clone(),
        link.flows.clone(),
        share,
        Instant::now(),
    );
    let Some(ping) = connection.ping_pong() else {
        return End::Broken;
    };
    let mut silence = pin!(watch(ping, link.meter.clone(), inner.config.liveness));
    let mut closed = pin!(link.closed());
    let mut watching = true;
    loop {
        tokio::select! {
            end = &mut closed => return end,
            silent = &mut silence, if watching => {
                if silent {
                    return End::Silent;
                }
                // The connection is ending by itself; its own branch says how.
                watching = false;
            }
            ended = &mut connection => return match ended {
                Ok(()) => End::Closed,
                Err(_) => End::Broken,
            },
            () = sleep_until(due(inner, link, &governor)) => {
                if let Err(refusal) = allowed(inner, link) {
                    return End::NoLonger(refusal);
                }
                let now = Instant::now();
                let window = governor.measure(now);
                link.rate.store(governor.rate(), Ordering::Relaxed);
                if let Some(window) = window
                    && connection.set_initial_window_size(window).is_ok()
                {
                    governor.applied(window);
                }
            }
        }
    }
}

/// The next moment to look: for the windows, or because the certificate ends.
fn due(inner: &Inner, link: &Link, governor: &Governor) -> Instant {
    let left = link.certificate.seconds_left(inner.seams.now());
    let end = Instant::now() + Duration::from_secs(left.min(24 * 3600));
    governor.due().min(end)
}

/// Whether the link may still serve all that it was taken in for.
fn allowed(inner: &Inner, link: &Link) -> Result<(), crate::wire::Refusal> {
    judge_all(
        &*inner.directory,
        &link.certificate,
        &link.clusters,
        inner.seams.now(),
    )
}

/// Ends the link if it may no longer serve.
pub(crate) fn recheck(inner: &Inner, link: &Link) {
    if let Err(refusal) = allowed(inner, link) {
        link.close(End::NoLonger(refusal));
    }
}

/// Tells an agent to come back elsewhere, and sends no more streams this way than necessary. Agents that do not answer are not waited for.
pub(crate) async fn say_drain(link: &Link, spread: Duration) {
    link.draining.store(true, Ordering::Relaxed);
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(http::uri::Scheme::HTTPS);
    uri.authority = HUB_SERVER_NAME.parse().ok();
    uri.path_and_query = PATH_DRAIN.parse().ok();
    *request.uri_mut() = Uri::from_parts(uri).unwrap_or_default();
    let millis = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX);
    request.headers_mut().insert(HEADER_SPREAD, millis.into());
    let told = async {
        let mut sender = link.sender.clone().ready().await?;
        let (answer, _) = sender.send_request(request, true)?;
        answer.await
    };
    if !matches!(timeout(Duration::from_secs(2), told).await, Ok(Ok(_))) {
        tracing::debug!(link = link.id, "an agent was not told that the hub stops");
    }
}
