//! The database is away for longer than anybody waits.

use std::env;
use std::thread::sleep;
use std::time::Duration;

use apiserver_store::conformance::databases::Engine;

use super::site::{Site, on_servers};

on_servers!(an_outage_is_told_and_passes);

/// Seconds without a database: a minute in the long form.
fn outage() -> Duration {
    let long =
        env::var("KOINON_KILLS").is_ok_and(|kills| kills.parse().is_ok_and(|k: u32| k >= 100));
    Duration::from_secs(if long { 60 } else { 8 })
}

fn an_outage_is_told_and_passes(engine: Engine) {
    let Some(mut site) = Site::start(Some(engine), None) else {
        return;
    };
    let work = site.work();
    sleep(Duration::from_secs(1));
    site.server().kill();
    let message = site.is_in_trouble();
    println!("{engine:?}: {message}");
    sleep(outage());
    site.server().restart();
    let took = site.recovers();
    println!("{engine:?}: recovered after {took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    site.judge(work);
}
