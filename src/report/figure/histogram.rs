//! How values are distributed, in bars.

use super::axes::{Axes, Vertical};
use super::canvas::colour;
use super::labels::{HEIGHT, Labels, labelled};
use super::scale::Range;
use super::{Figure, nothing_to_draw};
use crate::error::{Error, Result};
use crate::report::NumberFormat;
use plotters::style::WHITE;
use serde::Serialize;

/// A histogram of raw values with bins of equal width. Missing and infinite values are left out and counted in the
/// note.
///
/// Without a number of bins the width is 2 IQR n^(−1/3), and the whole range where the quartiles coincide is cut into
/// log₂ n + 1 bins instead (Sturges 1926); never more than 200.
///
/// # References
/// Freedman, D., & Diaconis, P. (1981). On the histogram as a density estimator. *Zeitschrift für
/// Wahrscheinlichkeitstheorie* 57, 453–476. doi:10.1007/BF01025868
///
/// ```
/// use cocreate::prelude::*;
/// let figure = Histogram::new([1.0, 2.0, 2.5, f64::NAN, 4.0]).x_title("rating").draw()?;
/// assert!(figure.to_svg().contains("1 missing value left out"));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct Histogram {
    labels: Labels,
    values: Vec<f64>,
    bins: Option<usize>,
}

labelled!(Histogram);

/// More bars than this cannot be told apart.
const MOST_BINS: usize = 200;

impl Histogram {
    /// The histogram of these values.
    pub fn new(values: impl AsRef<[f64]>) -> Self {
        Self {
            labels: Labels::default(),
            values: values.as_ref().to_vec(),
            bins: None,
        }
    }

    /// The number of bins, from 1 to 200.
    pub fn bins(mut self, bins: usize) -> Self {
        self.bins = Some(bins);
        self
    }

    /// Draws the figure.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when no value is finite, when values are too large to be drawn, or for a number of bins
    /// or a size out of range.
    pub fn draw(&self) -> Result<Figure> {
        let mut values = self.values.clone();
        values.retain(|v| v.is_finite());
        let range = Range::of("values", values.iter().copied())?
            .ok_or_else(|| nothing_to_draw("values"))?;
        let bins = match self.bins {
            Some(bins) if (1..=MOST_BINS).contains(&bins) => bins,
            Some(bins) => {
                return Err(Error::invalid_option(
                    "bins",
                    bins,
                    format!("from 1 to {MOST_BINS}"),
                ));
            }
            None => automatic_bins(&mut values, range),
        };
        // A single value gets one bar of some width.
        let range = if range.high > range.low {
            range
        } else {
            range.padded()
        };
        let counts = counts(&values, range, bins);
        let highest = counts.iter().copied().max().unwrap_or(0) as f64;
        let mut labels = self.labels.clone();
        if labels.y.is_empty() {
            "Count".clone_into(&mut labels.y);
        }
        Axes {
            labels: &labels,
            kind: "Histogram",
            remark: remark(&self.values),
            x: range.padded(),
            whole_x: false,
            y: Vertical::Counts(
                Range {
                    low: 0.0,
                    high: highest,
                }
                .padded_above(),
            ),
            legend: Vec::new(),
            height: HEIGHT,
        }
        .draw(|plot| {
            let width = (range.high - range.low) / bins as f64;
            for (i, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let left = plot.px(range.low + width * i as f64);
                let right = plot.px(range.low + width * (i + 1) as f64);
                let (top, bottom) = (plot.py(*count as f64), plot.bottom);
                plot.canvas
                    .rectangle((left, top), (right, bottom), colour(0), 1.0);
                // A white edge between neighbours, as long as both stay visible.
                if right - left > 4.0 {
                    plot.canvas.line((right, top), (right, bottom), WHITE, 1.0);
                }
            }
        })
    }
}

/// Freedman & Diaconis (1981), with Sturges' rule where their width is zero.
fn automatic_bins(values: &mut [f64], range: Range) -> usize {
    let n = values.len();
    let mut quartile = |share: f64| {
        let rank = (share * (n - 1) as f64).round() as usize;
        let (_, value, _) = values.select_nth_unstable_by(rank, f64::total_cmp);
        *value
    };
    let (first, third) = (quartile(0.25), quartile(0.75));
    let width = 2.0 * (third - first) / (n as f64).cbrt();
    let bins = if width > 0.0 {
        ((range.high - range.low) / width).ceil()
    } else {
        (n as f64).log2().ceil() + 1.0
    };
    // Casting saturates, so that a width close to zero gives the largest number.
    (bins as usize).clamp(1, MOST_BINS)
}

/// Values per bin; bins are closed on the left, the last one on both sides.
fn counts(values: &[f64], range: Range, bins: usize) -> Vec<usize> {
    let mut counts = vec![0; bins];
    let scale = bins as f64 / (range.high - range.low);
    for v in values {
        let bin = ((v - range.low) * scale) as usize;
        counts[bin.min(bins - 1)] += 1;
    }
    counts
}

/// How many values are not in the figure.
pub(super) fn remark(values: &[f64]) -> String {
    let missing = values.iter().filter(|v| v.is_nan()).count();
    let infinite = values.iter().filter(|v| v.is_infinite()).count();
    let part = |count: usize, what: &str| {
        let s = if count == 1 { "" } else { "s" };
        let shown = NumberFormat::Grouped.show(count as f64);
        (count > 0).then(|| format!("{shown} {what} value{s} left out."))
    };
    let parts: Vec<String> = [part(missing, "missing"), part(infinite, "infinite")]
        .into_iter()
        .flatten()
        .collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_a_bin() {
        let values: Vec<f64> = (0..=100).map(f64::from).collect();
        let range = Range {
            low: 0.0,
            high: 100.0,
        };
        assert_eq!(counts(&values, range, 4), [25, 25, 25, 26]);
        // Quartiles 25 and 75: width 2·50/101^(1/3) = 21.47, so 100/21.47 → 5 bins.
        assert_eq!(automatic_bins(&mut values.clone(), range), 5);
        let mut spike = vec![1.0; 15];
        spike.push(2.0);
        assert_eq!(
            automatic_bins(
                &mut spike,
                Range {
                    low: 1.0,
                    high: 2.0
                }
            ),
            5
        );
    }

    #[test]
    fn what_is_left_out_is_said() {
        assert_eq!(
            remark(&[f64::NAN, 1.0, f64::NAN, f64::INFINITY]),
            "2 missing values left out. 1 infinite value left out."
        );
        assert!(Histogram::new([f64::NAN]).draw().is_err());
        assert!(Histogram::new([1.0]).bins(0).draw().is_err());
        assert!(Histogram::new([3.0, 3.0]).draw().is_ok());
    }
}
