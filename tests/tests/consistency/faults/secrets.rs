//! What is sealed is nowhere in plain text: not in the database's files and logs, not in the hub's log, not in backups.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use apiserver_store::conformance::databases::{DatabaseServer, Engine};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use federation_tests::{Endpoint, HubProcess};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::site::on_all;
use crate::cluster::program;

on_all!(no_byte_of_a_secret_is_left_anywhere);

const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
/// In Secrets, and must not be found.
const HIDDEN: &str = "nineteen-silent-otters-97";
/// In a ConfigMap, and must be found, so that the search is known to work.
const SHOWN: &str = "four-noisy-herons-41";

fn no_byte_of_a_secret_is_left_anywhere(engine: Option<Engine>) {
    let Some(program) = program() else { return };
    let server = match engine {
        Some(engine) => match DatabaseServer::start(engine, false) {
            None => return,
            started => started,
        },
        None => None,
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut arguments = vec!["--log".to_owned(), "trace".to_owned()];
    if let Some(server) = &server {
        log_statements(server, engine);
        arguments.extend(["--database-url".to_owned(), server.create_database()]);
    }
    let mut hub = HubProcess::new(&program, directory.path(), "hub", &arguments);
    hub.start();
    let runtime = Runtime::new().expect("a runtime");
    let endpoint = runtime.block_on(hub.endpoint());
    runtime.block_on(use_secrets(&endpoint));
    if let Some(server) = &server {
        // What fails, and how that is told, must not show it either.
        server.kill();
        let refused = runtime.block_on(create(&endpoint, SECRETS, "refused", HIDDEN));
        assert!(!refused.to_string().contains(HIDDEN));
        server.restart();
        sleep(Duration::from_secs(1));
    }
    hub.stop();
    let backup = directory.path().join("hub.backup");
    let made = hub
        .command("backup")
        .arg(&backup)
        .output()
        .expect("it can be started");
    let told = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{told}");
    fs::write(directory.path().join("backup.log"), &made.stderr).expect("a file");

    let places: Vec<&Path> = [directory.path()]
        .into_iter()
        .chain(server.as_ref().map(DatabaseServer::directory))
        .collect();
    let seen = files_with(&places, SHOWN);
    assert!(seen.contains(&backup), "{seen:?}");
    let in_database = seen.iter().any(|file| match &server {
        Some(server) => file.starts_with(server.directory()),
        None => file.starts_with(directory.path().join("data")),
    });
    assert!(
        in_database,
        "the search does not look into the database: {seen:?}"
    );
    assert_eq!(files_with(&places, HIDDEN), Vec::<PathBuf>::new());
}

/// Has the server log what it is asked, as a talkative administrator would.
fn log_statements(server: &DatabaseServer, engine: Option<Engine>) {
    match engine {
        Some(Engine::Postgres) => {
            server.sql("ALTER SYSTEM SET log_statement = 'all'");
            server.sql("ALTER SYSTEM SET log_parameter_max_length = -1");
            server.sql("SELECT pg_reload_conf()");
        }
        Some(Engine::MariaDb) => {
            server.sql("SET GLOBAL general_log = 1");
        }
        None => {}
    }
}

/// Creates, changes and deletes Secrets, and fails to; one stays.
async fn use_secrets(endpoint: &Endpoint) {
    create(endpoint, CONFIG_MAPS, "seen", SHOWN).await;
    create(endpoint, SECRETS, "kept", HIDDEN).await;
    create(endpoint, SECRETS, "kept", HIDDEN).await;
    create(endpoint, SECRETS, "gone", HIDDEN).await;
    let changed = json!({"stringData": {"more": format!("{HIDDEN}-more")}});
    let kept = format!("{SECRETS}/kept");
    let patched = endpoint.send("PATCH", &kept, Some(&changed)).await;
    let patched = patched.expect("an answer");
    assert_eq!(patched.status, 200, "{}", patched.body);
    let gone = format!("{SECRETS}/gone");
    endpoint
        .send("DELETE", &gone, None)
        .await
        .expect("an answer");
    let read = endpoint.send("GET", &kept, None).await.expect("an answer");
    let shown = read.body["data"]["word"].as_str().unwrap_or_default();
    assert_eq!(
        STANDARD.decode(shown).unwrap_or_default(),
        HIDDEN.as_bytes()
    );
}

async fn create(endpoint: &Endpoint, path: &str, name: &str, word: &str) -> Value {
    let field = if path == SECRETS {
        "stringData"
    } else {
        "data"
    };
    let object = json!({"metadata": {"name": name}, field: {"word": word}});
    let answer = endpoint.send("POST", path, Some(&object)).await;
    answer.map(|reply| reply.body).unwrap_or_default()
}

/// The files in some directories that hold some words, as they are, as Base64 at any offset, or in hexadecimal.
fn files_with(directories: &[&Path], words: &str) -> Vec<PathBuf> {
    let shifted = |shift: usize| {
        let text = STANDARD.encode(format!("{}{words}", &"   "[..shift]));
        // Without the characters that depend on what stands before and after.
        text[(shift * 8).div_ceil(6)..text.len() - 4].to_owned()
    };
    let hexadecimal = words.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms: Vec<String> = (0..3).map(shifted).collect();
    forms.extend([words.to_owned(), hexadecimal]);
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = directories.iter().map(|path| path.to_path_buf()).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of ours") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = fs::read(&path)
                && forms.iter().any(|form| holds(&bytes, form.as_bytes()))
            {
                found.push(path);
            }
        }
    }
    found
}

/// Looks at the first byte before it compares the rest: a debug build has to get through hundreds of megabytes.
fn holds(bytes: &[u8], words: &[u8]) -> bool {
    let Some((first, rest)) = words.split_first() else {
        return true;
    };
    let mut left = bytes;
    while let Some(place) = left.iter().position(|byte| byte == first) {
        left = &left[place + 1..];
        if left.starts_with(rest) {
            return true;
        }
    }
    false
}
