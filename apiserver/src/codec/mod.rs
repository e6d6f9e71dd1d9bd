//! To be filled.

pub(crate) mod decode;
