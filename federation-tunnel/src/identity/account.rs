//! What an agent may hand in with its request for a certificate: the account that the hub uses in the agent's cluster.

use std::fmt;

use async_trait::async_trait;

use super::TokenStoreError;
use crate::cluster::ClusterId;

/// An account in a member, and whom to take for its API server. `Debug` does not show the token.
#[derive(Clone, PartialEq, Eq)]
pub struct MemberAccount {
    /// The bearer token.
    pub token: String,
    /// The authorities that vouch for the API server, PEM.
    pub authority_pem: String,
}

impl fmt::Debug for MemberAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemberAccount(<secret>)")
    }
}

/// Where a hub keeps the accounts that agents hand in.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// Keeps the account for a cluster, whose agent has proved by a token or a certificate that it is the cluster's. Whether it replaces one
    /// that is there already is the hub's decision; not to want it is no error.
    ///
    /// # Errors
    /// It cannot be kept now: the agent is refused, and comes again.
    async fn keep(
        &self,
        cluster: &ClusterId,
        account: MemberAccount,
    ) -> Result<(), TokenStoreError>;
}
