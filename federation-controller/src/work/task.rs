//! A task that ends with its owner.

use std::future::Future;

use tokio::task::JoinHandle;

/// Aborts its task when dropped.
#[derive(Debug)]
pub struct OwnedTask(Option<JoinHandle<()>>);

impl OwnedTask {
    /// Spawns the future.
    pub fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Some(tokio::spawn(future)))
    }

    /// Aborts the task and waits until it is gone, so that nothing of it runs any more.
    pub async fn stop(mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
            // Aborted or ended: both are what was asked for.
            let _ = task.await;
        }
    }
}

impl Drop for OwnedTask {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}
