//! A Kubernetes API server library.
