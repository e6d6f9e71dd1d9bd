//! Who asks, and whether they may.
//!
//! Authentication turns a request's credentials into a [`UserInfo`](crate::request::UserInfo): a client certificate
//! ([`x509`]), a bearer token ([`TokenAuthenticator`]: a fixed [`TokenTable`], [`ServiceAccountTokens`]), then perhaps
//! impersonation ([`impersonate`]). A credential that is not valid is an error, never an anonymous user.
//!
//! Authorisation is behind [`Authorizer`]; until roles are enforced, [`AlwaysAllow`] lets every authenticated user do
//! everything.

mod authenticate;
mod authorize;
pub(crate) mod impersonate;
pub(crate) mod service_account;
mod token;
pub(crate) mod x509;

pub use authenticate::{Authentication, ClientCertificate, TokenAuthenticator};
pub use authorize::{Action, AlwaysAllow, Authorizer, Decision, ResourceAttributes};
pub use service_account::{ServiceAccountTokens, service_account_user};
pub use token::{TokenFileError, TokenTable};
