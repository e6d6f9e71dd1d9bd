//! What runs beside the requests, and what is known of its health.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::certificates::Certificates;
use super::tls::Tls;
use crate::api::Api;
use crate::control::{events, gc, namespace, tokens};
use crate::http::HealthCheck;
use crate::local::LocalClient;

/// How often the server certificate is looked at.
const RENEWAL_CHECK: Duration = Duration::from_secs(3600);
/// Controllers get this long to notice that the server ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// The controllers of one server. They end when it does; one that ends before makes `/livez` fail.
#[derive(Debug, Default)]
pub(super) struct Controllers {
    stop: CancellationToken,
    tasks: Mutex<JoinSet<()>>,
    dead: Dead,
}

/// Names of controllers that ended though nobody asked them to.
type Dead = Arc<Mutex<Vec<&'static str>>>;

impl Controllers {
    /// Starts one. `name` is what logs and health checks call it.
    pub(super) fn spawn(
        &self,
        name: &'static str,
        controller: impl Future<Output = ()> + Send + 'static,
    ) {
        let (stop, dead) = (self.stop.clone(), self.dead.clone());
        let supervised = async move {
            let ended = AssertUnwindSafe(controller).catch_unwind().await;
            if ended.is_err() || !stop.is_cancelled() {
                tracing::error!(controller = name, "a controller ended unexpectedly");
                dead.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(name);
            }
        };
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .spawn(supervised);
    }

    /// Cancelled when controllers are to end.
    pub(super) fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Fails when a controller has died: only a restart helps.
    pub(super) fn check(&self) -> HealthCheck {
        let dead = self.dead.clone();
        HealthCheck::new("controllers", move || {
            match dead
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .as_slice()
            {
                [] => Ok(()),
                names => Err(names.join(", ")),
            }
        })
    }

    /// Ends all, waiting a little.
    pub(super) async fn end(&self) {
        self.stop.cancel();
        let mut tasks =
            std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let all_ended = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(PATIENCE, all_ended).await.is_err() {
            tracing::warn!("controllers did not end in time and are aborted");
        }
    }

    /// Starts those that every server has.
    pub(super) fn start_builtin(&self, api: &Api, tls: Arc<Tls>, certificates: &Certificates) {
        let client = |name: &str| {
            let user = format!("system:serviceaccount:kube-system:{name}");
            LocalClient::new(api.clone(), &user)
        };
        let stop = || self.stop.clone();
        let ca_pem = certificates.ca_pem().to_owned();
        self.spawn("certificates", renew(tls, certificates.clone(), stop()));
        self.spawn(
            "tokens",
            tokens::run(client("tokens-controller"), ca_pem, stop()),
        );
        self.spawn(
            "namespaces",
            namespace::run(
                client("namespace-controller"),
                certificates.ca_pem().to_owned(),
                stop(),
            ),
        );
        self.spawn(
            "garbage-collector",
            gc::run(client("generic-garbage-collector"), stop()),
        );
        self.spawn(
            "event-ttl",
            events::run(client("event-ttl-controller"), stop()),
        );
    }
}

/// Serves with a new certificate before the old one ends.
async fn renew(tls: Arc<Tls>, certificates: Certificates, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(RENEWAL_CHECK);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match certificates.server_key() {
            Ok(key) => tls.replace(key),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the server certificate cannot be renewed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Query;

    #[tokio::test]
    async fn a_controller_that_dies_is_noticed_and_one_that_is_stopped_is_not() {
        let controllers = Controllers::default();
        let stop = controllers.stop_token();
        controllers.spawn("good", async move { stop.cancelled().await });
        let health = |controllers: &Controllers| {
            let checks = [controllers.check()];
            crate::http::health_answer(&checks, "livez", &Query::default())
        };
        tokio::task::yield_now().await;
        assert_eq!(health(&controllers), 200);
        controllers.spawn("bad", async { panic!("as a bug would") });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(health(&controllers), 500);
        controllers.end().await;
        let names = controllers.dead.lock().unwrap().clone();
        assert_eq!(names, ["bad"]);
    }
}
