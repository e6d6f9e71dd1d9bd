//! The hub's side of handing out certificates.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls_pki_types::CertificateDer;

use super::{
    Accounts, AgentCertificate, Authority, AuthorityError, BootstrapToken, Claim, Directory,
    MemberAccount, TokenStore, judge,
};
use crate::cluster::ClusterId;
use crate::seams::Seams;
use crate::wire::{EnrollRequest, Issued, Refusal};

/// What the other side has shown of itself besides its request.
#[derive(Debug)]
pub(crate) enum Proof {
    /// Nothing but what the request holds.
    None,
    /// A certificate that TLS has verified.
    Certificate(AgentCertificate),
}

/// Decides about requests for certificates.
pub(crate) struct Enrollment {
    pub(crate) authority: Arc<Authority>,
    /// What agents are told to trust.
    pub(crate) authorities: Vec<CertificateDer<'static>>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) tokens: Arc<dyn TokenStore>,
    /// Where handed-in accounts go; without it they go nowhere.
    pub(crate) accounts: OnceLock<Arc<dyn Accounts>>,
    /// How long agents' certificates are valid.
    pub(crate) life: Duration,
    pub(crate) seams: Seams,
}

/// A refused request, and what to log about it beyond the code.
#[derive(Debug)]
pub(crate) struct Denied {
    pub(crate) refusal: Refusal,
    pub(crate) detail: String,
}

impl Denied {
    fn new(refusal: Refusal, detail: impl Into<String>) -> Self {
        Self {
            refusal,
            detail: detail.into(),
        }
    }
}

impl Enrollment {
    /// Answers one request. Returns the clusters of the certificate with it.
    pub(crate) async fn answer(
        &self,
        request: &EnrollRequest,
        proof: &Proof,
    ) -> Result<(Issued, Vec<ClusterId>), Denied> {
        let clusters = if request.token.is_empty() {
            self.by_certificate(proof)?
        } else {
            vec![self.by_token(request).await?]
        };
        let leaf = self
            .authority
            .issue_agent(&request.request, &clusters, self.life)
            .map_err(|error| match error {
                AuthorityError::Request(cause) => {
                    Denied::new(Refusal::BadRequest, cause.to_string())
                }
                other => Denied::new(Refusal::Internal, other.to_string()),
            })?;
        self.keep_account(request, &clusters).await?;
        let issued = Issued {
            chain: vec![leaf.to_vec()],
            authorities: self.authorities.iter().map(|der| der.to_vec()).collect(),
        };
        Ok((issued, clusters))
    }

    /// An account is one cluster's: of an agent that serves several it is not taken.
    async fn keep_account(
        &self,
        request: &EnrollRequest,
        clusters: &[ClusterId],
    ) -> Result<(), Denied> {
        let (Some(account), Some(accounts), [cluster]) =
            (&request.account, self.accounts.get(), clusters)
        else {
            return Ok(());
        };
        let account = MemberAccount {
            token: account.token.clone(),
            authority_pem: account.authority.clone(),
        };
        accounts.keep(cluster, account).await.map_err(|error| {
            Denied::new(
                Refusal::Internal,
                format!("the account for {cluster} cannot be kept: {}", error.0),
            )
        })
    }

    /// Renewal: the new certificate lists what the old one may still serve, and nothing more.
    fn by_certificate(&self, proof: &Proof) -> Result<Vec<ClusterId>, Denied> {
        let Proof::Certificate(certificate) = proof else {
            return Err(Denied::new(
                Refusal::NoCertificate,
                "neither a bootstrap token nor a certificate to renew",
            ));
        };
        judge(&*self.directory, certificate, self.seams.now())
            .map_err(|refusal| Denied::new(refusal, format!("serial {}", certificate.serial())))
    }

    /// A token is looked at in this order: known, in time, its cluster there, the request good; only then it is used up.
    async fn by_token(&self, request: &EnrollRequest) -> Result<ClusterId, Denied> {
        let unknown = |detail: &str| Denied::new(Refusal::UnknownToken, detail);
        let token: BootstrapToken = request
            .token
            .parse()
            .map_err(|_| unknown("not a bootstrap token"))?;
        let id = token.id();
        let storage = |error: super::TokenStoreError| {
            Denied::new(Refusal::Internal, format!("{error}: {}", error.0))
        };
        let record = self.tokens.find(id).await.map_err(storage)?;
        let record = record
            .filter(|record| same(&record.digest, &token.digest()))
            .ok_or_else(|| unknown(&format!("token {id}")))?;
        if self.seams.now() >= record.expires {
            return Err(Denied::new(Refusal::ExpiredToken, format!("token {id}")));
        }
        match self.directory.uid(record.cluster.name()) {
            Some(uid) if *uid == *record.cluster.uid() => {}
            Some(_) => {
                let detail = format!("token {id} for {}", record.cluster);
                return Err(Denied::new(Refusal::OtherUid, detail));
            }
            None => {
                let detail = format!("token {id} for {}", record.cluster);
                return Err(Denied::new(Refusal::UnknownCluster, detail));
            }
        }
        let key = Authority::key_of_request(&request.request).map_err(|error| match error {
            AuthorityError::Request(cause) => Denied::new(Refusal::BadRequest, cause.to_string()),
            other => Denied::new(Refusal::BadRequest, other.to_string()),
        })?;
        match self.tokens.claim(id, key).await.map_err(storage)? {
            Claim::Granted => Ok(record.cluster),
            Claim::Gone => Err(unknown(&format!("token {id}"))),
            Claim::Taken => Err(Denied::new(
                Refusal::UsedToken,
                format!(
                    "token {id} for {} was used by another key; if that was not your agent, revoke its certificate",
                    record.cluster
                ),
            )),
        }
    }
}

/// Compares in a time that does not depend on where they differ.
fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}
