//! Upstream control planes: etcd, kube-apiserver and, where asked, kube-controller-manager, as the Kubernetes project releases them.
//!
//! A [`ControlPlane`] has a temporary directory, loopback ports and certificates of its own, so any number of them run side by side.
//! It is what a cluster's API is: RBAC, the default admission plugins, a service allocator, token and namespace controllers. There
//! are no nodes: Pods are made and stay Pending, unless a [`StubKubelet`] is made a node of it.

mod apiserver;
mod certificates;
mod control_plane;
mod kubelet;
mod options;
mod port;
mod programs;

pub use apiserver::{prepare_apiserver, upstream_apiserver};
pub use certificates::{Authority, Identity};
pub use control_plane::ControlPlane;
pub use kubelet::StubKubelet;
pub use options::Options;
pub use port::free_port;
pub use programs::{Programs, upstream_program};
