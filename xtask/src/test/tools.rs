//! The programs of others that tests need, and what tests are told of them.
//!
//! | variable | meaning for a test |
//! |---|---|
//! | `KOINON_BIN_DIR` | the folder of the binaries under test (`fedctl`, …) |
//! | `KOINON_KUBECTL` | the kubectl to use, also the first on `PATH`; absent: there is none |
//! | `KOINON_UPSTREAM_BIN` | the folder of what `cargo xtask upstream` builds: etcd, kube-apiserver, helm and the others |
//! | `KUBEBUILDER_ASSETS` | a folder of ready-made ones, which win; set by whoever runs the tests, as for controller-runtime's envtest |
//! | `KOINON_REQUIRE_TOOLS` | `1`: a missing tool is a failure; absent: skip, and say so in the skip log |
//! | `KOINON_SKIP_LOG` | a file to append a line to, saying why, for each test that is skipped |
//! | `KOINON_TABLE` | a file to append a line to for each cell of the table of the suite; see [`super::suite`] |
//!
//! In CI a missing tool is built, and it is a failure if that cannot be. On a laptop what needs it is skipped, loudly: only kubectl is
//! built without being asked for, the others take minutes and `cargo xtask upstream` builds them.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{Stopwatch, find_on_path, human, in_ci, run};
use crate::upstream;
use crate::workspace::Workspace;

/// Tools made ready for a run of the tests.
#[derive(Debug)]
pub struct Tools {
    binaries: PathBuf,
    kubectl: Option<PathBuf>,
    upstream: PathBuf,
    skip_log: PathBuf,
    table: PathBuf,
}

impl Tools {
    /// Finds kubectl on `PATH`, or builds it with Go; in CI builds the other upstream programs too.
    ///
    /// # Errors
    /// In CI: a tool is missing and cannot be built. Anywhere: the skip log cannot be made.
    pub fn prepare(workspace: &Workspace) -> Result<Self> {
        let kubectl = match find_on_path("kubectl") {
            Some(found) => Some(found),
            None => match upstream::build(workspace, "kubectl") {
                Ok(built) => Some(built),
                Err(error) if in_ci() => return Err(error.context("tests need kubectl")),
                Err(error) => {
                    println!("xtask: NO KUBECTL: tests that need it are skipped ({error:#})");
                    None
                }
            },
        };
        upstream_programs(workspace)?;
        packages()?;
        let skip_log = workspace.target.join("xtask-skipped-tests.log");
        fs::create_dir_all(&workspace.target).context("make the target folder")?;
        let table = workspace.target.join("xtask-suite.tsv");
        for file in [&skip_log, &table] {
            fs::write(file, "").with_context(|| format!("write {}", file.display()))?;
        }
        Ok(Self {
            binaries: workspace.target.join("debug"),
            kubectl,
            upstream: upstream::folder(workspace),
            skip_log,
            table,
        })
    }

    /// Sets the variables above for a command.
    pub fn tell(&self, command: &mut Command) {
        command
            .env("KOINON_BIN_DIR", &self.binaries)
            .env("KOINON_UPSTREAM_BIN", &self.upstream)
            .env("KOINON_SKIP_LOG", &self.skip_log)
            .env("KOINON_TABLE", &self.table);
        match &self.kubectl {
            Some(kubectl) => command
                .env("KOINON_KUBECTL", kubectl)
                .env("PATH", first_on_path(kubectl)),
            None => command.env_remove("KOINON_KUBECTL"),
        };
        if in_ci() {
            command.env("KOINON_REQUIRE_TOOLS", "1");
        }
    }

    /// What the tests wrote to the skip log.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn skips(&self) -> Result<String> {
        fs::read_to_string(&self.skip_log)
            .with_context(|| format!("read {}", self.skip_log.display()))
    }

    /// What the suite wrote of its cells.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn cells(&self) -> Result<String> {
        fs::read_to_string(&self.table).with_context(|| format!("read {}", self.table.display()))
    }
}

/// `PATH` on which a program is found before any other of its name.
fn first_on_path(program: &Path) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = program.parent().map(Path::to_owned).into_iter();
    // Only a folder whose name holds a colon cannot be joined, and then it was not found on it either.
    env::join_paths(folders.chain(env::split_paths(&path))).unwrap_or(path)
}

/// Makes sure of the database servers in CI, and of `ip` for network namespaces, with Debian's packages; elsewhere says which are missing.
/// Tests start their own servers and make their own namespaces, the latter as root.
fn packages() -> Result<()> {
    let missing: Vec<&str> = [
        ("postgresql", "/usr/lib/postgresql"),
        ("mariadb-server", "/usr/sbin/mariadbd"),
        ("iproute2", "/usr/sbin/ip"),
    ]
    .into_iter()
    .filter(|(_, found)| !Path::new(found).exists())
    .map(|(package, _)| package)
    .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    if !in_ci() {
        println!(
            "xtask: NO {packages}: tests that need it are skipped (`apt-get install {packages}`)"
        );
        return Ok(());
    }
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        run(&mut apt)
    };
    let mut install = vec!["install", "-y", "--no-install-recommends"];
    install.extend(missing);
    apt(&["update"])
        .and_then(|()| apt(&install))
        .with_context(|| format!("tests need {packages}: install it as root"))
}

/// Makes sure of the upstream programs in CI; elsewhere says which are missing.
fn upstream_programs(workspace: &Workspace) -> Result<()> {
    let watch = Stopwatch::start();
    let ready_made = env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let built = upstream::folder(workspace);
    // kubectl may be anybody's: it was looked for before.
    for name in upstream::TOOLS
        .iter()
        .filter(|tool| tool.for_tests && tool.name != "kubectl")
        .map(|tool| tool.name)
    {
        let has = |folder: &Path| folder.join(name).is_file();
        if ready_made.as_deref().is_some_and(has) {
            println!("xtask: {name} from KUBEBUILDER_ASSETS");
        } else if in_ci() {
            upstream::build(workspace, name).with_context(|| format!("tests need {name}"))?;
        } else if !has(&built) {
            println!(
                "xtask: NO {name}: tests that need it are skipped (`cargo xtask upstream` builds it)"
            );
        }
    }
    println!("xtask: upstream programs took {}", human(watch.elapsed()));
    Ok(())
}
