//! One run: clients, watchers and trouble, and then the verdict.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use apiserver_store::conformance::databases::Engine;
use federation_tests::Moments;
use federation_tests::history::{History, Revision, Summary, Violation, check};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::load::{Client, connect};
use crate::recorder::{Book, Recorder};
use crate::trouble;
use crate::watchers::Watcher;

const CLIENTS: u64 = 8;
const WATCHERS: u64 = 4;
/// Kills of hubs per database unless `KOINON_KILLS` says otherwise.
const KILLS: usize = 20;
/// Counts of violations that are told in full.
const TOLD: usize = 3;
/// A watcher that has not caught up by then never will.
const CATCH_UP: Duration = Duration::from_secs(60);

/// Runs the hubs on one kind of database under load and trouble.
pub(crate) fn run(engine: Option<Engine>) {
    let Some(mut cluster) = Cluster::start(engine) else {
        return;
    };
    let name = engine.map_or("Sqlite".to_owned(), |engine| format!("{engine:?}"));
    let (seed, mut moments) = Moments::start();
    let kills = env::var("KOINON_KILLS").map_or(KILLS, |kills| {
        kills.parse().expect("KOINON_KILLS is a number")
    });
    let begun = Instant::now();
    let runtime = Runtime::new().expect("a runtime");
    let crowd = runtime.block_on(Crowd::start(&cluster.kubeconfigs(), &moments));
    let progress = || crowd.recorder.acknowledged();
    let done = trouble::make(&mut cluster, &mut moments, kills, &progress);
    let book = runtime.block_on(crowd.finish());
    let told = format!("{name}, seed {seed}");
    let (summary, book) = judge(book, &told);
    println!(
        "{told}, {:.0} s: {done}\n  {summary}; {} reads told to come back, {} to begin anew",
        begun.elapsed().as_secs_f64(),
        book.unavailable,
        book.expired
    );
    assert!(done.kills >= kills);
    let enough = 4 * kills;
    assert!(summary.acknowledged > enough, "{told}: {summary}");
    for hub in &mut cluster.hubs {
        hub.stop();
    }
}

/// Wants the book to hold a true history and no surprise.
fn judge(book: Book, told: &str) -> (Summary, Book) {
    let summary = check(&book.history).unwrap_or_else(|violations| {
        panic!("{told}: {}", tell(&violations));
    });
    let surprises = &book.surprises;
    let shown = &surprises[..surprises.len().min(TOLD)];
    assert!(
        surprises.is_empty(),
        "{told}: {}: {shown:#?}",
        surprises.len()
    );
    let jumped = highest(&book.history) >> 32;
    assert_eq!(
        jumped, 0,
        "{told}: revisions jumped though nothing was lost"
    );
    (summary, book)
}

fn highest(history: &History) -> Revision {
    let events = history.watches.iter().flat_map(|watch| &watch.events);
    let revisions = events.map(|seen| seen.event.revision());
    revisions.max().unwrap_or(0)
}

/// The first violations in full.
pub(crate) fn tell(violations: &[Violation]) -> String {
    let first: Vec<String> = violations
        .iter()
        .take(TOLD)
        .map(ToString::to_string)
        .collect();
    format!("{} violations\n{}", violations.len(), first.join("\n"))
}

/// All clients and watchers.
pub(crate) struct Crowd {
    recorder: Arc<Recorder>,
    last: Client,
    clients: Vec<JoinHandle<()>>,
    watchers: Vec<JoinHandle<()>>,
    reached: Vec<Arc<AtomicU64>>,
    clients_stop: CancellationToken,
    watchers_stop: CancellationToken,
}

impl Crowd {
    /// Waits until so many writes more have been acknowledged. Not for ever: whoever needs them counts them.
    pub(crate) async fn goes_on(&self, writes: usize) {
        let (begun, before) = (Instant::now(), self.recorder.acknowledged());
        while self.recorder.acknowledged() < before + writes && begun.elapsed() < CATCH_UP {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Makes their namespace and lets them begin.
    pub(crate) async fn start(kubeconfigs: &[PathBuf], moments: &Moments) -> Self {
        let recorder = Arc::new(Recorder::new());
        let hubs = connect(kubeconfigs).await;
        let namespace = serde_json::json!({"metadata": {"name": "history"}});
        let made = hubs[0].send("POST", "/api/v1/namespaces", Some(&namespace));
        let made = made.await.expect("the hub answers");
        assert_eq!(made.status, 201, "{}", made.body);
        let (clients_stop, watchers_stop) = (CancellationToken::new(), CancellationToken::new());
        let client = |name: String, number| {
            let moments = moments.branch(number);
            Client::new(name, hubs.clone(), recorder.clone(), moments)
        };
        let mut clients = Vec::new();
        for number in 0..CLIENTS {
            let client = client(format!("c{number}"), number);
            clients.push(tokio::spawn(client.run(clients_stop.clone())));
        }
        let mut watchers = Vec::new();
        let mut reached = Vec::new();
        for number in 0..WATCHERS {
            let watcher = Watcher {
                name: format!("w{number}"),
                hubs: hubs.clone(),
                recorder: recorder.clone(),
                moments: moments.branch(100 + number),
                initial: number == 0,
                reached: Arc::default(),
            };
            reached.push(watcher.reached.clone());
            watchers.push(tokio::spawn(watcher.run(watchers_stop.clone())));
        }
        Self {
            last: client("last".to_owned(), 99),
            recorder,
            clients,
            watchers,
            reached,
            clients_stop,
            watchers_stop,
        }
    }

    /// Stops the clients, reads everything from every hub, waits until every watcher was told all of it, and returns the book.
    pub(crate) async fn finish(self) -> Book {
        let Self {
            recorder,
            mut last,
            clients,
            watchers,
            reached,
            clients_stop,
            watchers_stop,
        } = self;
        clients_stop.cancel();
        for client in clients {
            client.await.expect("a client does not panic");
        }
        let end = last.mark("end").await;
        last.read_everywhere().await;
        let begun = Instant::now();
        let behind = || reached.iter().any(|at| at.load(Ordering::Acquire) < end);
        while behind() && begun.elapsed() < CATCH_UP {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let behind = behind();
        watchers_stop.cancel();
        for watcher in watchers {
            watcher.await.expect("a watcher does not panic");
        }
        if behind {
            let what = format!("a watcher was not told {end}, but {reached:?}");
            recorder.note(|book| book.surprises.push(what));
        }
        recorder.take()
    }
}
