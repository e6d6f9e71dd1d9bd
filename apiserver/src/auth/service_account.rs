//! Tokens of ServiceAccounts, kept in Secrets of type `kubernetes.io/service-account-token`.
//!
//! A token is opaque: `kst1.<base64url of namespace/secret>.<256 random bits in base64url>`. It is good for as long as
//! the Secret holds it and the ServiceAccount that the Secret names exists with the uid that the Secret names. Deleting
//! either ends it at once, on every server of the store, with no signing key to keep or rotate.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::authenticate::TokenAuthenticator;
use crate::cache::Cache;
use crate::object::{self, Obj};
use crate::request::UserInfo;
use crate::seams::Seams;
use crate::status::ApiError;

/// The type of Secrets that hold a token.
pub(crate) const SECRET_TYPE: &str = "kubernetes.io/service-account-token";
/// Annotation of such a Secret: whose token it is.
pub(crate) const NAME_ANNOTATION: &str = "kubernetes.io/service-account.name";
/// Annotation of such a Secret: the uid of the ServiceAccount.
pub(crate) const UID_ANNOTATION: &str = "kubernetes.io/service-account.uid";

const PREFIX: &str = "kst1.";

/// The user that a ServiceAccount is.
pub fn service_account_user(namespace: &str, name: &str, uid: &str) -> UserInfo {
    UserInfo {
        name: format!("system:serviceaccount:{namespace}:{name}"),
        uid: uid.to_owned(),
        groups: vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".to_owned(),
        ],
        ..UserInfo::default()
    }
}

/// A new token for a Secret.
pub(crate) fn mint(namespace: &str, secret: &str, seams: &Seams) -> String {
    let mut random = Vec::with_capacity(32);
    random.extend_from_slice(&seams.random().to_be_bytes());
    random.extend_from_slice(&seams.random().to_be_bytes());
    format!(
        "{PREFIX}{}.{}",
        URL_SAFE_NO_PAD.encode(format!("{namespace}/{secret}")),
        URL_SAFE_NO_PAD.encode(random)
    )
}

/// Namespace and name of the Secret that a token says it is in.
fn place(token: &str) -> Option<(String, String)> {
    let (place, _) = token.strip_prefix(PREFIX)?.split_once('.')?;
    let place = String::from_utf8(URL_SAFE_NO_PAD.decode(place).ok()?).ok()?;
    let (namespace, secret) = place.split_once('/')?;
    Some((namespace.to_owned(), secret.to_owned()))
}

/// An annotation of an object, or `""`.
pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> &'a str {
    object::metadata(object)
        .and_then(|m| m.get("annotations"))
        .and_then(|a| a.get(key))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Does the Secret hold the token? Compares digests, so that the time taken tells nothing.
fn holds(secret: &Value, token: &str) -> bool {
    let held = secret
        .pointer("/data/token")
        .and_then(Value::as_str)
        .and_then(|text| STANDARD.decode(text).ok());
    secret["type"] == SECRET_TYPE
        && held.is_some_and(|held| Sha256::digest(&held) == Sha256::digest(token.as_bytes()))
}

/// Is this the living ServiceAccount that a Secret names?
pub(crate) fn is_account_of(account: &Obj, secret: &Value) -> bool {
    account.meta.deletion_timestamp.is_none()
        && !account.meta.uid.is_empty()
        && account.meta.uid == annotation(secret, UID_ANNOTATION)
}

/// Knows ServiceAccounts by their tokens, from the cache: no I/O.
#[derive(Clone, Debug)]
pub struct ServiceAccountTokens {
    cache: Cache,
}

impl ServiceAccountTokens {
    /// An authenticator over the ServiceAccounts and Secrets in a cache.
    pub fn new(cache: Cache) -> Self {
        Self { cache }
    }

    fn look_up(&self, token: &str) -> Option<UserInfo> {
        let (namespace, secret) = place(token)?;
        let secret: Arc<Obj> = self.cache.get("/secrets", &namespace, &secret)?;
        let secret = secret.to_value();
        if object::is_terminating(&secret) || !holds(&secret, token) {
            return None;
        }
        let name = annotation(&secret, NAME_ANNOTATION);
        let account = self.cache.get("/serviceaccounts", &namespace, name)?;
        is_account_of(&account, &secret)
            .then(|| service_account_user(&namespace, name, &account.meta.uid))
    }
}

#[async_trait]
impl TokenAuthenticator for ServiceAccountTokens {
    async fn authenticate(&self, token: &str) -> Result<Option<UserInfo>, ApiError> {
        Ok(self.look_up(token))
    }
}

#[cfg(test)]
mod tests {
    use apiserver_store::{
        Action, Expect, Key, MemoryBackend, Mutation, Revision, Store, StoreOptions,
    };
    use serde_json::json;

    use super::*;
    use crate::cache::CacheOptions;

    async fn put(store: &Store, resource: &str, name: &str, object: &Value) -> Revision {
        let commit = |expect| {
            store.commit(Mutation {
                key: Key::new(resource, "ns", name),
                expect,
                action: Action::Put(object::encode(object)),
            })
        };
        commit(Expect::Absent).await.unwrap()
    }

    #[tokio::test]
    async fn a_token_lives_as_long_as_its_secret_and_its_account() {
        let store = Store::open(MemoryBackend::new(), StoreOptions::default())
            .await
            .unwrap();
        let cache = Cache::start(store.clone(), CacheOptions::default())
            .await
            .unwrap();
        let token = mint("ns", "robot-token", &Seams::system());
        let account = json!({"kind": "ServiceAccount", "apiVersion": "v1",
            "metadata": {"name": "robot", "namespace": "ns", "uid": "u1"}});
        let secret = json!({"kind": "Secret", "apiVersion": "v1", "type": SECRET_TYPE,
            "metadata": {"name": "robot-token", "namespace": "ns",
                "annotations": {NAME_ANNOTATION: "robot", UID_ANNOTATION: "u1"}},
            "data": {"token": STANDARD.encode(&token)}});
        let tokens = ServiceAccountTokens::new(cache.clone());
        assert!(tokens.authenticate(&token).await.unwrap().is_none());
        put(&store, "/secrets", "robot-token", &secret).await;
        cache.fresh().await.unwrap();
        assert!(tokens.authenticate(&token).await.unwrap().is_none());
        let created = put(&store, "/serviceaccounts", "robot", &account).await;
        cache.fresh().await.unwrap();
        let user = tokens.authenticate(&token).await.unwrap().unwrap();
        assert_eq!(user.name, "system:serviceaccount:ns:robot");
        assert_eq!(user.groups[1], "system:serviceaccounts:ns");
        let other = mint("ns", "robot-token", &Seams::system());
        assert!(tokens.authenticate(&other).await.unwrap().is_none());
        assert!(tokens.authenticate("kst1.x.y").await.unwrap().is_none());
        let delete = Mutation {
            key: Key::new("/serviceaccounts", "ns", "robot"),
            expect: Expect::Revision(created),
            action: Action::Delete(object::encode(&account)),
        };
        store.commit(delete).await.unwrap();
        cache.fresh().await.unwrap();
        assert!(tokens.authenticate(&token).await.unwrap().is_none());
    }
}
