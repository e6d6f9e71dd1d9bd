//! The end of a store, for the tasks that work until then.

use tokio::sync::watch;

/// Does the work until the store closes, or is gone without having been closed.
pub(super) async fn until_closed(
    mut closing: watch::Receiver<bool>,
    work: impl Future<Output = ()>,
) {
    tokio::select! {
        _ = closing.wait_for(|closing| *closing) => {}
        () = work => {}
    }
}
