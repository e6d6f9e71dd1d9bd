//! Hubs that are killed, databases that restart, connections that are cut: what clients saw of it must be one true history.
//!
//! Eight clients write and read ConfigMaps, and four watchers follow them, through several hub processes on one database. They record what
//! they asked, what they were told and when; `federation_tests::history` decides whether that can be true.
//!
//! `KOINON_KILLS` says how often a hub is killed on each database; 20 without it, and 200 is the long form:
//! `KOINON_KILLS=200 cargo test -p federation-tests --test consistency -- --nocapture`. `KOINON_SEED` makes the same choices again.

mod cluster;
mod faults;
mod load;
mod planted;
mod recorder;
mod run;
mod trouble;
mod watchers;

use apiserver_store::conformance::databases::Engine;

#[test]
fn postgres_under_two_hubs() {
    run::run(Some(Engine::Postgres));
}

#[test]
fn mariadb_under_two_hubs() {
    run::run(Some(Engine::MariaDb));
}

#[test]
fn sqlite_under_one_hub() {
    run::run(None);
}
