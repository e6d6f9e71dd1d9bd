//! Deletes bootstrap tokens that expired a while ago. Nobody else does: a token that is never used stays otherwise.

use std::time::Duration;

use apiserver::local::LocalClient;
use federation_api::names::SYSTEM_NAMESPACE;
use federation_api::tunnel::BOOTSTRAP_PREFIX;
use federation_tunnel::identity::TokenId;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::objects::{SECRETS, STORED_SECRETS};
use super::tokens::record;

/// How often to look.
const EVERY: Duration = Duration::from_secs(600);
/// How long an expired token is kept: its agent is told that it has expired as long as the Secret is there, and that nobody knows it afterwards.
const KEPT: Duration = Duration::from_secs(3600);

/// Looks from time to time, until `stop`. Each process of a hub does; of several that find the same Secret one deletes it.
pub(super) async fn run(hub: LocalClient, stop: CancellationToken) {
    loop {
        sweep(&hub).await;
        tokio::select! {
            () = sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Deletes what is to be deleted now.
async fn sweep(hub: &LocalClient) {
    let now = hub.api().seams.now();
    let secrets = hub.api().cache.list(STORED_SECRETS);
    for stored in secrets.range(Some(SYSTEM_NAMESPACE), None) {
        if !stored.name().starts_with(BOOTSTRAP_PREFIX) {
            continue;
        }
        let Some(token) = serde_json::from_slice(&stored.bytes)
            .ok()
            .and_then(|secret| forgotten(&secret, now))
        else {
            continue;
        };
        // As it was looked at, and no other of that name.
        let options = json!({"preconditions": {
            "uid": stored.meta.uid,
            "resourceVersion": stored.revision.to_string(),
        }});
        match hub
            .delete(SECRETS, SYSTEM_NAMESPACE, stored.name(), &options)
            .await
        {
            Ok(_) => {
                let Token { cluster, expired } = token;
                tracing::info!(secret = &**stored.name(), cluster, %expired, "deleted an expired bootstrap token");
            }
            // Another process was faster, or somebody has changed it: the next look tells.
            Err(error) if [StatusCode::NOT_FOUND, StatusCode::CONFLICT].contains(&error.code) => {}
            Err(error) => {
                tracing::warn!(
                    secret = &**stored.name(),
                    message = error.message,
                    "cannot delete an expired bootstrap token"
                );
            }
        }
    }
}

/// What to log of a token.
#[derive(Debug, PartialEq, Eq)]
struct Token {
    cluster: String,
    expired: Timestamp,
}

/// The token of a Secret that is to be deleted: one of ours, by name, type and content, that expired long enough ago.
fn forgotten(secret: &Value, now: Timestamp) -> Option<Token> {
    let id = secret["metadata"]["name"]
        .as_str()?
        .strip_prefix(BOOTSTRAP_PREFIX)?;
    id.parse::<TokenId>().ok()?;
    let record = record(secret)?;
    let expired = Timestamp::from_second(record.expires.as_secs().try_into().ok()?).ok()?;
    (now.duration_since(expired) >= jiff::SignedDuration::try_from(KEPT).ok()?).then(|| Token {
        cluster: record.cluster.name().to_string(),
        expired,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use apiserver::seams::Seams;
    use federation_api::tunnel::{BOOTSTRAP_EXPIRES, BOOTSTRAP_TYPE};
    use federation_tunnel::ClusterId;
    use federation_tunnel::identity::{BootstrapToken, KeyDigest, TokenRecord, TokenStore};
    use rustls::pki_types::UnixTime;

    use super::super::testing;
    use super::*;
    use crate::tunnel::bootstrap_secret;
    use crate::tunnel::objects::{encoded, get};
    use crate::tunnel::tokens::SecretTokens;

    const START: i64 = 1_800_000_000;
    const HOUR: i64 = 3600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(START + seconds).unwrap()
    }

    /// A token's Secret that expires so many seconds after the start.
    fn token(expires: i64, used: bool) -> (TokenId, Value) {
        let token = BootstrapToken::generate(&federation_tunnel::Seams::system());
        let expires = Duration::from_secs((START + expires).try_into().unwrap());
        let record = TokenRecord {
            digest: token.digest(),
            cluster: ClusterId::new("hz-1".parse().unwrap(), "uid-1").unwrap(),
            expires: UnixTime::since_unix_epoch(expires),
            used_by: used.then(|| KeyDigest::of(b"key")),
        };
        (token.id().clone(), bootstrap_secret(token.id(), &record))
    }

    #[test]
    fn only_tokens_go_and_only_an_hour_after_their_end() {
        for used in [false, true] {
            let (_, secret) = token(0, used);
            assert_eq!(forgotten(&secret, at(HOUR - 1)), None);
            let gone = forgotten(&secret, at(HOUR)).unwrap();
            assert_eq!((&*gone.cluster, gone.expired), ("hz-1", at(0)));
        }
        let (_, secret) = token(0, false);
        let with = |change: fn(&mut Value)| {
            let mut changed = secret.clone();
            change(&mut changed);
            forgotten(&changed, at(1000 * HOUR))
        };
        assert!(with(|_| {}).is_some());
        assert_eq!(with(|s| s["type"] = json!("Opaque")), None);
        assert_eq!(with(|s| s["metadata"]["name"] = json!("mine")), None);
        let other = |s: &mut Value| s["metadata"]["name"] = json!("koinon-bootstrap-mine");
        assert_eq!(with(other), None);
        assert_eq!(
            with(|s| s["data"][BOOTSTRAP_EXPIRES] = encoded("never")),
            None
        );
        assert_eq!(with(|s| s["data"] = json!({})), None);
    }

    #[tokio::test]
    async fn processes_of_a_hub_sweep_beside_one_another() {
        let clock = Arc::new(AtomicI64::new(0));
        let shown = clock.clone();
        let system = Seams::system();
        let seams = Seams::new(
            move || at(shown.load(Ordering::Relaxed)),
            move || system.random(),
        );
        let (server, hub, _keys) = testing::hub(seams).await;
        let (old, secret) = token(0, false);
        let (young, younger) = token(HOUR, true);
        let mut like_one = secret.clone();
        like_one["metadata"]["name"] = json!("koinon-bootstrap-0123456789abcdef");
        like_one["type"] = json!("Opaque");
        for secret in [&secret, &younger, &like_one] {
            hub.create(SECRETS, SYSTEM_NAMESPACE, secret).await.unwrap();
        }
        assert_eq!(secret["type"], BOOTSTRAP_TYPE);
        let tokens = SecretTokens(hub.clone());
        clock.store(HOUR - 1, Ordering::Relaxed);
        sweep(&hub).await;
        // Until then an agent is told that it is too late.
        assert!(tokens.find(&old).await.unwrap().is_some());
        clock.store(HOUR, Ordering::Relaxed);
        tokio::join!(sweep(&hub), sweep(&hub), sweep(&hub));
        assert_eq!(tokens.find(&old).await.unwrap(), None);
        assert!(tokens.find(&young).await.unwrap().is_some());
        clock.store(100 * HOUR, Ordering::Relaxed);
        sweep(&hub).await;
        assert_eq!(tokens.find(&young).await.unwrap(), None);
        let name = "koinon-bootstrap-0123456789abcdef";
        assert!(get(&hub, SECRETS, name).await.unwrap().is_some());
        server.shutdown().await;
    }
}
