//! Unmodified kubectl against the server: what people type, and what they must see.

mod configmaps;
mod custom;
mod deployments;
