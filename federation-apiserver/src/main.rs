//! The hub: the apiserver library with Koinon's kinds, conversion and admission.

fn main() {}
