//! How fedctl prints: tables like kubectl's, objects as JSON or YAML, states of members, errors with their causes.

use std::fmt;
use std::io::{ErrorKind, Write};

use anyhow::Context;
use federation_api::federated::MemberEntry;
use federation_api::federated::northbound::Status as ObjectStatus;
use kube::api::DynamicObject;
use serde::Serialize;

use crate::cli::Output;

/// Exit code of a process whose reader has gone, as the shell reports it for a program that SIGPIPE ended.
const READER_GONE: i32 = 141;

/// As `print!`. A reader that has gone (`| head`) ends the process quietly, as it ends kubectl; any other failure to write is an error.
pub(crate) fn text(text: fmt::Arguments<'_>) {
    let Err(error) = std::io::stdout().lock().write_fmt(text) else {
        return;
    };
    if error.kind() == ErrorKind::BrokenPipe {
        std::process::exit(READER_GONE);
    }
    eprintln!("error: cannot write to standard output: {error}");
    std::process::exit(1);
}

/// `print!` through [`text()`].
macro_rules! out {
    ($($part:tt)*) => { $crate::print::text(format_args!($($part)*)) };
}

/// `println!` through [`text()`].
macro_rules! outln {
    ($($part:tt)*) => { $crate::print::text(format_args!("{}\n", format_args!($($part)*))) };
}

/// One line from an error: every cause once, outermost first. An answer of the API server ends it, since its message is
/// complete.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let part = match cause.downcast_ref::<kube::Error>() {
            Some(kube::Error::Api(status)) => status.message.clone(),
            _ => cause.to_string(),
        };
        if text.is_empty() {
            text = part;
        } else if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        if matches!(cause.downcast_ref(), Some(kube::Error::Api(_))) {
            break;
        }
    }
    text
}

/// Prints an object or list in the machine-readable form asked for; `false` if the form is one for people.
pub(crate) fn object<T: Serialize>(output: Option<Output>, value: &T) -> anyhow::Result<bool> {
    match output {
        Some(Output::Json) => outln!(
            "{}",
            serde_json::to_string_pretty(value).context("cannot print as JSON")?
        ),
        Some(Output::Yaml) => out!(
            "{}",
            serde_saphyr::to_string(value).context("cannot print as YAML")?
        ),
        Some(Output::Wide) | None => return Ok(false),
    }
    Ok(true)
}

/// A list of objects as `kubectl get -o json` prints one.
pub(crate) fn list<T: Serialize>(output: Option<Output>, items: &[T]) -> anyhow::Result<bool> {
    object(
        output,
        &serde_json::json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}),
    )
}

/// Prints rows under headings, columns as wide as their widest cell, three spaces apart.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) {
    out!("{}", format_table(headings, rows));
}

/// What the hub says of a federated object, read as v1; empty if it says nothing yet.
pub(crate) fn status(object: &DynamicObject) -> ObjectStatus {
    object
        .data
        .get("status")
        .and_then(|status| serde_json::from_value(status.clone()).ok())
        .unwrap_or_default()
}

/// How the object stands in one member, in a word.
pub(crate) fn state(entry: &MemberEntry) -> String {
    entry
        .reason
        .as_ref()
        .or(entry.status.as_ref())
        .map_or_else(|| "OK".to_owned(), ToString::to_string)
}

fn format_table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|h| h.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let heading_row: Vec<String> = headings.iter().map(|h| (*h).to_owned()).collect();
    for row in std::iter::once(&heading_row).chain(rows) {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width + 3 - cell.chars().count()));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align() {
        let rows = [
            vec!["rz00a".to_owned(), "hz-1".to_owned()],
            vec!["é".to_owned(), "sh".to_owned()],
        ];
        assert_eq!(
            format_table(&["NAME", "CLUSTER"], &rows),
            "NAME    CLUSTER\nrz00a   hz-1\né       sh\n"
        );
    }

    #[test]
    fn the_servers_answer_is_said_once() {
        let status = kube::core::Status::failure("cells \"a\" already exists", "AlreadyExists");
        let error =
            anyhow::Error::from(kube::Error::Api(status.boxed())).context("cannot create it");
        assert_eq!(
            chain(&error),
            "cannot create it: cells \"a\" already exists"
        );
    }

    #[test]
    fn a_cause_is_not_repeated() {
        let error = anyhow::anyhow!("no route")
            .context("cannot reach the hub: no route")
            .context("status");
        assert_eq!(chain(&error), "status: cannot reach the hub: no route");
    }
}
