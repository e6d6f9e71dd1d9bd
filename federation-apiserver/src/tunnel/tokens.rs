//! Bootstrap tokens, in Secrets of the hub: what recognises a token, never the token.

use std::time::Duration;

use apiserver::local::LocalClient;
use apiserver::status::ApiError;
use async_trait::async_trait;
use federation_api::names::SYSTEM_NAMESPACE;
use federation_api::tunnel::{
    BOOTSTRAP_CLUSTER, BOOTSTRAP_DIGEST, BOOTSTRAP_EXPIRES, BOOTSTRAP_PREFIX, BOOTSTRAP_TYPE,
    BOOTSTRAP_UID, BOOTSTRAP_USED_BY,
};
use federation_tunnel::ClusterId;
use federation_tunnel::identity::{
    Claim, KeyDigest, TokenId, TokenRecord, TokenStore, TokenStoreError,
};
use http::StatusCode;
use rustls::pki_types::UnixTime;
use serde_json::{Value, json};

use super::objects::{SECRETS, encoded, get, secret_text};

/// Keeps tokens in Secrets, with the API's own compare and swap: of all hub processes one key wins.
#[derive(Clone, Debug)]
pub(super) struct SecretTokens(pub(super) LocalClient);

/// How often to try again when the Secret changes between reading and writing.
const TRIES: usize = 5;

fn failed(error: ApiError) -> TokenStoreError {
    TokenStoreError(error.into())
}

#[async_trait]
impl TokenStore for SecretTokens {
    async fn find(&self, id: &TokenId) -> Result<Option<TokenRecord>, TokenStoreError> {
        let secret = get(&self.0, SECRETS, &name(id)).await.map_err(failed)?;
        Ok(secret.as_ref().and_then(record))
    }

    async fn claim(&self, id: &TokenId, key: KeyDigest) -> Result<Claim, TokenStoreError> {
        for _ in 0..TRIES {
            let secret = get(&self.0, SECRETS, &name(id)).await.map_err(failed)?;
            let Some(mut secret) = secret else {
                return Ok(Claim::Gone);
            };
            let Some(record) = record(&secret) else {
                return Ok(Claim::Gone);
            };
            match record.used_by {
                Some(other) if other == key => return Ok(Claim::Granted),
                Some(_) => return Ok(Claim::Taken),
                None => {}
            }
            secret["data"][BOOTSTRAP_USED_BY] = encoded(&key.to_string());
            match self.0.update(SECRETS, &secret).await {
                Ok(_) => return Ok(Claim::Granted),
                Err(error) if error.code == StatusCode::CONFLICT => {}
                Err(error) if error.code == StatusCode::NOT_FOUND => return Ok(Claim::Gone),
                Err(error) => return Err(failed(error)),
            }
        }
        Err(TokenStoreError(
            "the token's Secret changes all the time".into(),
        ))
    }
}

fn name(id: &TokenId) -> String {
    format!("{BOOTSTRAP_PREFIX}{id}")
}

/// The Secret that makes a hub accept a token: it says what the record says, which is not the token itself.
#[must_use]
pub fn bootstrap_secret(id: &TokenId, record: &TokenRecord) -> Value {
    let seconds = i64::try_from(record.expires.as_secs()).unwrap_or(i64::MAX);
    let expires = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    let mut secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": BOOTSTRAP_TYPE,
        "metadata": {"name": name(id), "namespace": SYSTEM_NAMESPACE},
        "data": {
            BOOTSTRAP_DIGEST: encoded(&KeyDigest(record.digest).to_string()),
            BOOTSTRAP_CLUSTER: encoded(record.cluster.name().as_str()),
            BOOTSTRAP_UID: encoded(record.cluster.uid()),
            BOOTSTRAP_EXPIRES: encoded(&expires.to_string()),
        },
    });
    if let Some(key) = record.used_by {
        secret["data"][BOOTSTRAP_USED_BY] = encoded(&key.to_string());
    }
    secret
}

/// What a Secret says of a token; `None` if it is not a token's, or damaged: then the token is worth nothing.
pub(super) fn record(secret: &Value) -> Option<TokenRecord> {
    if secret["type"] != BOOTSTRAP_TYPE {
        return None;
    }
    let text = |key| secret_text(secret, key);
    let name = text(BOOTSTRAP_CLUSTER)?.parse().ok()?;
    let expires: jiff::Timestamp = text(BOOTSTRAP_EXPIRES)?.parse().ok()?;
    let expires = Duration::from_secs(u64::try_from(expires.as_second()).ok()?);
    let used_by = match text(BOOTSTRAP_USED_BY) {
        Some(hex) => Some(KeyDigest(digest(&hex)?)),
        None => None,
    };
    Some(TokenRecord {
        digest: digest(&text(BOOTSTRAP_DIGEST)?)?,
        cluster: ClusterId::new(name, &text(BOOTSTRAP_UID)?).ok()?,
        expires: UnixTime::since_unix_epoch(expires),
        used_by,
    })
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&hex[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use federation_tunnel::Seams;
    use federation_tunnel::identity::BootstrapToken;

    use super::*;

    #[test]
    fn a_record_survives_its_secret_and_the_token_is_not_in_it() {
        let token = BootstrapToken::generate(&Seams::system());
        let mut kept = TokenRecord {
            digest: token.digest(),
            cluster: ClusterId::new("hz-1".parse().unwrap(), "uid-1").unwrap(),
            expires: UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000)),
            used_by: None,
        };
        let secret = bootstrap_secret(token.id(), &kept);
        assert_eq!(record(&secret), Some(kept.clone()));
        assert!(!secret.to_string().contains(&token.expose()));
        kept.used_by = Some(KeyDigest::of(b"key"));
        let secret = bootstrap_secret(token.id(), &kept);
        assert_eq!(record(&secret), Some(kept));
        for key in [
            BOOTSTRAP_DIGEST,
            BOOTSTRAP_CLUSTER,
            BOOTSTRAP_EXPIRES,
            BOOTSTRAP_USED_BY,
        ] {
            let mut damaged = secret.clone();
            damaged["data"][key] = encoded("é nonsense");
            assert_eq!(record(&damaged), None, "{key}");
        }
        let mut other = secret;
        other["type"] = json!("Opaque");
        assert_eq!(record(&other), None);
    }
}
