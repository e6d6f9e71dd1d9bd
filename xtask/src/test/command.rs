//! Runs the steps and prints how long each took and what came of the tests.

use std::time::Duration;

use anyhow::{Result, bail};

use super::steps;
use super::suite::Suite;
use super::tally::Tally;
use super::tools::Tools;
use crate::cli::{StepName, TestArguments};
use crate::process::{Stopwatch, human, in_ci};
use crate::table;
use crate::workspace::Workspace;

/// What came of one step.
struct Outcome {
    step: StepName,
    took: Duration,
    error: Option<String>,
}

/// Runs the chosen steps.
///
/// # Errors
/// A step failed; which, stands in the table, and why, above it.
pub fn run(workspace: &Workspace, arguments: &TestArguments) -> Result<()> {
    let chosen = chosen(arguments);
    let mut tally = Tally::default();
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut tools = None;
    for step in chosen {
        println!("\n=== {}", label(step));
        let watch = Stopwatch::start();
        let result = match (step.runs_tests(), &tools) {
            (false, _) => steps::check(workspace, step),
            (true, Some(tools)) => steps::tests(workspace, step, arguments, tools, &mut tally),
            (true, None) => Tools::prepare(workspace).and_then(|prepared| {
                let tools = tools.insert(prepared);
                steps::tests(workspace, step, arguments, tools, &mut tally)
            }),
        };
        let error = result.err().map(|error| format!("{error:#}"));
        if let Some(error) = &error {
            println!("xtask: {} failed: {error}", label(step));
        }
        let stop = error.is_some() && step == StepName::Build;
        outcomes.push(Outcome {
            step,
            took: watch.elapsed(),
            error,
        });
        if stop {
            println!("xtask: without a build there is nothing to test");
            break;
        }
    }
    let mut suite = Suite::default();
    if let Some(tools) = &tools {
        tally.add_skips(&tools.skips()?);
        suite = Suite::read(&tools.cells()?);
    }
    report(&outcomes, &suite, &tally)
}

/// All steps without those left out; with a filter, only steps that run tests.
fn chosen(arguments: &TestArguments) -> Vec<StepName> {
    const ALL: [StepName; 8] = [
        StepName::Fmt,
        StepName::Deps,
        StepName::Tidy,
        StepName::Clippy,
        StepName::Build,
        StepName::Unit,
        StepName::E2e,
        StepName::Doc,
    ];
    ALL.into_iter()
        .filter(|step| arguments.only.is_empty() || arguments.only.contains(step))
        .filter(|step| !arguments.skip.contains(step))
        .filter(|step| arguments.filter.is_none() || step.runs_tests())
        .collect()
}

fn label(step: StepName) -> &'static str {
    match step {
        StepName::Fmt => "fmt",
        StepName::Deps => "deps",
        StepName::Tidy => "tidy",
        StepName::Clippy => "clippy",
        StepName::Build => "build",
        StepName::Unit => "unit and property tests",
        StepName::E2e => "integration and end-to-end tests",
        StepName::Doc => "documentation tests",
    }
}

fn report(outcomes: &[Outcome], suite: &Suite, tally: &Tally) -> Result<()> {
    if !suite.is_empty() {
        println!("\n{}", suite.render());
    }
    let rows: Vec<Vec<String>> = outcomes
        .iter()
        .map(|outcome| {
            let result = if outcome.error.is_some() {
                "FAILED"
            } else {
                "ok"
            };
            vec![
                label(outcome.step).to_owned(),
                human(outcome.took),
                result.to_owned(),
            ]
        })
        .collect();
    println!("\n{}", table::render(&["step", "time", "result"], &rows));
    for skipped in tally.skipped_because() {
        println!("SKIPPED: {skipped}");
    }
    let failed: Vec<&str> = outcomes
        .iter()
        .filter(|outcome| outcome.error.is_some())
        .map(|outcome| label(outcome.step))
        .collect();
    if outcomes.iter().any(|outcome| outcome.step.runs_tests()) {
        println!("{tally}");
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    match suite.not_green() {
        0 => Ok(()),
        // On a laptop without upstream programs a column may be missing, and the end of the run says why.
        _ if !in_ci() => Ok(()),
        cells => bail!("{cells} cells of the suite are not green"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_leaves_the_checks_out() {
        let all = chosen(&TestArguments::default());
        assert_eq!(all.len(), 8);
        let filtered = chosen(&TestArguments {
            filter: Some("mask".to_owned()),
            ..Default::default()
        });
        assert_eq!(filtered, [StepName::Unit, StepName::E2e, StepName::Doc]);
    }

    #[test]
    fn steps_can_be_picked_and_left_out() {
        let only = TestArguments {
            only: vec![StepName::Build, StepName::Fmt],
            ..Default::default()
        };
        assert_eq!(chosen(&only), [StepName::Fmt, StepName::Build]);
        let skip = TestArguments {
            skip: vec![StepName::E2e],
            ..Default::default()
        };
        assert!(!chosen(&skip).contains(&StepName::E2e));
    }
}
