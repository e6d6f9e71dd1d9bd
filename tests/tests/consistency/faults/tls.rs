//! TLS to the database: what is verified, and what a refusal says.

use std::path::Path;

use apiserver_store::conformance::databases::{DatabaseServer, Engine, ServerOptions, ServerTls};
use federation_tests::HubProcess;
use federation_tests::upstream::Authority;

use super::site::on_servers;
use crate::cluster::program;

on_servers!(a_database_is_who_its_certificate_says);

fn a_database_is_who_its_certificate_says(engine: Engine) {
    let Some(program) = program() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str| directory.path().join(name);
    let authority = Authority::new(directory.path());
    // For the loopback address, and not for its name.
    let identity = authority.server(&[]);
    std::fs::write(file("server.crt"), &identity.certificate_pem).expect("a file");
    std::fs::write(file("server.key"), &identity.key_pem).expect("a file");
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let _ = Authority::new(elsewhere.path());
    let options = ServerOptions {
        tls: Some(ServerTls {
            certificate: file("server.crt"),
            key: file("server.key"),
        }),
        ..ServerOptions::default()
    };
    let Some(server) = DatabaseServer::start_with(engine, &options) else {
        return;
    };
    let plain = server.create_database();
    let database = plain.split(['/', '?']).nth(3).expect("a URL of ours");
    let scheme = plain.split("://").next().expect("a URL of ours");
    let hub = |name: &str, host: &str, mode: &str, ca: &Path| {
        let port = server.port();
        let ca = ca.join("ca.crt");
        let url = format!(
            "{scheme}://hub:hub@{host}:{port}/{database}?sslmode={mode}&sslrootcert={}",
            ca.display()
        );
        let arguments = ["--database-url".to_owned(), url];
        HubProcess::new(&program, directory.path(), name, &arguments)
    };
    let mut right = hub("right", "127.0.0.1", "verify-full", directory.path());
    right.start();
    assert!(
        is_encrypted(&server, engine),
        "the connection is in plain text"
    );
    right.stop();
    let mut named = hub("named", "localhost", "verify-ca", directory.path());
    named.start();
    named.stop();
    let refused = [
        hub("stranger", "127.0.0.1", "verify-full", elsewhere.path()),
        hub("stranger-ca", "127.0.0.1", "verify-ca", elsewhere.path()),
        hub("other-name", "localhost", "verify-full", directory.path()),
    ];
    for hub in refused {
        let output = hub.command("serve").output().expect("it can be started");
        let told = String::from_utf8_lossy(&output.stderr);
        let last = told.lines().last().unwrap_or_default();
        println!("{engine:?}: {last}");
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(last.contains("certificate"), "{last}");
        assert!(!told.contains("hub:hub"), "a password is shown: {told}");
    }
}

/// Whether the hub's connections are encrypted, as the server sees them.
fn is_encrypted(server: &DatabaseServer, engine: Engine) -> bool {
    match engine {
        Engine::Postgres => {
            let plain = server.sql(
                "SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl)
                 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname LIKE 'koinon%'",
            );
            !plain.starts_with("0|") && plain.trim().ends_with("|0")
        }
        Engine::MariaDb => {
            // A user that must use TLS gets in only with it.
            server.sql("ALTER USER hub@'127.0.0.1' REQUIRE SSL");
            server.sql("ALTER USER hub@localhost REQUIRE SSL");
            server.sql("KILL USER hub");
            let count = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'hub'";
            let found = |_: u32| {
                std::thread::sleep(std::time::Duration::from_millis(100));
                server.sql(count).trim() != "0"
            };
            (0..100).any(found)
        }
    }
}
