//! The webhook's certificates.
//!
//! `identity` makes and reads certificates, `keyring` is what a Secret holds, `rotation` decides what is due, `current` is
//! what new connections are served with.
//!
//! **Rotation.** The serving certificate is renewed when a third of its life is left: no client needs to know. A new CA is
//! first only trusted, beside the old one; when it stands in every bundle, and a while longer, it starts to sign. The old one
//! stays trusted until it expires. So at every moment each certificate in use is signed by a CA that is in every bundle.

mod current;
mod identity;
mod keyring;
mod rotation;

pub(super) use current::Current;
pub(super) use identity::{CertificateError, Identity};
pub(super) use keyring::Keyring;
pub(super) use rotation::{Lives, Situation, decide, perform};
