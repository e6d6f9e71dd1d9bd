//! What a run found, for readers.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::compare::Finding;
use super::differences::Differences;
use super::play::Played;

/// What became of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Both servers say the same.
    Agrees,
    /// They differ, and only as listed.
    Listed,
    /// They differ in something that is not listed.
    Differs,
}

/// The sum of a run.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many exchanges agree.
    pub agree: usize,
    /// How many differ as listed.
    pub listed: usize,
    /// The exchanges that differ otherwise, as text with both sides.
    pub differ: Vec<String>,
    met: BTreeSet<usize>,
}

impl Tally {
    /// Adds an exchange.
    pub fn add(&mut self, played: &Played, differences: &Differences) -> Outcome {
        let mut unlisted = Vec::new();
        let mut outcome = Outcome::Agrees;
        for finding in &played.findings {
            match differences.excuse(&played.title(), finding) {
                None => unlisted.push(finding),
                Some((difference, scope)) => {
                    self.met.insert(scope);
                    if !difference.pervasive {
                        outcome = Outcome::Listed;
                    }
                }
            }
        }
        if !unlisted.is_empty() {
            outcome = Outcome::Differs;
            self.differ.push(text(played, &unlisted));
        } else if played.quiet {
            return outcome;
        }
        match outcome {
            Outcome::Agrees => self.agree += 1,
            Outcome::Listed => self.listed += 1,
            Outcome::Differs => {}
        }
        outcome
    }

    /// The listed differences that did not occur.
    #[must_use]
    pub fn stale(&self, differences: &Differences) -> Vec<String> {
        differences.stale(&self.met)
    }
}

/// An exchange with what both sides say where they differ.
fn text(played: &Played, findings: &[&Finding]) -> String {
    let mut text = format!("{}\n  {}\n", played.title(), played.request);
    // Two answers of which one is an error differ in everything else too.
    let different_in_kind = findings.iter().any(|finding| finding.at == "status");
    for finding in findings {
        let tells = ["status", "body/message", "body"].contains(&finding.at.as_str());
        if different_in_kind && !tells {
            continue;
        }
        let _ = writeln!(text, "  {}", finding.at);
        for (side, value) in [("-", &finding.upstream), ("+", &finding.ours)] {
            let said = value
                .as_ref()
                .map_or("(nothing)".to_owned(), |value| match value {
                    serde_json::Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
            let _ = writeln!(text, "    {side} {}", clip(&said));
        }
    }
    text
}

fn clip(text: &str) -> String {
    const LONG: usize = 600;
    match text.char_indices().nth(LONG) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
