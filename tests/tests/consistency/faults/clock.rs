//! The machine's clock jumps.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use apiserver::seams::Seams;
use federation_tests::Moments;
use federation_tests::history::check;
use federation_tests::upstream::free_port;

use crate::planted::{Planted, directory, serve_at};
use crate::run::{Crowd, tell};

const DAY: i64 = 86_400;
/// So many writes are acknowledged under each time of the clock, however slow the machine is.
const WRITES: usize = 11;

/// Seams whose clock is wrong by so many seconds.
fn seams(wrong: &Arc<AtomicI64>) -> Seams {
    let system = Seams::system();
    let (clock, random) = (system.clone(), system);
    let wrong = wrong.clone();
    Seams::new(
        move || {
            let seconds = wrong.load(Ordering::Acquire);
            let off = std::time::Duration::from_secs(seconds.unsigned_abs());
            let now = clock.now();
            if seconds < 0 { now - off } else { now + off }
        },
        move || random.random(),
    )
}

/// Two servers, the clock of one of which goes forward by days, back by some, forward by more, and home again: no order, no deadline
/// and no revision depends on it. It never goes back to before it made its certificates, which would be refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_changes_nothing() {
    let directory = directory();
    let wrong = Arc::new(AtomicI64::new(-3 * DAY));
    let backend = Planted::default();
    let here = serve(directory.path(), "here", backend.clone(), seams(&wrong)).await;
    let there = serve(directory.path(), "there", backend, Seams::system()).await;
    let kubeconfigs = [here.kubeconfig.clone(), there.kubeconfig.clone()];
    let crowd = Crowd::start(&kubeconfigs, &Moments::start().1).await;
    for seconds in [-3 * DAY, 0, -2 * DAY, 10 * DAY, 0] {
        wrong.store(seconds, Ordering::Release);
        tokio::time::sleep(Duration::from_millis(700)).await;
        crowd.goes_on(WRITES).await;
    }
    let book = crowd.finish().await;
    let summary = check(&book.history).unwrap_or_else(|found| panic!("{}", tell(&found)));
    assert_eq!(book.surprises, Vec::<String>::new());
    assert!(summary.acknowledged > 50, "{summary}");
    assert_eq!(summary.unknown, 0, "{summary}");
    here.handle.shutdown().await;
    there.handle.shutdown().await;
}

async fn serve(
    directory: &Path,
    name: &str,
    backend: Planted,
    seams: Seams,
) -> crate::planted::Hub {
    serve_at(directory, name, free_port(), backend, seams).await
}
