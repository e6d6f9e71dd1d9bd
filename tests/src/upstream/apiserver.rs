//! How kube-apiserver is started.

use std::path::Path;
use std::process::Command;

use super::certificates::{Authority, write_service_account_keys};

/// Puts the certificate and the keys that [`upstream_apiserver`] names into a directory that has the authority's files.
///
/// # Panics
/// The directory cannot be written to.
pub fn prepare_apiserver(authority: &Authority, directory: &Path) {
    let names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
    ];
    authority.server(&names).write(directory, "server");
    write_service_account_keys(directory);
}

/// kube-apiserver on loopback, with RBAC and client certificates of the directory's authority. More flags may follow: the last one wins.
#[must_use]
pub fn upstream_apiserver(program: &Path, etcd_url: &str, port: u16, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .arg(format!("--etcd-servers={etcd_url}"))
        .arg(format!("--secure-port={port}"))
        .args([
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=RBAC",
            "--allow-privileged=true",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--api-audiences=https://kubernetes.default.svc",
            "--shutdown-delay-duration=0s",
        ]);
    for (flag, file) in [
        ("cert-dir", "."),
        ("client-ca-file", "ca.crt"),
        ("tls-cert-file", "server.crt"),
        ("tls-private-key-file", "server.key"),
        ("service-account-key-file", "sa.pub"),
        ("service-account-signing-key-file", "sa.key"),
    ] {
        command.arg(format!("--{flag}={}", directory.join(file).display()));
    }
    command
}
