//! A whole server: store, cache, kinds, controllers and listener put together and taken apart again.
//!
//! [`Server::builder`] is how a program embeds one; any number of servers can live in one process.

mod builder;
mod certificates;
mod controllers;
mod files;
mod gather;
mod handle;
mod install;
mod kubeconfig;
mod listener;
mod start;
mod tls;

pub use builder::{Parts, Server, ServerBuilder};
pub use certificates::{Certificates, CertificatesError, Identity};
pub use handle::ServerHandle;
pub use kubeconfig::{Credential, Kubeconfig, Token};
pub use start::StartError;
pub use tls::TlsError;
