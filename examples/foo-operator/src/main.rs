//! The Kubebuilder tutorial's operator, in kube-rs: a Foo is happy when its friend exists.

fn main() {}
