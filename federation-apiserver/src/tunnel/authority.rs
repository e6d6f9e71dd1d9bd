//! The tunnel's certificate authority, in a Secret of the hub: sealed as Secrets are, and the same for all processes on one database.

use apiserver::local::LocalClient;
use apiserver::status::ApiError;
use federation_api::names::SYSTEM_NAMESPACE;
use federation_api::tunnel::{CA_SECRET, CA_SECRET_TYPE, CERTIFICATE_KEY, PRIVATE_KEY_KEY};
use federation_tunnel::Seams;
use federation_tunnel::identity::{Authority, AuthorityError};
use http::StatusCode;
use serde_json::{Value, json};

use super::objects::{SECRETS, encoded, get, secret_text};

/// There is no authority to work with.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityStoreError {
    /// The Secret cannot be read or written.
    #[error("secret {CA_SECRET} cannot be read or written")]
    Hub(#[source] ApiError),
    /// It is there, but does not hold an authority. It is not replaced silently: every agent trusts it.
    #[error(
        "secret {CA_SECRET} holds no certificate authority; restore it, or delete it to have a new one made, for which every agent needs a new \
         bootstrap token"
    )]
    Unusable(#[source] AuthorityError),
    /// A new one cannot be made.
    #[error("a certificate authority cannot be made")]
    Generate(#[source] AuthorityError),
    /// It comes and goes.
    #[error("secret {CA_SECRET} is made and deleted again and again")]
    Unsteady,
}

/// How often to look again when another process was faster.
const TRIES: usize = 5;

/// The hub's authority; made and kept if there is none. Of several processes that start together one makes it.
pub(super) async fn open(
    hub: &LocalClient,
    seams: &Seams,
) -> Result<Authority, AuthorityStoreError> {
    for _ in 0..TRIES {
        if let Some(secret) = get(hub, SECRETS, CA_SECRET)
            .await
            .map_err(AuthorityStoreError::Hub)?
        {
            let text = |key| secret_text(&secret, key).unwrap_or_default();
            return Authority::from_pem(&text(CERTIFICATE_KEY), &text(PRIVATE_KEY_KEY), seams)
                .map_err(AuthorityStoreError::Unusable);
        }
        let authority = Authority::generate(seams).map_err(AuthorityStoreError::Generate)?;
        match hub
            .create(SECRETS, SYSTEM_NAMESPACE, &secret(&authority))
            .await
        {
            Ok(_) => {
                tracing::info!(pin = %authority.pin(), "made the tunnel's certificate authority");
                return Ok(authority);
            }
            Err(error) if error.code == StatusCode::CONFLICT => {}
            Err(error) => return Err(AuthorityStoreError::Hub(error)),
        }
    }
    Err(AuthorityStoreError::Unsteady)
}

fn secret(authority: &Authority) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": CA_SECRET_TYPE,
        "metadata": {"name": CA_SECRET, "namespace": SYSTEM_NAMESPACE},
        "data": {
            CERTIFICATE_KEY: encoded(authority.certificate_pem()),
            PRIVATE_KEY_KEY: encoded(authority.key_pem()),
        },
    })
}
