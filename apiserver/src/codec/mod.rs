//! The forms of data on the wire: bodies in, answers out.

mod age;
pub(crate) mod decode;
mod jsonpath;
mod negotiate;
mod partial;
mod render;
mod stream;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use age::since;
pub use jsonpath::{JsonPath, PathError};
pub use negotiate::{Encoding, Format, Include, Offer, Shape, negotiate};
pub use render::{Rendered, render};
