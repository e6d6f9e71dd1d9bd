//! What a run is asked for.

use std::num::{NonZeroU32, NonZeroUsize};
use std::str::FromStr;
use std::time::Duration;

use bench::Output;
use clap::Parser;

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

/// The same load over HTTPS on our API server and on upstream's, each on several databases, one after the other in every round
#[derive(Debug, Parser)]
#[command(name = "hub")]
pub(crate) struct Options {
    /// The systems of a round, in this order: of koinon-sqlite, koinon-postgres, koinon-mariadb, upstream-etcd and
    /// upstream-kine-postgres; or all
    #[arg(
        long,
        value_name = "NAME,...",
        default_value = "koinon-sqlite,upstream-etcd"
    )]
    pub(crate) systems: Each<Kind>,
    /// Of writes, lists, starts, watches and mixed; or all
    #[arg(long, value_name = "NAME,...", default_value = "all")]
    pub(crate) phases: Each<Phase>,
    /// How often all systems take their turn
    #[arg(long, value_name = "N", default_value = "2")]
    pub(crate) rounds: NonZeroUsize,
    /// How long each write, watch and mixed measurement takes
    #[arg(long, value_name = "N", default_value = "4")]
    seconds: NonZeroU32,
    /// How many objects are listed and started with
    #[arg(long, value_name = "N", default_value = "10000")]
    pub(crate) objects: NonZeroUsize,
    /// Once, after the rounds: start and list with so many; 0: not
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) large: usize,
    /// How many watch
    #[arg(long, value_name = "N", default_value = "1000")]
    pub(crate) watchers: NonZeroUsize,
    /// Changes per second that are watched
    #[arg(long, value_name = "N", default_value = "200")]
    pub(crate) events: NonZeroUsize,
    #[command(flatten)]
    pub(crate) output: Output,
}

impl Options {
    /// How long each write, watch and mixed measurement takes.
    pub(crate) fn time(&self) -> Duration {
        Duration::from_secs(self.seconds.get().into())
    }

    pub(crate) fn has(&self, phase: Phase) -> bool {
        self.phases.0.contains(&phase)
    }
}

/// Some of all there are of something, in the order that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Each<T>(pub(crate) Vec<T>);

/// What can be picked by name.
pub(crate) trait Named: Copy + 'static {
    /// All there are, with their names.
    fn all() -> Vec<(&'static str, Self)>;
}

impl Named for Kind {
    fn all() -> Vec<(&'static str, Self)> {
        Self::ALL
            .into_iter()
            .map(|kind| (kind.name(), kind))
            .collect()
    }
}

impl Named for Phase {
    fn all() -> Vec<(&'static str, Self)> {
        PHASES.to_vec()
    }
}

impl<T: Named> FromStr for Each<T> {
    type Err = String;

    /// A name or several, with commas between them, or `all`.
    fn from_str(list: &str) -> Result<Self, String> {
        let all = T::all();
        if list == "all" {
            return Ok(Self(all.into_iter().map(|(_, one)| one).collect()));
        }
        let find = |name: &str| {
            let found = all.iter().find(|(known, _)| *known == name);
            found.map(|(_, one)| *one).ok_or_else(|| {
                let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
                format!("no {name}; there are: {}", names.join(", "))
            })
        };
        list.split(',')
            .map(find)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, clap::Error> {
        Options::try_parse_from(["hub"].into_iter().chain(line.split_whitespace()))
    }

    #[test]
    fn options_are_understood() {
        let options =
            read("--out x.json --systems koinon-postgres,upstream-etcd --phases lists --rounds 7")
                .unwrap();
        assert_eq!(
            options.systems.0,
            [Kind::KoinonPostgres, Kind::UpstreamEtcd]
        );
        assert!(options.has(Phase::Lists) && !options.has(Phase::Writes));
        assert_eq!((options.rounds.get(), options.objects.get()), (7, 10_000));
        assert_eq!(options.time(), Duration::from_secs(4));
        assert_eq!(read("--systems all").unwrap().systems.0, Kind::ALL);
        assert_eq!(read("").unwrap().systems.0.len(), 2);
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
