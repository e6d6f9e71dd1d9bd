//! Accounts that agents hand in: the hub's own access to a member that nobody on the hub's side can reach.

use apiserver::local::{Gvr, LocalClient};
use apiserver::status::ApiError;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use federation_api::KubeFedCluster;
use federation_api::names::{SECRET_TOKEN_KEY, SYSTEM_NAMESPACE};
use federation_api::tunnel::HANDED_IN;
use federation_tunnel::ClusterId;
use federation_tunnel::identity::{Accounts, MemberAccount, TokenStoreError};
use http::StatusCode;
use serde_json::{Value, json};

use super::objects::{SECRETS, encoded, get, secret_text};

const CLUSTERS: Gvr<'static> = Gvr::new("core.kubefed.io", "v1beta1", "kubefedclusters");

/// Keeps them where joining puts an account: the token in the cluster's Secret, the authority in its `caBundle`.
#[derive(Clone, Debug)]
pub(super) struct HandedIn(pub(super) LocalClient);

/// How often to try again when an object changes between reading and writing.
const TRIES: usize = 5;

fn failed(error: ApiError) -> TokenStoreError {
    TokenStoreError(error.into())
}

#[async_trait]
impl Accounts for HandedIn {
    async fn keep(
        &self,
        cluster: &ClusterId,
        account: MemberAccount,
    ) -> Result<(), TokenStoreError> {
        for _ in 0..TRIES {
            match self.write(cluster, &account).await {
                Err(error) if error.code == StatusCode::CONFLICT => {}
                outcome => return outcome.map_err(failed),
            }
        }
        Err(TokenStoreError(
            "the cluster's Secret changes all the time".into(),
        ))
    }
}

impl HandedIn {
    /// The authority first: a token that nobody can use does no harm, and the Secret is what tells that all is there.
    async fn write(&self, cluster: &ClusterId, account: &MemberAccount) -> Result<(), ApiError> {
        let name = cluster.name().as_str();
        let Some(mut stored) = get(&self.0, CLUSTERS, name).await? else {
            return Ok(());
        };
        let registered: KubeFedCluster =
            serde_json::from_value(stored.clone()).map_err(ApiError::internal)?;
        let secret_name = &registered.spec.secret_ref.name;
        let held = get(&self.0, SECRETS, secret_name).await?;
        let ours = held.as_ref().is_none_or(is_handed_in);
        if !ours || !registered.wants_tunnel() || stored["metadata"]["uid"] != *cluster.uid() {
            tracing::info!(
                cluster = name,
                "its agent handed in an account, but one was chosen for it: it is not taken"
            );
            return Ok(());
        }
        let bundle = STANDARD.encode(&account.authority_pem);
        if stored["spec"]["caBundle"] != bundle.as_str() {
            stored["spec"]["caBundle"] = bundle.into();
            self.0.update(CLUSTERS, &stored).await?;
        }
        let Some(mut secret) = held else {
            let secret = json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "name": secret_name,
                    "namespace": SYSTEM_NAMESPACE,
                    "annotations": {HANDED_IN: "true"},
                },
                "data": {SECRET_TOKEN_KEY: encoded(&account.token)},
            });
            self.0.create(SECRETS, SYSTEM_NAMESPACE, &secret).await?;
            tracing::info!(cluster = name, "its agent handed in the hub's account");
            return Ok(());
        };
        if secret_text(&secret, SECRET_TOKEN_KEY).as_deref() != Some(&account.token) {
            secret["data"] = json!({SECRET_TOKEN_KEY: encoded(&account.token)});
            self.0.update(SECRETS, &secret).await?;
            tracing::info!(cluster = name, "its agent handed in another account");
        }
        Ok(())
    }
}

fn is_handed_in(secret: &Value) -> bool {
    secret["metadata"]["annotations"][HANDED_IN] == "true"
}
