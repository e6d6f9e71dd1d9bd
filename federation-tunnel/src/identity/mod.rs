//! Who an agent is: keys, certificates, bootstrap tokens, and which clusters exist.
//!
//! An agent makes its key itself and never sends it. It shows a one-time token (or the certificate that it has), and gets a certificate whose
//! URI SANs name its clusters with their uids. Everything that the hub routes, it routes by what such a certificate says.
//!
//! The trust anchor is an [`Authority`] that is used for nothing else.

mod account;
mod authority;
mod certificate;
mod directory;
mod enroll;
mod pin;
mod request;
mod token;

pub use account::{Accounts, MemberAccount};
pub(crate) use authority::peer_name;
pub use authority::{Authority, AuthorityError, ServerIdentity};
pub use certificate::{AgentCertificate, CertificateProblem};
pub use directory::{Directory, MemoryDirectory};
pub(crate) use directory::{judge, judge_all};
pub(crate) use enroll::{Enrollment, Proof};
pub use pin::{Pin, PinError, Trust, TrustError};
pub use request::{AgentIdentity, AgentKey, IdentityError};
pub use token::{
    BootstrapToken, Claim, KeyDigest, MemoryTokens, TokenError, TokenId, TokenRecord, TokenStore,
    TokenStoreError,
};

/// A certificate as PEM.
pub(crate) fn certificate_pem(der: &[u8]) -> String {
    request::pem("CERTIFICATE", der)
}

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// An error of another library with its causes spelled out, since it has no common type.
type Cause = Box<dyn std::error::Error + Send + Sync>;
