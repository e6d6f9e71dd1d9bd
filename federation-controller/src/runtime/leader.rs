//! Leadership by a `coordination.k8s.io` Lease.
//!
//! The fence of the clients is open for `renew_deadline` after a renewal was *sent*, and another process takes the
//! lease no sooner than `lease_duration` after it *saw* one: as the former is shorter, writers are stopped before
//! anybody else can start, whatever the clocks of the machines say.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, PostParams};
use tokio::time::Instant;

use super::Elect;
use crate::clients::{Failure, Fence, chain};
use crate::work::Env;

/// Leadership ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElectionError {
    /// The lease could not be renewed in time.
    #[error("the leader lease could not be renewed in time")]
    NotRenewed,
    /// Another process holds the lease.
    #[error("the leader lease was taken over")]
    TakenOver,
}

/// One process's part in the election.
pub(super) struct Election {
    api: Api<Lease>,
    name: String,
    identity: String,
    times: Elect,
    fence: Fence,
    env: Env,
    seen: Option<Seen>,
}

/// The lease as last seen, and when that was first so by our own monotonic clock.
struct Seen {
    holder: String,
    renewed: Option<MicroTime>,
    transitions: i32,
    version: Option<String>,
    duration: Duration,
    at: Instant,
}

impl Seen {
    fn is_free(&self, now: Instant) -> bool {
        self.holder.is_empty() || now.duration_since(self.at) >= self.duration
    }
}

impl Election {
    /// A candidate called `identity` for the lease `namespace/name`. `hub_client` must not be behind `fence`, which
    /// this candidate alone opens.
    #[must_use]
    pub(super) fn new(
        hub_client: kube::Client,
        namespace: &str,
        name: &str,
        identity: &str,
        times: Elect,
        fence: Fence,
        env: Env,
    ) -> Self {
        Self {
            api: Api::namespaced(hub_client, namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
            times,
            fence,
            env,
            seen: None,
        }
    }

    /// Waits until this process leads. The fence is open when it returns.
    pub(super) async fn acquire(&mut self) {
        loop {
            match self.attempt().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "cannot reach the leader lease")
                }
            }
            tokio::time::sleep(jittered(self.times.retry_period, self.env.unit())).await;
        }
    }

    /// Renews for as long as that works. The fence is closed when it returns.
    pub(super) async fn hold(&mut self) -> ElectionError {
        let mut renewed = Instant::now();
        let lost = loop {
            tokio::time::sleep(self.times.retry_period).await;
            let left = self.times.renew_deadline.saturating_sub(renewed.elapsed());
            let sent = Instant::now();
            match tokio::time::timeout(left, self.attempt()).await {
                Ok(Ok(true)) => renewed = sent,
                Ok(Ok(false)) => break ElectionError::TakenOver,
                Ok(Err(error)) => {
                    tracing::warn!(error = %chain(&error), "cannot renew the leader lease");
                    if renewed.elapsed() >= self.times.renew_deadline {
                        break ElectionError::NotRenewed;
                    }
                }
                Err(_) => break ElectionError::NotRenewed,
            }
        };
        self.fence.close();
        lost
    }

    /// Gives the lease back, so that the next process need not wait. Closes the fence first.
    pub(super) async fn release(&mut self) {
        self.fence.close();
        let Some(seen) = self
            .seen
            .as_ref()
            .filter(|seen| seen.holder == self.identity)
        else {
            return;
        };
        let mut lease = self.lease(seen.transitions, seen.version.clone());
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
        }
        let params = PostParams::default();
        let released = self.api.replace(&self.name, &params, &lease);
        match tokio::time::timeout(self.times.retry_period, released).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::debug!(error = %chain(&error), "cannot give the leader lease back")
            }
            Err(_) => tracing::debug!("cannot give the leader lease back in time"),
        }
    }

    /// One try to take or renew. True if this process holds the lease now.
    async fn attempt(&mut self) -> Result<bool, kube::Error> {
        let sent = Instant::now();
        let Some(stored) = self.api.get_opt(&self.name).await? else {
            let created = self
                .api
                .create(&PostParams::default(), &self.lease(0, None))
                .await;
            return self.taken(created, sent);
        };
        self.look(&stored, sent);
        let seen = self.seen.as_ref().expect("it was just looked at");
        let ours = seen.holder == self.identity;
        if !ours && !seen.is_free(sent) {
            return Ok(false);
        }
        let lease = self.lease(seen.transitions + i32::from(!ours), seen.version.clone());
        let replaced = self
            .api
            .replace(&self.name, &PostParams::default(), &lease)
            .await;
        self.taken(replaced, sent)
    }

    fn taken(
        &mut self,
        written: Result<Lease, kube::Error>,
        sent: Instant,
    ) -> Result<bool, kube::Error> {
        match written {
            Ok(lease) => {
                self.look(&lease, sent);
                self.fence.extend(sent, self.times.renew_deadline);
                Ok(true)
            }
            Err(error)
                if matches!(
                    Failure::of(&error),
                    Failure::Conflict | Failure::AlreadyExists
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Remembers a stored lease; the time of the first sight stays while holder and renewal are the same.
    fn look(&mut self, lease: &Lease, now: Instant) {
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.unwrap_or_default();
        let same = self
            .seen
            .as_ref()
            .is_some_and(|seen| seen.holder == holder && seen.renewed == spec.renew_time);
        let at = self
            .seen
            .as_ref()
            .filter(|_| same)
            .map_or(now, |seen| seen.at);
        self.seen = Some(Seen {
            holder,
            renewed: spec.renew_time,
            transitions: spec.lease_transitions.unwrap_or_default(),
            version: lease.metadata.resource_version.clone(),
            duration: Duration::from_secs(
                u64::try_from(spec.lease_duration_seconds.unwrap_or(0)).unwrap_or(0),
            ),
            at,
        });
    }

    fn lease(&self, transitions: i32, version: Option<String>) -> Lease {
        let now = MicroTime(self.env.now());
        let mut lease = Lease::default();
        lease.metadata.name = Some(self.name.clone());
        lease.metadata.resource_version = version;
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(
                i32::try_from(self.times.lease_duration.as_secs()).unwrap_or(i32::MAX),
            ),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        });
        lease
    }
}

/// Up to a fifth more, so that candidates do not knock in step.
fn jittered(period: Duration, chance: f64) -> Duration {
    period.mul_f64(1.0 + 0.2 * chance)
}

#[cfg(test)]
#[path = "leader_tests.rs"]
mod tests;
