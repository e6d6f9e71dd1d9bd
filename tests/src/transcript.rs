//! Terminal sessions that a person can read and a machine can repeat.
//!
//! A transcript is a text file. Its lines are
//!
//! | line | meaning |
//! |---|---|
//! | `# …` | a remark |
//! | `$ command` | the command is run once in the root of the repository |
//! | `~ command` | it only looks, and is run again and again until it prints what the transcript says |
//! | anything else | what the command above printed, standard error included; `[exit 1]` if it failed |
//!
//! Times, ages, uids, revisions, ports and addresses are replaced by words before anything is compared ([`normalise`]). With
//! `KOINON_BLESS=1` in its environment, a test writes what it saw into the file instead of comparing.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use regex::Regex;

use crate::playground::Playground;

/// How long a command that looks may take to see what it should.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long an output must stay the same to be written down.
const SETTLED: Duration = Duration::from_secs(2);

/// A command of a transcript with what it printed.
#[derive(Debug, PartialEq)]
enum Part {
    Remark(String),
    Command {
        looks: bool,
        line: String,
        printed: String,
    },
}

/// Runs `tests/transcripts/<name>.txt` against a playground.
///
/// # Panics
/// A command printed something else.
pub fn run(playground: &Playground, name: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("transcripts")
        .join(format!("{name}.txt"));
    let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let bless = std::env::var_os("KOINON_BLESS").is_some();
    let mut seen = String::new();
    for part in parse(&text) {
        match part {
            Part::Remark(remark) => seen.push_str(&remark),
            Part::Command {
                looks,
                line,
                printed,
            } => {
                let now = if bless && looks {
                    settled(|| print(playground, &line))
                } else if looks {
                    until(&printed, || print(playground, &line))
                } else {
                    print(playground, &line)
                };
                assert!(
                    bless || now == printed,
                    "{}: {line}\n--- the transcript says\n{printed}--- it printed\n{now}--- the playground logged\n{}",
                    file.display(),
                    playground.log()
                );
                let sign = if looks { '~' } else { '$' };
                seen.push_str(&format!("{sign} {line}\n{now}"));
            }
        }
    }
    if bless {
        fs::write(&file, seen).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    }
}

fn parse(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ").or(line.strip_prefix("~ ")) {
            parts.push(Part::Command {
                looks: line.starts_with('~'),
                line: command.to_owned(),
                printed: String::new(),
            });
        } else {
            match parts.last_mut() {
                Some(Part::Command { printed, .. }) if !line.starts_with("# ") => {
                    printed.push_str(line);
                    printed.push('\n');
                }
                Some(Part::Remark(remark)) => {
                    remark.push_str(line);
                    remark.push('\n');
                }
                _ => parts.push(Part::Remark(format!("{line}\n"))),
            }
        }
    }
    parts
}

fn print(playground: &Playground, line: &str) -> String {
    // One pipe for both, so that they stay in order.
    let output = playground
        .shell(&format!("exec 2>&1\n{line}"))
        .output()
        .expect("a shell starts");
    let mut text = normalise(&String::from_utf8_lossy(&output.stdout));
    if !output.status.success() {
        let code = output.status.code().unwrap_or(-1);
        text.push_str(&format!("[exit {code}]\n"));
    }
    text
}

fn until(wanted: &str, mut look: impl FnMut() -> String) -> String {
    let start = Instant::now();
    loop {
        let now = look();
        if now == wanted || start.elapsed() > PATIENCE {
            return now;
        }
        sleep(Duration::from_millis(100));
    }
}

fn settled(mut look: impl FnMut() -> String) -> String {
    let mut last = look();
    let mut since = Instant::now();
    while since.elapsed() < SETTLED {
        sleep(Duration::from_millis(200));
        let now = look();
        if now != last {
            last = now;
            since = Instant::now();
        }
    }
    last
}

/// Replaces what differs from run to run: `TIME`, `AGE`, `UID`, `RV`, `PORT`, `IP`, `TMP`. Columns lose their width, which follows
/// their content; indentation stays.
#[must_use]
pub fn normalise(text: &str) -> String {
    static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        [
            (
                r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| [+-]\d{4})",
                "TIME",
            ),
            (
                r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
                "UID",
            ),
            (r#"(?i)(resource ?version"?: *"?)\d+"#, "${1}RV"),
            (r"/\S*/(LIVE|MERGED)-\d+", "TMP/$1"),
            (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
            (r"\b10\.96\.\d+\.\d+\b", "IP"),
            (r"\b(\d+):\d{5}/(TCP|UDP)", "$1:PORT/$2"),
            (r"(?m)(^|\s)(?:\d+[dhms]){1,3}(\s|$)", "${1}AGE$2"),
            (r"(?m)(\S)[ \t]{2,}", "$1   "),
            (r"(?m)[ \t]+$", ""),
        ]
        .into_iter()
        .map(|(pattern, word)| (Regex::new(pattern).expect("a pattern of ours"), word))
        .collect()
    });
    let mut text = RULES.iter().fold(text.to_owned(), |text, (pattern, word)| {
        pattern.replace_all(&text, *word).into_owned()
    });
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_replaced() {
        let table = "NAME     N     AGE     IP\nfoo-01   3     1m12s   10.96.3.77  80:31234/TCP\n";
        assert_eq!(
            normalise(table),
            "NAME   N   AGE   IP\nfoo-01   3   AGE   IP   80:PORT/TCP\n"
        );
        let yaml = "  uid: c2f1df59-ed3d-4b2d-9300-4f3d9d1a3051\n  resourceVersion: \"70\"\n  creationTimestamp: \"2026-11-21T02:45:14Z\"";
        assert_eq!(
            normalise(yaml),
            "  uid: UID\n  resourceVersion: \"RV\"\n  creationTimestamp: \"TIME\"\n"
        );
    }

    #[test]
    fn a_transcript_is_remarks_and_commands_with_their_output() {
        let parts = parse("# One\n\n$ echo a\na\n~ echo b\nb\nc\n# Two\n");
        let command = |looks, line: &str, printed: &str| Part::Command {
            looks,
            line: line.to_owned(),
            printed: printed.to_owned(),
        };
        assert_eq!(
            parts,
            [
                Part::Remark("# One\n\n".to_owned()),
                command(false, "echo a", "a\n"),
                command(true, "echo b", "b\nc\n"),
                Part::Remark("# Two\n".to_owned()),
            ]
        );
    }
}
