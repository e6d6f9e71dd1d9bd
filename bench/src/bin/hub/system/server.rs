//! How the API servers are started.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use federation_tests::our_program;
use federation_tests::upstream::{Authority, prepare_apiserver, upstream_apiserver};

use super::backing::tool;

/// The hub.
pub(super) fn ours(database: Option<&str>, port: u16, directory: &Path) -> Result<Command> {
    let program =
        our_program("federation-apiserver").context("federation-apiserver is not built")?;
    let mut command = Command::new(program);
    command
        .args(["serve", "--log=warn"])
        .arg(format!("--data-dir={}", directory.join("data").display()))
        .arg(format!(
            "--kubeconfig={}",
            directory.join("kubeconfig").display()
        ))
        .arg(format!("--listen=127.0.0.1:{port}"));
    if let Some(url) = database {
        command.arg(format!("--database-url={url}"));
    }
    Ok(command)
}

/// What upstream's kube-apiserver needs before its first start, and an administrator's kubeconfig.
pub(super) fn prepare(authority: &Authority, port: u16, directory: &Path) -> Result<()> {
    if !directory.join("server.crt").exists() {
        prepare_apiserver(authority, directory);
    }
    let url = format!("https://127.0.0.1:{port}");
    let admin = authority.kubeconfig("upstream", &url, "admin", Some("system:masters"));
    fs::write(directory.join("kubeconfig"), admin).context("write a kubeconfig")
}

/// Upstream's kube-apiserver, as it comes but for the admission plugin that needs a controller to make service accounts.
pub(super) fn upstream(etcd: &str, port: u16, directory: &Path) -> Result<Command> {
    let mut command = upstream_apiserver(&tool("kube-apiserver")?, etcd, port, directory);
    command.arg("--disable-admission-plugins=ServiceAccount");
    Ok(command)
}
