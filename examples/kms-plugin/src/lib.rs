//! A KMS v2 plugin (KEP-3299) whose keys are in a file: an example of what a plugin has to do, and a stand-in for a real one in tests.
//!
//! A real plugin asks a key service or a hardware module; here the keys lie on the same disk as what they protect. The shape is that of
//! every plugin: a gRPC server on a Unix socket with three calls. [`keys`] keeps and rotates keys, [`service`] answers.

pub mod keys;
mod messages;
pub mod service;

pub use keys::KeyFile;
pub use service::serve;
