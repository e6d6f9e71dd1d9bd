//! Where the programs are that the tests run: what `cargo xtask test` says, or what lies beside the test.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::network::Side;

/// What `cargo build --workspace --all-targets` makes and tests start.
const PROGRAMS: [&str; 6] = [
    "fedctl",
    "federation-apiserver",
    "federation-controller",
    "foo-operator",
    "proxy-agent",
    "examples/serve",
];

/// The programs of a run.
#[derive(Clone, Debug)]
pub struct Tools {
    binaries: PathBuf,
    kubectl: PathBuf,
}

impl Tools {
    /// Finds the programs: `KOINON_BIN_DIR` and `KOINON_KUBECTL`, or, without the former, the target folder that this test was
    /// built into and the kubectl on `PATH`. Binaries are used as they are: `cargo build --workspace --all-targets` renews them.
    ///
    /// `None` means that something is missing and the test must return at once; the skip log then says what.
    ///
    /// # Panics
    /// Something is missing and `KOINON_REQUIRE_TOOLS` is `1`.
    #[must_use]
    pub fn find() -> Option<Self> {
        let told = env::var_os("KOINON_BIN_DIR").map(PathBuf::from);
        let Some(kubectl) = find_kubectl() else {
            skip("kubectl is missing");
            return None;
        };
        let binaries = told.or_else(binaries_beside).unwrap_or_default();
        for program in PROGRAMS {
            if !binaries.join(program).is_file() {
                skip(&format!(
                    "{program} is not built: cargo build --workspace --all-targets"
                ));
                return None;
            }
        }
        Some(Self { binaries, kubectl })
    }

    /// The same programs, each inside of a network namespace.
    #[must_use]
    pub fn inside(&self, side: &Side) -> Self {
        for program in PROGRAMS {
            let _ = side.wrap(&self.binary(program), program);
        }
        Self {
            binaries: side.programs().to_owned(),
            kubectl: side.wrap(&self.kubectl, "kubectl"),
        }
    }

    /// A program of ours, by its name.
    #[must_use]
    pub fn binary(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    /// Our command line.
    #[must_use]
    pub fn fedctl(&self) -> PathBuf {
        self.binaries.join("fedctl")
    }

    /// The Foo operator.
    #[must_use]
    pub fn foo_operator(&self) -> PathBuf {
        self.binaries.join("foo-operator")
    }

    /// The example server of the crate `apiserver`: a member in a process of its own.
    #[must_use]
    pub fn serve(&self) -> PathBuf {
        self.binaries.join("examples").join("serve")
    }

    /// kubectl.
    #[must_use]
    pub fn kubectl(&self) -> &Path {
        &self.kubectl
    }
}

/// A program of ours; `None` if it was not built.
#[must_use]
pub fn our_program(name: &str) -> Option<PathBuf> {
    let told = env::var_os("KOINON_BIN_DIR").map(PathBuf::from);
    let program = told.or_else(binaries_beside)?.join(name);
    program.is_file().then_some(program)
}

/// The kubectl that `cargo xtask test` names, or, where it does not run, the one on `PATH`.
pub(crate) fn find_kubectl() -> Option<PathBuf> {
    if let Some(kubectl) = env::var_os("KOINON_KUBECTL") {
        return Some(PathBuf::from(kubectl));
    }
    if env::var_os("KOINON_BIN_DIR").is_some() {
        return None;
    }
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join("kubectl"))
        .find(|candidate| candidate.is_file())
}

/// `target/debug` for a test in `target/debug/deps`.
fn binaries_beside() -> Option<PathBuf> {
    Some(env::current_exe().ok()?.parent()?.parent()?.to_owned())
}

/// `target` for a test in `target/debug/deps`.
pub(crate) fn target_folder() -> Option<PathBuf> {
    Some(binaries_beside()?.parent()?.to_owned())
}

/// Notes why a test does not run. The test must return at once.
///
/// # Panics
/// Nothing may be skipped: `KOINON_REQUIRE_TOOLS` is `1`.
pub fn skip(why: &str) {
    assert!(
        env::var("KOINON_REQUIRE_TOOLS").as_deref() != Ok("1"),
        "{why}"
    );
    eprintln!("skipped: {why}");
    if let Some(log) = env::var_os("KOINON_SKIP_LOG") {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(&log)
            .and_then(|mut file| writeln!(file, "{why}"))
            .unwrap_or_else(|error| panic!("{}: {error}", log.to_string_lossy()));
    }
}

/// The root of the repository, where commands such as `kubectl apply -f examples/foo-01.yaml` are typed.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is a folder of the repository")
}
