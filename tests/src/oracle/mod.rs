//! The oracle: scripts of requests are played against upstream's kube-apiserver and against ours, and the answers compared.
//!
//! A [`Script`] is data (`tests/oracle/*.yaml`): requests with variables that earlier answers fill, loops, watches. [`play()`] sends
//! each request to both [`Sides`], takes out of both answers what must differ (times, uids, revisions: [`normal`]), and compares
//! status, headers and body. What differs on purpose stands in `tests/oracle/differences.yaml` with its reason ([`Differences`]):
//! a difference that is not listed fails the run, and so does a listed one that no longer occurs. `docs/differences.md` is
//! generated from that list.
//!
//! Neither server forgets its history in less than minutes by itself. What is answered then is tried on two [`Forgetful`] servers, which
//! are told to, by the scripts in `tests/oracle/forgetful`.
//!
//! It says nothing about what upstream means: upstream's answer is right by definition.

mod answer;
mod compare;
mod differences;
mod forgetful;
pub mod normal;
mod play;
mod report;
mod script;
mod side;
mod variables;
mod webhook;

pub use answer::{Answer, Body};
pub use compare::{Finding, compare};
pub use differences::{Difference, Differences};
pub use forgetful::Forgetful;
pub use play::{Played, play};
pub use report::{Outcome, Tally};
pub use script::{Script, Step, Until, Watch};
pub use side::{Side, Sides, judged};
pub use variables::Variables;
pub use webhook::ConversionWebhook;
