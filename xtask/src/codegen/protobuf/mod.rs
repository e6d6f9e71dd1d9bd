//! `apiserver/data/protobuf`: the wire form of the built-in kinds, from upstream's `generated.proto` files and the struct
//! tags of its Go types.
//!
//! The `.proto` files say how fields are numbered and typed; the tags say what they are called in JSON, which of them are
//! embedded, and when Go leaves one out. Every message is then held against upstream's OpenAPI schema: where names or
//! types differ, generation fails.

mod check;
mod generate;
mod proto;
mod sources;
mod tags;

pub use generate::GENERATOR;
