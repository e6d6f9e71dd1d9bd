//! What is measured, by name, and the report made of it.

use std::time::Duration;

use anyhow::{Context, Result};
use bench::{Report, Samples};

use crate::crowd::Done;
use crate::system::{Cpu, Kind};

/// The figures of one system: one sample a round for each metric, in the order in which they were first measured.
#[derive(Default)]
pub(crate) struct Figures(Vec<Figure>);

struct Figure {
    metric: String,
    unit: &'static str,
    samples: Samples,
}

impl Figures {
    /// Adds a sample.
    pub(crate) fn add(&mut self, metric: impl Into<String>, unit: &'static str, value: f64) {
        let metric = metric.into();
        eprintln!("    {metric}: {value:.2} {unit}");
        let place = match self.0.iter().position(|figure| figure.metric == metric) {
            Some(place) => place,
            None => {
                self.0.push(Figure {
                    metric,
                    unit,
                    samples: Samples::default(),
                });
                self.0.len() - 1
            }
        };
        self.0[place].samples.push(value);
    }

    /// Adds how long something took, in milliseconds.
    pub(crate) fn took(&mut self, metric: impl Into<String>, took: Duration) {
        self.add(metric, "ms", took.as_secs_f64() * 1e3);
    }

    /// Adds what a crowd did: its rate, how long requests took, and what they cost.
    pub(crate) fn crowd(&mut self, what: &str, done: &Done, cpu: Cpu) -> Result<()> {
        self.add(what, "1/s", done.rate());
        self.add(format!("{what}, P50"), "ms", done.quantile(0.5)?);
        self.add(format!("{what}, P99"), "ms", done.quantile(0.99)?);
        let each = |seconds: f64| seconds * 1e3 / done.took.len() as f64;
        let cost = each(cpu.server + cpu.backing);
        self.add(format!("{what}, CPU of server and store"), "ms each", cost);
        self.add(
            format!("{what}, CPU of the load"),
            "ms each",
            each(cpu.load),
        );
        Ok(())
    }

    fn median(&self, metric: &str) -> Option<f64> {
        let figure = self.0.iter().find(|figure| figure.metric == metric)?;
        figure.samples.median().ok()
    }

    fn report(&self, system: &str, report: &mut Report) -> Result<()> {
        for figure in &self.0 {
            report.row(system, &figure.metric, figure.unit, &figure.samples)?;
        }
        Ok(())
    }
}

/// Rows of all systems; ratios of ours to upstream on etcd, and to the aims.
pub(crate) fn report(all: &[(Kind, Figures)]) -> Result<Report> {
    let mut report = Report::new();
    for (kind, figures) in all {
        figures.report(kind.name(), &mut report)?;
    }
    let upstream = all.iter().find(|(kind, _)| *kind == Kind::UpstreamEtcd);
    for (kind, figures) in all.iter().filter(|(kind, _)| *kind != Kind::UpstreamEtcd) {
        if let Some((_, upstream)) = upstream {
            ratios(*kind, figures, upstream, &mut report)?;
        }
    }
    for (kind, figures) in all.iter().filter(|(kind, _)| kind.is_ours()) {
        for (metric, aim) in AIMS {
            if let Some(value) = figures.median(metric) {
                report.ratio(&format!("{}/aim: {metric}", kind.name()), value, aim)?;
            }
        }
    }
    Ok(report)
}

/// Upper bounds that we aim at, in the unit of the metric.
const AIMS: [(&str, f64); 2] = [
    ("watch, P99", 100.0),
    ("start to ready, 100000 objects", 2000.0),
];

fn ratios(kind: Kind, ours: &Figures, upstream: &Figures, report: &mut Report) -> Result<()> {
    for figure in &ours.0 {
        let metric = &figure.metric;
        // What is 0 compares with nothing.
        let Some(theirs) = upstream.median(metric).filter(|value| *value > 0.0) else {
            continue;
        };
        let value = ours.median(metric).context("it has a sample")?;
        let name = format!("{}/upstream-etcd: {metric}", kind.name());
        report.ratio(&name, value, theirs)?;
    }
    Ok(())
}
