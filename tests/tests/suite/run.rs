//! Runs the table.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use federation_tests::world::{Column, World};

/// Scenarios of one column at once: they mostly wait.
const AT_ONCE: usize = 4;

/// Held by every scenario that runs, and by one that measures time for itself.
static RUNNING: RwLock<()> = RwLock::new(());

/// What may run at the same time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Company {
    Any,
    OtherColumns,
    None,
}

/// A row of the table.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    name: &'static str,
    company: Company,
    run: fn(&World),
}

impl Scenario {
    /// One that leaves other workspaces alone.
    pub(crate) const fn shared(name: &'static str, run: fn(&World)) -> Self {
        Self {
            name,
            company: Company::Any,
            run,
        }
    }

    /// One that others must not run beside.
    pub(crate) const fn alone(name: &'static str, run: fn(&World)) -> Self {
        Self {
            name,
            company: Company::OtherColumns,
            run,
        }
    }

    /// One that measures time, so that nothing else must run beside it, not even in another column.
    pub(crate) const fn timed(name: &'static str, run: fn(&World)) -> Self {
        Self {
            name,
            company: Company::None,
            run,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Ok,
    Failed,
    Skipped,
}

/// A cell of the table that was run.
struct Cell {
    scenario: &'static str,
    column: Column,
    outcome: Outcome,
    took: Duration,
}

/// Runs the scenarios in every column, as the arguments say, which are those of Rust's own test harness: a filter, `--list`.
pub(crate) fn main(scenarios: &[Scenario]) -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let filter = arguments.iter().find(|word| !word.starts_with('-'));
    let mut cells: Vec<Cell> = Vec::new();
    for columns in Column::ALL {
        let chosen: Vec<(Column, Vec<Scenario>)> = columns
            .iter()
            .map(|column| (*column, choose(*column, scenarios, filter)))
            .filter(|(_, chosen)| !chosen.is_empty())
            .collect();
        if arguments.iter().any(|word| word == "--list") {
            for (column, chosen) in chosen {
                for scenario in chosen {
                    println!("{}: test", name(column, scenario.name));
                }
            }
        } else {
            cells.extend(run_columns(&chosen));
        }
    }
    report(&cells)
}

/// The scenarios whose names in that column contain the filter.
fn choose(column: Column, scenarios: &[Scenario], filter: Option<&String>) -> Vec<Scenario> {
    let fits = |scenario: &&Scenario| {
        filter.is_none_or(|part| name(column, scenario.name).contains(part.as_str()))
    };
    scenarios.iter().filter(fits).copied().collect()
}

fn name(column: Column, scenario: &str) -> String {
    format!("{column}: {scenario}")
}

/// Runs columns at the same time.
fn run_columns(columns: &[(Column, Vec<Scenario>)]) -> Vec<Cell> {
    thread::scope(|scope| {
        let running: Vec<_> = columns
            .iter()
            .map(|(column, chosen)| scope.spawn(|| run_column(*column, chosen)))
            .collect();
        running
            .into_iter()
            .flat_map(|column| column.join().expect("a column does not panic"))
            .collect()
    })
}

fn run_column(column: Column, scenarios: &[Scenario]) -> Vec<Cell> {
    let start = Instant::now();
    let starting = thread::Builder::new()
        .name(format!("{column}: start"))
        .spawn(move || World::start(column))
        .expect("a thread");
    let world = match starting.join() {
        Ok(Some(world)) => world,
        other => {
            let outcome = match other {
                Ok(_) => Outcome::Skipped,
                Err(_) => Outcome::Failed,
            };
            return all(column, scenarios, outcome, start.elapsed());
        }
    };
    println!(
        "{column}: started in {:.1} s",
        start.elapsed().as_secs_f64()
    );
    let (alone, shared): (Vec<Scenario>, Vec<Scenario>) = scenarios
        .iter()
        .partition(|scenario| scenario.company != Company::Any);
    let mut cells = side_by_side(&world, &shared);
    for scenario in alone {
        cells.extend(side_by_side(&world, &[scenario]));
    }
    if cells.iter().any(|cell| cell.outcome == Outcome::Failed) {
        println!("{column}: logs of the hub\n{}", world.log());
    }
    println!("{column}: took {:.1} s", start.elapsed().as_secs_f64());
    cells
}

/// The same outcome for a whole column.
fn all(column: Column, scenarios: &[Scenario], outcome: Outcome, took: Duration) -> Vec<Cell> {
    scenarios
        .iter()
        .map(|scenario| Cell {
            scenario: scenario.name,
            column,
            outcome,
            took,
        })
        .collect()
}

fn side_by_side(world: &World, scenarios: &[Scenario]) -> Vec<Cell> {
    let queue = Mutex::new(scenarios.iter());
    let next = || queue.lock().expect("nobody panics with it").next();
    let work = || {
        let mut cells = Vec::new();
        while let Some(scenario) = next() {
            cells.push(run_one(world, scenario));
        }
        cells
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE.min(scenarios.len()))
            .map(|_| scope.spawn(work))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("a worker does not panic"))
            .collect()
    })
}

/// Runs a scenario in a thread of its name, which stands in the message when it panics.
fn run_one(world: &World, scenario: &Scenario) -> Cell {
    // A scenario that panics does so in a thread of its own, and leaves nothing half done here.
    let (_alone, _beside) = match scenario.company {
        Company::None => (
            Some(RUNNING.write().unwrap_or_else(PoisonError::into_inner)),
            None,
        ),
        _ => (
            None,
            Some(RUNNING.read().unwrap_or_else(PoisonError::into_inner)),
        ),
    };
    let start = Instant::now();
    let name = name(world.column, scenario.name);
    let passed = thread::scope(|scope| {
        thread::Builder::new()
            .name(name.clone())
            .spawn_scoped(scope, || (scenario.run)(world))
            .expect("a thread")
            .join()
            .is_ok()
    });
    let (outcome, word) = match passed {
        true => (Outcome::Ok, "ok"),
        false => (Outcome::Failed, "FAILED"),
    };
    let took = start.elapsed();
    println!("test {name} ... {word} ({:.1} s)", took.as_secs_f64());
    Cell {
        scenario: scenario.name,
        column: world.column,
        outcome,
        took,
    }
}

/// Prints the closing line that `cargo xtask test` counts, and writes the cells to the file that it names.
fn report(cells: &[Cell]) -> ExitCode {
    let count = |outcome| cells.iter().filter(|cell| cell.outcome == outcome).count();
    let failed = count(Outcome::Failed);
    if let Some(file) = env::var_os("KOINON_TABLE") {
        let lines: String = cells.iter().map(line).collect();
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(&file)
            .and_then(|mut file| file.write_all(lines.as_bytes()))
            .unwrap_or_else(|error| panic!("{}: {error}", file.to_string_lossy()));
    }
    println!(
        "\ntest result: {}. {} passed; {failed} failed; {} ignored; 0 measured; 0 filtered out",
        if failed == 0 { "ok" } else { "FAILED" },
        count(Outcome::Ok),
        count(Outcome::Skipped)
    );
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// `scenario ⇥ column ⇥ outcome ⇥ seconds`.
fn line(cell: &Cell) -> String {
    let outcome = match cell.outcome {
        Outcome::Ok => "ok",
        Outcome::Failed => "FAILED",
        Outcome::Skipped => "skipped",
    };
    format!(
        "{}\t{}\t{outcome}\t{:.1}\n",
        cell.scenario,
        cell.column,
        cell.took.as_secs_f64()
    )
}
