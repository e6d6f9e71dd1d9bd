//! From the credentials of a request to its user.

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::request::UserInfo;
use crate::status::ApiError;

/// What the TLS handshake told about the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// It showed no certificate.
    #[default]
    None,
    /// It showed a valid one.
    Valid {
        /// Whom it names.
        user: UserInfo,
        /// The last second (since 1970) of its validity; requests on a connection that outlives it fail.
        not_after: u64,
    },
    /// It showed one that is not valid here.
    Rejected,
}

/// Knows users by bearer token.
#[async_trait]
pub trait TokenAuthenticator: Send + Sync {
    /// The user whom a token names; `None` if the token means nothing here.
    ///
    /// # Errors
    /// When the question cannot be answered now.
    async fn authenticate(&self, token: &str) -> Result<Option<UserInfo>, ApiError>;
}

/// All ways to authenticate, in order: certificate, then bearer tokens. The first that knows the client wins.
#[derive(Clone, Default)]
pub struct Authentication {
    tokens: Vec<Arc<dyn TokenAuthenticator>>,
}

impl Authentication {
    /// Authentication by client certificate and the given token authenticators.
    pub fn new(tokens: Vec<Arc<dyn TokenAuthenticator>>) -> Self {
        Self { tokens }
    }

    /// The user of a request: `None` if it carries no credential.
    ///
    /// # Errors
    /// 401 if it carries credentials and none is valid; other errors come from an authenticator.
    pub async fn user(
        &self,
        headers: &HeaderMap,
        certificate: &ClientCertificate,
        now: u64,
    ) -> Result<Option<UserInfo>, ApiError> {
        let mut refused = false;
        match certificate {
            ClientCertificate::Valid { user, not_after } if now <= *not_after => {
                return Ok(Some(user.clone()));
            }
            ClientCertificate::Valid { .. } | ClientCertificate::Rejected => refused = true,
            ClientCertificate::None => {}
        }
        if let Some(token) = bearer(headers) {
            if let Some(user) = self.user_of_token(token).await? {
                return Ok(Some(user));
            }
            refused = true;
        }
        if refused {
            Err(ApiError::unauthorized())
        } else {
            Ok(None)
        }
    }

    /// The user whom a bearer token names, if it names any.
    ///
    /// # Errors
    /// An authenticator's.
    pub async fn user_of_token(&self, token: &str) -> Result<Option<UserInfo>, ApiError> {
        for authenticator in &self.tokens {
            if let Some(user) = authenticator.authenticate(token).await? {
                return Ok(Some(user));
            }
        }
        Ok(None)
    }
}

impl std::fmt::Debug for Authentication {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Authentication({} token authenticators)",
            self.tokens.len()
        )
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?.trim();
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::TokenTable;

    async fn ask(authorization: &str, certificate: ClientCertificate) -> Result<String, u16> {
        let table = TokenTable::new().with("t", UserInfo::internal("by-token"));
        let mut headers = HeaderMap::new();
        if !authorization.is_empty() {
            headers.insert(AUTHORIZATION, authorization.parse().unwrap());
        }
        Authentication::new(vec![Arc::new(table)])
            .user(&headers, &certificate, 100)
            .await
            .map(|user| user.map_or_else(|| "nobody".to_owned(), |u| u.name))
            .map_err(|e| e.code.as_u16())
    }

    #[tokio::test]
    async fn the_first_valid_credential_wins_and_a_bad_one_alone_fails() {
        let valid = |not_after| ClientCertificate::Valid {
            user: UserInfo::internal("by-cert"),
            not_after,
        };
        let none = ClientCertificate::None;
        assert_eq!(ask("", none.clone()).await.unwrap(), "nobody");
        assert_eq!(ask("Bearer t", none.clone()).await.unwrap(), "by-token");
        assert_eq!(ask("bearer  t", none.clone()).await.unwrap(), "by-token");
        assert_eq!(ask("Bearer x", none.clone()).await, Err(401));
        assert_eq!(ask("Basic x", none).await.unwrap(), "nobody");
        assert_eq!(ask("Bearer t", valid(100)).await.unwrap(), "by-cert");
        assert_eq!(ask("", valid(99)).await, Err(401));
        assert_eq!(ask("Bearer t", valid(99)).await.unwrap(), "by-token");
        assert_eq!(ask("", ClientCertificate::Rejected).await, Err(401));
    }
}
