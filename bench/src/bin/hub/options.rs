//! What a run is asked for.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::system::Kind;

/// A part of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Writes,
    Lists,
    Starts,
    Watches,
    Mixed,
}

const PHASES: [(&str, Phase); 5] = [
    ("writes", Phase::Writes),
    ("lists", Phase::Lists),
    ("starts", Phase::Starts),
    ("watches", Phase::Watches),
    ("mixed", Phase::Mixed),
];

/// The options; every one has a default that makes a run of some minutes.
#[derive(Debug)]
pub(crate) struct Options {
    /// The systems of a round, in this order.
    pub(crate) systems: Vec<Kind>,
    pub(crate) phases: Vec<Phase>,
    /// How often all systems take their turn.
    pub(crate) rounds: usize,
    /// How long each write, watch and mixed measurement takes.
    pub(crate) time: Duration,
    /// How many objects are listed and started with.
    pub(crate) objects: usize,
    /// Once, after the rounds: how many more; 0 for not.
    pub(crate) large: usize,
    pub(crate) watchers: usize,
    /// Changes per second that are watched.
    pub(crate) events: usize,
}

impl Options {
    /// Reads them; `--out` and its file are the report's.
    pub(crate) fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            systems: Kind::ALL[..2].to_vec(),
            phases: PHASES.iter().map(|(_, phase)| *phase).collect(),
            rounds: 2,
            time: Duration::from_secs(4),
            objects: 10_000,
            large: 0,
            watchers: 1000,
            events: 200,
        };
        let mut arguments = arguments.into_iter();
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .with_context(|| format!("{name} wants a value"))?;
            let number = || {
                value
                    .parse::<usize>()
                    .with_context(|| format!("{name} {value}"))
            };
            match name.as_str() {
                "--out" => {}
                "--systems" if value == "all" => options.systems = Kind::ALL.to_vec(),
                "--systems" => options.systems = each(&value, system)?,
                "--phases" => options.phases = each(&value, phase)?,
                "--rounds" => options.rounds = number()?,
                "--seconds" => options.time = Duration::from_secs(number()?.try_into()?),
                "--objects" => options.objects = number()?,
                "--large" => options.large = number()?,
                "--watchers" => options.watchers = number()?,
                "--events" => options.events = number()?,
                _ => bail!("there is no option {name}"),
            }
        }
        let counts = [
            options.rounds,
            options.objects,
            options.watchers,
            options.events,
            options.systems.len(),
        ];
        ensure!(!counts.contains(&0), "0 measures nothing");
        ensure!(!options.time.is_zero(), "0 seconds measure nothing");
        Ok(options)
    }

    pub(crate) fn has(&self, phase: Phase) -> bool {
        self.phases.contains(&phase)
    }
}

fn each<T>(list: &str, understand: fn(&str) -> Result<T>) -> Result<Vec<T>> {
    list.split(',').map(understand).collect()
}

fn system(name: &str) -> Result<Kind> {
    let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
    found.with_context(|| {
        let all: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
        format!("no system {name}; there are: {}", all.join(", "))
    })
}

fn phase(name: &str) -> Result<Phase> {
    let found = PHASES.iter().find(|(known, _)| *known == name);
    found.map(|(_, phase)| *phase).with_context(|| {
        let all: Vec<&str> = PHASES.iter().map(|(name, _)| *name).collect();
        format!("no phase {name}; there are: {}", all.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options> {
        Options::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_understood() {
        let options =
            read("--out x.json --systems koinon-postgres,upstream-etcd --phases lists --rounds 7")
                .unwrap();
        assert_eq!(options.systems, [Kind::KoinonPostgres, Kind::UpstreamEtcd]);
        assert!(options.has(Phase::Lists) && !options.has(Phase::Writes));
        assert_eq!((options.rounds, options.objects), (7, 10_000));
        assert_eq!(read("--systems all").unwrap().systems, Kind::ALL);
        assert_eq!(read("").unwrap().systems.len(), 2);
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "--rounds",
            "--rounds x",
            "--rounds 0",
            "--seconds 0",
            "--systems windows",
            "--phases lunch",
            "--speed 9",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
