//! Kept connections: one client per physical cluster, however many cells it holds, and a budget for each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apiserver::http::Body;
use federation_member::{MemberAccess, TlsConfigError, client_config};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::connector::Connector;
use super::dial::Dialer;

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(60);
/// How many unused connections to a member are kept.
const IDLE_CONNECTIONS: usize = 32;
/// What a connection may buffer: a head of this size is the longest that is taken, a body goes on in such pieces.
pub(super) const BUFFER: usize = 64 * 1024;

/// How many bytes the requests that are open may hold in buffers. A request counts for the buffers of its connection in
/// both directions, whether it is a watch that is still or a download: what it holds is bounded by them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// For one physical cluster.
    pub(super) cluster: usize,
    /// For one user in one physical cluster, so that nobody takes all.
    pub(super) user: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            cluster: 128 * 1024 * 1024,
            user: 32 * 1024 * 1024,
        }
    }
}

/// What one request takes of a budget.
const SHARE: usize = 2 * BUFFER;

/// All clients. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pool {
    dialer: Arc<dyn Dialer>,
    budget: Budget,
    members: Arc<Mutex<HashMap<String, Arc<MemberClient>>>>,
}

/// The client of one physical cluster with the access data that it was made from.
pub(super) struct MemberClient {
    access: Arc<MemberAccess>,
    pub(super) client: Client<Connector, Body>,
    open: Arc<Mutex<Open>>,
    budget: Budget,
}

/// Requests that are open.
#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_user: HashMap<String, usize>,
}

/// A place for one request, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    user: String,
    open: Arc<Mutex<Open>>,
}

impl Pool {
    pub(super) fn new(dialer: Arc<dyn Dialer>, budget: Budget) -> Self {
        Self {
            dialer,
            budget,
            members: Arc::default(),
        }
    }

    /// The requests that are open now, by physical cluster.
    pub(super) fn open(&self) -> Vec<(String, u64)> {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members
            .iter()
            .map(|(cluster, member)| (cluster.clone(), lock(&member.open).all as u64))
            .collect()
    }

    /// The client for a physical cluster: the kept one, unless its access data changed. The old one's requests go on.
    ///
    /// # Errors
    /// If no TLS settings can be made of the access data.
    pub(super) fn member(
        &self,
        cluster: &str,
        access: &MemberAccess,
    ) -> Result<Arc<MemberClient>, TlsConfigError> {
        let kept = self.members().get(cluster).cloned();
        if let Some(member) = kept.filter(|member| *member.access == *access) {
            return Ok(member);
        }
        let access = Arc::new(access.clone());
        let connector = Connector {
            cluster: cluster.into(),
            access: access.clone(),
            dialer: self.dialer.clone(),
            tls: Arc::new(client_config(&access)?),
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .http1_max_buf_size(BUFFER)
            .build(connector);
        let member = Arc::new(MemberClient {
            access,
            client,
            open: Arc::default(),
            budget: self.budget,
        });
        self.members().insert(cluster.to_owned(), member.clone());
        Ok(member)
    }

    /// Forgets a cluster that is no more.
    pub(super) fn forget(&self, cluster: &str) {
        self.members().remove(cluster);
    }

    fn members(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<MemberClient>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemberClient {
    /// Takes a place for a request of a user; `None` if the cluster or the user has no more.
    pub(super) fn enter(&self, user: &str) -> Option<Place> {
        let mut open = lock(&self.open);
        let own = open.by_user.get(user).copied().unwrap_or_default();
        if (open.all + 1) * SHARE > self.budget.cluster || (own + 1) * SHARE > self.budget.user {
            return None;
        }
        open.all += 1;
        open.by_user.insert(user.to_owned(), own + 1);
        Some(Place {
            user: user.to_owned(),
            open: self.open.clone(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        open.all -= 1;
        match open.by_user.get_mut(&self.user) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                open.by_user.remove(&self.user);
            }
        }
    }
}

fn lock(open: &Mutex<Open>) -> std::sync::MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}
