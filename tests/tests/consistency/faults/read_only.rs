//! The database cannot be written.

use std::thread::sleep;
use std::time::Duration;

use apiserver_store::conformance::databases::Engine;

use super::mount::Mount;
use super::site::{Site, on_servers};

on_servers!(a_read_only_server_is_told_and_passes);

/// As after a failover to a replica, or when the server protects a damaged disk.
fn a_read_only_server_is_told_and_passes(engine: Engine) {
    let Some(mut site) = Site::start(Some(engine), None) else {
        return;
    };
    let work = site.work();
    sleep(Duration::from_secs(1));
    set_read_only(&site, engine, true);
    let message = site.is_in_trouble();
    println!("{engine:?}: {message}");
    assert!(message.contains("read-only"), "{message}");
    sleep(Duration::from_secs(2));
    set_read_only(&site, engine, false);
    println!("{engine:?}: recovered after {:?}", site.recovers());
    site.judge(work);
}

fn set_read_only(site: &Site, engine: Engine, read_only: bool) {
    let on = if read_only { "on" } else { "off" };
    let server = site.server();
    match engine {
        Engine::Postgres => {
            server.sql(&format!(
                "ALTER SYSTEM SET default_transaction_read_only = {on}"
            ));
            server.sql("SELECT pg_reload_conf()");
        }
        Engine::MariaDb => {
            // Whoever may do everything may write even then.
            for host in ["'127.0.0.1'", "localhost"] {
                server.sql(&format!(
                    "REVOKE READ_ONLY ADMIN, SUPER ON *.* FROM hub@{host}"
                ));
            }
            server.sql("KILL USER hub");
            server.sql(&format!("SET GLOBAL read_only = {on}"));
        }
    }
}

/// A hub does not start on what it cannot write, says which, and starts when it can be written again.
#[test]
fn a_read_only_file_system_keeps_a_hub_from_starting_and_harms_nothing() {
    let Some(mount) = Mount::new(64) else { return };
    let Some(mut site) = Site::start(None, Some(mount.path())) else {
        return;
    };
    let work = site.work();
    sleep(Duration::from_secs(1));
    site.hub.kill_9();
    mount.set_read_only(true);
    let output = site
        .hub
        .command("serve")
        .output()
        .expect("it can be started");
    let told = String::from_utf8_lossy(&output.stderr);
    let last = told.lines().last().unwrap_or_default();
    println!("{last}");
    assert_eq!(output.status.code(), Some(1), "{told}");
    let store = mount.path().join("store");
    assert!(last.contains(&store.display().to_string()), "{last}");
    assert!(last.contains("Read-only file system"), "{last}");
    mount.set_read_only(false);
    site.hub.start();
    site.recovers();
    site.judge(work);
}
