//! The report of a run: a table for people, JSON for comparisons.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::{Machine, Samples};

/// What a bench found out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What it ran on.
    pub machine: Machine,
    /// One row for each system and metric, in the order in which they were added.
    pub rows: Vec<Row>,
    /// Comparisons that the bench is about, by name, such as `kubefed/koinon create latency`.
    pub ratios: BTreeMap<String, f64>,
}

/// One metric of one system. All numbers are in `unit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was measured, such as `koinon` or `kube-apiserver`.
    pub system: String,
    /// Which of its properties, such as `hub change to member object, P99`.
    pub metric: String,
    /// The unit, such as `ms`, `MiB` or `1/s`.
    pub unit: String,
    /// The middle of the runs.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Report {
    /// An empty report about this machine.
    #[must_use]
    pub fn new() -> Self {
        Self {
            machine: Machine::here(),
            ..Self::default()
        }
    }

    /// Adds a row and returns its median, for use in ratios.
    ///
    /// # Errors
    /// Nothing was measured, or a value is not finite.
    pub fn row(
        &mut self,
        system: &str,
        metric: &str,
        unit: &str,
        samples: &Samples,
    ) -> Result<f64> {
        let numbers = || {
            anyhow::Ok((
                samples.median()?,
                samples.quantile(0.0)?,
                samples.quantile(1.0)?,
            ))
        };
        let (median, min, max) = numbers().with_context(|| format!("{system}: {metric}"))?;
        let (system, metric, unit) = (system.to_owned(), metric.to_owned(), unit.to_owned());
        self.rows.push(Row {
            system,
            metric,
            unit,
            median,
            min,
            max,
        });
        Ok(median)
    }

    /// Adds a row about the quantile `q` of all samples, and returns it. Its `median` is that quantile; `min` and `max` are
    /// the smallest and largest of the same quantile of each of `batches` runs of consecutive samples.
    ///
    /// # Errors
    /// As [`Samples::quantile_of_batches`].
    pub fn quantile(
        &mut self,
        system: &str,
        metric: &str,
        unit: &str,
        samples: &Samples,
        q: f64,
        batches: usize,
    ) -> Result<f64> {
        let numbers = || {
            let parts = samples.quantile_of_batches(q, batches)?;
            anyhow::Ok((
                samples.quantile(q)?,
                parts.quantile(0.0)?,
                parts.quantile(1.0)?,
            ))
        };
        let (median, min, max) = numbers().with_context(|| format!("{system}: {metric}"))?;
        self.rows.push(Row {
            system: system.to_owned(),
            metric: metric.to_owned(),
            unit: unit.to_owned(),
            median,
            min,
            max,
        });
        Ok(median)
    }

    /// Adds the ratio `of / to`.
    ///
    /// # Errors
    /// It is not finite.
    pub fn ratio(&mut self, name: &str, of: f64, to: f64) -> Result<()> {
        let ratio = of / to;
        ensure!(ratio.is_finite(), "ratio {name} is {of} / {to}");
        self.ratios.insert(name.to_owned(), ratio);
        Ok(())
    }

    /// Prints the table, and writes JSON where [`Output`] says.
    ///
    /// # Errors
    /// There is no row, or the file cannot be written.
    pub fn publish(&self, output: &Output) -> Result<()> {
        ensure!(!self.rows.is_empty(), "the bench measured nothing");
        print!("{self}");
        let Some(file) = &output.out else {
            return Ok(());
        };
        let mut json = serde_json::to_string_pretty(self).context("write JSON")?;
        json.push('\n');
        fs::write(file, json).with_context(|| format!("write {}", file.display()))
    }
}

/// Where the report goes: an option of every bench.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Also write the report to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |get: fn(&Row) -> &str, title: &str| {
            self.rows
                .iter()
                .map(|row| get(row).chars().count())
                .chain([title.len()])
                .max()
                .unwrap_or_default()
        };
        let (system, metric) = (
            width(|row| &row.system, "system"),
            width(|row| &row.metric, "metric"),
        );
        let Machine {
            cpu,
            cores,
            memory_mib,
            system: os,
        } = &self.machine;
        writeln!(out, "{cpu}, {cores} cores, {memory_mib} MiB, {os}")?;
        writeln!(
            out,
            "{:<system$}  {:<metric$}  {:>10}  {:>10}  {:>10}  unit",
            "system", "metric", "median", "min", "max"
        )?;
        for row in &self.rows {
            writeln!(
                out,
                "{:<system$}  {:<metric$}  {:>10.2}  {:>10.2}  {:>10.2}  {}",
                row.system, row.metric, row.median, row.min, row.max, row.unit
            )?;
        }
        for (name, ratio) in &self.ratios {
            writeln!(out, "{name}: {ratio:.2}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report {
            machine: Machine::default(),
            ..Report::default()
        };
        let median = report
            .row(
                "koinon",
                "start",
                "ms",
                &[3.0, 1.0, 2.0].into_iter().collect(),
            )
            .unwrap();
        report.ratio("aim/start", 4.0, median).unwrap();
        report
    }

    #[test]
    fn the_json_has_the_agreed_shape() {
        let json = serde_json::to_value(report()).unwrap();
        let row = serde_json::json!(
            {"system": "koinon", "metric": "start", "unit": "ms", "median": 2.0, "min": 1.0, "max": 3.0}
        );
        assert_eq!(json["rows"], serde_json::json!([row]));
        assert_eq!(json["ratios"], serde_json::json!({"aim/start": 2.0}));
        assert!(json["machine"].is_object());
    }

    #[test]
    fn a_quantile_is_of_everything_and_its_spread_of_the_batches() {
        let mut report = Report::default();
        let samples = [1.0, 2.0, 3.0, 4.0, 5.0, 9.0].into_iter().collect();
        let half = report.quantile("koinon", "delay", "ms", &samples, 0.5, 2);
        assert_eq!(half.unwrap(), 3.0);
        let row = &report.rows[0];
        assert_eq!((row.median, row.min, row.max), (3.0, 2.0, 5.0));
    }

    #[test]
    fn the_table_shows_every_row_and_ratio() {
        let table = report().to_string();
        assert!(
            table.contains("koinon  start         2.00        1.00        3.00  ms"),
            "{table}"
        );
        assert!(table.contains("aim/start: 2.00"), "{table}");
    }

    #[test]
    fn senseless_numbers_are_refused() {
        assert!(
            Report::default()
                .row("a", "b", "c", &Samples::default())
                .is_err()
        );
        assert!(Report::default().ratio("r", 1.0, 0.0).is_err());
        assert!(Report::default().publish(&Output::default()).is_err());
    }
}
