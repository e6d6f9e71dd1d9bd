//! Protobuf bodies of built-in kinds, as client-go's typed clients and kubectl send them.
//!
//! A body is `k8s\0`, then a `runtime.Unknown`: what kind it is, and the object's own bytes. The object becomes the JSON
//! that the same client would have sent as JSON, so that nothing behind this place knows that there are two encodings.
//! Which field is what comes from a generated table, see `xtask`'s generator `protobuf`. Answers are never Protobuf.

mod envelope;
mod forms;
#[cfg(test)]
mod golden;
mod message;
mod table;
#[cfg(test)]
mod tests;
mod wire;

pub(super) use envelope::from_protobuf;
