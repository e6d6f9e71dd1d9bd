//! Measured values and their order statistics.

use std::time::Duration;

use anyhow::{Result, ensure};

/// Measured values of one kind, in one unit, in the order in which they were measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Durations as milliseconds.
    #[must_use]
    pub fn milliseconds(durations: impl IntoIterator<Item = Duration>) -> Self {
        durations
            .into_iter()
            .map(|duration| duration.as_secs_f64() * 1e3)
            .collect()
    }

    /// Adds one value.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was measured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest value that at least the share `q` (0 to 1) of the values do not exceed (nearest rank, so it is always
    /// a value that was measured).
    ///
    /// # Errors
    /// Nothing was measured, a value is not finite, or `q` is not between 0 and 1.
    pub fn quantile(&self, q: f64) -> Result<f64> {
        ensure!(
            (0.0..=1.0).contains(&q),
            "quantile {q} is not between 0 and 1"
        );
        ensure!(!self.0.is_empty(), "nothing was measured");
        ensure!(
            self.0.iter().all(|value| value.is_finite()),
            "a measured value is not finite"
        );
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let below = sorted
            .iter()
            .enumerate()
            .filter(|(rank, _)| (*rank as f64) < q * sorted.len() as f64)
            .count();
        Ok(sorted[below.saturating_sub(1)])
    }

    /// The middle value (the lower one of two).
    ///
    /// # Errors
    /// As [`Samples::quantile`].
    pub fn median(&self) -> Result<f64> {
        self.quantile(0.5)
    }

    /// The quantile of each of `batches` equal runs of consecutive values, so that a tail latency has a spread of its own.
    /// Values that fill no batch are part of the last one.
    ///
    /// # Errors
    /// As [`Samples::quantile`], or there are fewer values than batches.
    pub fn quantile_of_batches(&self, q: f64, batches: usize) -> Result<Self> {
        ensure!(
            batches > 0 && self.len() >= batches,
            "{} values make no {batches} batches",
            self.len()
        );
        let size = self.len() / batches;
        (0..batches)
            .map(|batch| {
                let end = if batch + 1 == batches {
                    self.len()
                } else {
                    (batch + 1) * size
                };
                Self(self.0[batch * size..end].to_vec()).quantile(q)
            })
            .collect()
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: &[f64]) -> Samples {
        values.iter().copied().collect()
    }

    #[test]
    fn quantiles_are_measured_values() {
        let values = samples(&[5.0, 1.0, 4.0, 2.0, 3.0]);
        for (q, expected) in [(0.0, 1.0), (0.2, 1.0), (0.5, 3.0), (0.99, 5.0), (1.0, 5.0)] {
            assert_eq!(values.quantile(q).unwrap(), expected, "{q}");
        }
        assert_eq!(samples(&[1.0, 2.0]).median().unwrap(), 1.0);
    }

    #[test]
    fn nothing_and_nonsense_are_refused() {
        assert!(samples(&[]).median().is_err());
        assert!(samples(&[f64::NAN]).median().is_err());
        assert!(samples(&[1.0]).quantile(1.5).is_err());
        assert!(samples(&[1.0]).quantile_of_batches(0.5, 2).is_err());
    }

    #[test]
    fn batches_take_every_value() {
        let values = samples(&[1.0, 2.0, 3.0, 4.0, 9.0]);
        assert_eq!(
            values.quantile_of_batches(1.0, 2).unwrap(),
            samples(&[2.0, 9.0])
        );
    }

    #[test]
    fn durations_become_milliseconds() {
        assert_eq!(
            Samples::milliseconds([Duration::from_micros(1500)]),
            samples(&[1.5])
        );
    }
}
