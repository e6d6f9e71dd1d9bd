//! The command line of `cargo xtask`.

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Checks, code generation, tests and benches of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check which crate may depend on which, and the licences and bans of deny.toml
    Deps,
    /// Check file sizes, docs, leftovers and that generated files are up to date
    Tidy,
    /// Run every check and every test; this is what CI runs
    Test(TestArguments),
    /// Write the generated files that are committed
    Codegen(CodegenArguments),
    /// Run one bench in release mode and write target/bench/<name>.json
    Bench(BenchArguments),
    /// Build upstream Kubernetes tools with Go into target/upstream/bin
    Upstream(UpstreamArguments),
}

/// Arguments of `test`.
#[derive(Debug, Default, Args)]
pub struct TestArguments {
    /// Run only these steps (may be given several times)
    #[arg(long, value_enum, value_name = "STEP")]
    pub only: Vec<StepName>,
    /// Leave these steps out (may be given several times)
    #[arg(long, value_enum, value_name = "STEP")]
    pub skip: Vec<StepName>,
    /// Run only tests whose name contains this; the checks before the tests are left out
    pub filter: Option<String>,
    /// Passed to the test binaries as they are
    #[arg(last = true)]
    pub rest: Vec<String>,
}

/// The steps of `test`, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StepName {
    /// rustfmt
    Fmt,
    /// the dependency rule
    Deps,
    /// sizes, docs, generated files
    Tidy,
    /// clippy, warnings denied
    Clippy,
    /// everything, with all targets
    Build,
    /// unit and property tests
    Unit,
    /// integration and end-to-end tests
    E2e,
    /// examples in the documentation
    Doc,
}

impl StepName {
    /// Whether this step runs tests, so that a filter applies to it.
    #[must_use]
    pub fn runs_tests(self) -> bool {
        matches!(self, Self::Unit | Self::E2e | Self::Doc)
    }
}

/// Arguments of `codegen`.
#[derive(Debug, Default, Args)]
pub struct CodegenArguments {
    /// Write nothing; fail if a committed file differs from what would be written
    #[arg(long)]
    pub check: bool,
    /// The generators to run; all of them if none is named
    pub names: Vec<String>,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArguments {
    /// The bench program: a file in bench/src/bin; left out, the benches are listed
    pub name: Option<String>,
    /// Passed to the bench program as they are
    #[arg(last = true)]
    pub rest: Vec<String>,
}

/// Arguments of `upstream`.
#[derive(Debug, Args)]
pub struct UpstreamArguments {
    /// The tools to build; all of them if none is named
    pub tools: Vec<String>,
}
