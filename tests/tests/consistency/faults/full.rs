//! No space is left for the database.

use std::thread::sleep;
use std::time::Duration;

use apiserver_store::conformance::databases::Engine;

use super::mount::Mount;
use super::site::{Place, Site, on_all};

on_all!(a_full_disk_is_told_and_passes);

fn a_full_disk_is_told_and_passes(engine: Option<Engine>) {
    let Some(mount) = Mount::new(if engine.is_some() { 140 } else { 24 }) else {
        return;
    };
    let Some(mut site) = Site::start(engine, Some(mount.path())) else {
        return;
    };
    let work = site.work();
    sleep(Duration::from_secs(1));
    mount.fill();
    let message = site.is_in_trouble();
    println!("{engine:?}: {message}");
    assert!(message.contains("nothing was changed"), "{message}");
    sleep(Duration::from_secs(2));
    mount.empty();
    if let Place::Server(server, _) = &site.place {
        // A server may have given up for good; who runs it brings it back.
        server.restart();
    }
    println!("{engine:?}: recovered after {:?}", site.recovers());
    site.judge(work);
}
