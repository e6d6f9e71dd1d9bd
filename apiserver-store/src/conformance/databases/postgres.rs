//! PostgreSQL.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    ServerOptions,
    process::{Process, Recipe, command, copy, directory, free_port, run},
};

/// Debian's place for the programs of each version; the newest one is taken.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut folders: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("initdb").is_file())
        .collect();
    folders.sort();
    folders.pop().map(|(_, folder)| folder)
}

pub(super) fn start(options: &ServerOptions) -> Option<Process> {
    let programs = programs()?;
    let directory = directory("postgres", options);
    let data = directory.join("data");
    let mut init = command(&programs.join("initdb"));
    init.arg("-D").arg(&data).args([
        "--username=hub",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
        "--no-instructions",
    ]);
    let small = options.parent.is_some();
    init.args(small.then_some("--wal-segsize=1"));
    run(init);
    let port = free_port();
    let on = if options.durable { "on" } else { "off" };
    let mut settings = vec![
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        format!("unix_socket_directories={}", directory.display()),
        format!("fsync={on}"),
        "max_connections=400".to_owned(),
        "shared_buffers=32MB".to_owned(),
    ];
    if small {
        settings.extend(["min_wal_size=2MB", "max_wal_size=16MB"].map(str::to_owned));
    }
    if let Some(tls) = &options.tls {
        let certificate = copy(&tls.certificate, &directory, "server.crt");
        let key = copy(&tls.key, &directory, "server.key");
        settings.extend([
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", certificate.display()),
            format!("ssl_key_file={}", key.display()),
        ]);
    }
    let mut arguments = vec!["-D".to_owned(), data.display().to_string()];
    arguments.extend(
        settings
            .into_iter()
            .flat_map(|setting| ["-c".to_owned(), setting]),
    );
    let probe = vec![
        "-h".to_owned(),
        "127.0.0.1".to_owned(),
        "-p".to_owned(),
        port.to_string(),
    ];
    let recipe = Recipe {
        program: programs.join("postgres"),
        arguments,
        probe: (programs.join("pg_isready"), probe),
    };
    Some(Process::start(directory, port, recipe))
}

pub(super) fn sql(process: &Process, database: &str, sql: &str) -> String {
    let database = if database.is_empty() {
        "postgres"
    } else {
        database
    };
    let mut psql = Command::new(Path::new("psql"));
    psql.env_remove("PGPASSWORD")
        .args(["-h", "127.0.0.1", "-U", "hub", "-d", database, "-XAtq"])
        .args(["-v", "ON_ERROR_STOP=1", "-p", &process.port().to_string()])
        .args(["-c", sql]);
    run(psql)
}
