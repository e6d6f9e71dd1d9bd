//! Where things lie in a data directory, and which ports its servers had last time.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;

/// A data directory. Nobody else has it as long as a clone lives.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
    _lock: Arc<File>,
}

impl Layout {
    /// Makes the directory if it is missing, and takes it: before anything in it is changed, also the files beside
    /// the databases, which have locks of their own.
    pub(crate) fn open(root: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(root)
            .with_context(|| format!("cannot make the data directory {}", root.display()))?;
        Ok(Self {
            root: root.to_owned(),
            _lock: Arc::new(lock(root)?),
        })
    }

    /// Database and certificates of the hub.
    pub(crate) fn hub(&self) -> PathBuf {
        self.root.join("hub")
    }

    /// The administrator's kubeconfig of the hub.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.root.join("kubeconfig")
    }

    /// Database and certificates of a member.
    pub(crate) fn member(&self, name: &str) -> PathBuf {
        self.root.join("members").join(name)
    }

    /// The administrator's kubeconfig of a member.
    pub(crate) fn member_kubeconfig(&self, name: &str) -> PathBuf {
        self.root.join("members").join(format!("{name}.kubeconfig"))
    }

    /// Identity of a member's agent.
    pub(crate) fn agent(&self, name: &str) -> PathBuf {
        self.root.join("members").join(format!("{name}.agent"))
    }

    /// The log of everything in this process, when the screen is taken by the live view.
    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("playground.log")
    }

    fn ports(&self) -> PathBuf {
        self.root.join("ports.json")
    }

    /// Binds a loopback port for each server: the one it had last time, so that kubeconfigs stay good over restarts,
    /// or a free one if that is taken. Remembers them.
    pub(crate) async fn listeners(&self, servers: &[&str]) -> anyhow::Result<Vec<TcpListener>> {
        let mut ports: BTreeMap<String, u16> = match std::fs::read(self.ports()) {
            // A file that a crash cut short is not worth stopping for: new ports do as well.
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
            Err(_) => BTreeMap::new(),
        };
        let mut listeners = Vec::with_capacity(servers.len());
        for server in servers {
            let listener = bind(ports.get(*server).copied()).await?;
            let port = listener.local_addr().context("cannot see the port")?.port();
            ports.insert((*server).to_owned(), port);
            listeners.push(listener);
        }
        let bytes = serde_json::to_vec(&ports).context("cannot write the ports")?;
        let partial = self.root.join("ports.json.partial");
        std::fs::write(&partial, bytes)
            .and_then(|()| std::fs::rename(&partial, self.ports()))
            .with_context(|| format!("cannot write {}", self.ports().display()))?;
        Ok(listeners)
    }
}

/// Takes the lock file, or says who has it. The system drops the lock when a process ends, however it ends.
fn lock(root: &Path) -> anyhow::Result<File> {
    let path = root.join("lock");
    let trouble = || format!("cannot lock {}", path.display());
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .with_context(trouble)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // What cannot be read names nobody; that somebody has it is known all the same.
            let _ = file.take(64).read_to_string(&mut holder);
            anyhow::bail!(
                "{} is in use by process {}; stop it, or choose another directory with --data-dir",
                root.display(),
                holder.trim()
            );
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(trouble),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .with_context(trouble)?;
    Ok(file)
}

async fn bind(port: Option<u16>) -> anyhow::Result<TcpListener> {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if let Some(port) = port
        && let Ok(listener) = TcpListener::bind(at(port)).await
    {
        return Ok(listener);
    }
    TcpListener::bind(at(0))
        .await
        .context("no loopback port is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_holder_who_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let held = Layout::open(directory.path()).unwrap();
        let error = Layout::open(directory.path()).unwrap_err().to_string();
        let me = format!("in use by process {};", std::process::id());
        assert!(error.contains(&me), "{error}");
        drop(held);
        Layout::open(directory.path()).unwrap();
    }

    #[tokio::test]
    async fn a_port_is_kept_unless_it_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::open(directory.path()).unwrap();
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let first = layout.listeners(&["hub"]).await.unwrap();
        let kept = port(&first[0]);
        let other = layout.listeners(&["hub"]).await.unwrap();
        assert_ne!(port(&other[0]), kept, "taken by the first");
        let last = port(&other[0]);
        drop((first, other));
        assert_eq!(port(&layout.listeners(&["hub"]).await.unwrap()[0]), last);
        std::fs::write(directory.path().join("ports.json"), "{").unwrap();
        assert_eq!(layout.listeners(&["hub"]).await.unwrap().len(), 1);
    }
}
