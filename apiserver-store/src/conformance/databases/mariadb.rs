//! MariaDB.

use std::{path::PathBuf, process::Command};

use super::{
    ServerOptions,
    process::{Process, Recipe, command, copy, directory, free_port, run},
};

/// Instead of a hundred mebibytes.
const SMALL_LOG: &str = "--innodb-log-file-size=8M";

fn find(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/usr/local/bin"]
        .iter()
        .map(|folder| PathBuf::from(folder).join(name))
        .find(|program| program.is_file())
}

pub(super) fn start(options: &ServerOptions) -> Option<Process> {
    let (server, install) = (find("mariadbd")?, find("mariadb-install-db")?);
    let directory = directory("mariadb", options);
    let data = directory.join("data");
    let mut init = command(&install);
    init.arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()))
        .args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
    let small = options.parent.is_some();
    init.args(small.then_some(SMALL_LOG));
    run(init);
    let port = free_port();
    let socket = directory.join("socket");
    let flush = if options.durable { 1 } else { 2 };
    let mut arguments = vec![
        "--no-defaults".to_owned(),
        format!("--datadir={}", data.display()),
        format!("--socket={}", socket.display()),
        format!("--port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--innodb-flush-log-at-trx-commit={flush}"),
        "--max-connections=400".to_owned(),
        "--innodb-buffer-pool-size=64M".to_owned(),
        format!("--pid-file={}", directory.join("own.pid").display()),
    ];
    arguments.extend(small.then(|| SMALL_LOG.to_owned()));
    if let Some(tls) = &options.tls {
        let certificate = copy(&tls.certificate, &directory, "server.crt");
        let key = copy(&tls.key, &directory, "server.key");
        arguments.push(format!("--ssl-cert={}", certificate.display()));
        arguments.push(format!("--ssl-key={}", key.display()));
    }
    let probe = ["--no-defaults", "-uroot", "-S"].map(str::to_owned);
    let mut probe: Vec<String> = probe.into();
    probe.extend([socket.display().to_string(), "ping".to_owned()]);
    let recipe = Recipe {
        program: server,
        arguments,
        probe: (find("mariadb-admin")?, probe),
    };
    let process = Process::start(directory, port, recipe);
    sql(
        &process,
        "",
        "CREATE USER hub@'127.0.0.1' IDENTIFIED BY 'hub';
         CREATE USER hub@localhost IDENTIFIED BY 'hub';
         GRANT ALL ON *.* TO hub@'127.0.0.1';
         GRANT ALL ON *.* TO hub@localhost",
    );
    Some(process)
}

pub(super) fn sql(process: &Process, database: &str, sql: &str) -> String {
    let mut mariadb = Command::new("mariadb");
    mariadb
        .args(["--no-defaults", "-uroot", "-BN", "-S"])
        .arg(process.directory().join("socket"))
        .args(["-e", sql])
        .args((!database.is_empty()).then_some(database));
    run(mariadb)
}
