//! Unmodified kubectl against the server: what people type, and what they must see.

mod configmaps;
mod create;
mod custom;
mod deployments;
mod lists;
