//! Encryption at rest: values sealed before a backend sees them, and opened after it gave them back.
//!
//! The stored form is kube-apiserver's: `k8s:enc:<cipher>:v1:<key>:` or `k8s:enc:kms:v2:<plugin>:`, then what the cipher makes. So is
//! the meaning of the rules: of a resource's providers the first seals and all open, so that keys can be replaced one step at a time.
//!
//! Sealing happens in [`Store::commit`](crate::Store::commit), before the writer's queue: the transaction, the log, what a database
//! tells its listeners, and a copy of the database hold sealed bytes only. What an object was before a change is copied to the log as
//! it is stored, sealed. AES-GCM and KMS bind a value to the object's key; see [`KeyRing`] for the ciphers that do not.
//!
//! Not protected: keys, revisions and sizes of objects; an old sealed value put back in the place of a newer one of the same object.

mod cbc;
mod cipher;
mod error;
mod gcm;
mod keys;
mod kms;
mod opened;
mod path;
mod rules;
mod seals;
mod secret;
mod secretbox;
#[cfg(test)]
mod tests;

pub use cipher::CipherError;
pub use error::{SealError, UnsealError};
pub use keys::{KeyError, KeyRing};
pub use kms::{KmsError, KmsOptions, KmsProvider, KmsTimes};
pub(crate) use opened::Opened;
pub use rules::{Provider, ResourcePattern, SealRules, Trouble};
pub use seals::Seals;
pub use secret::{SealKey, Secret};
