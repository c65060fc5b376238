//! From numbers to pixels, and where the ticks are.

use crate::error::{Error, Result};
use crate::report::NumberFormat;

/// The range of a numeric axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub low: f64,
    pub high: f64,
}

/// A tick and its label.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub value: f64,
    pub label: String,
}

/// Empty room on either side of the data, as a share of their range.
const MARGIN: f64 = 0.04;

impl Range {
    /// The range of the finite values, `None` if there are none.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when the values are so large that their range overflows.
    pub fn of(what: &str, values: impl IntoIterator<Item = f64>) -> Result<Option<Self>> {
        let finite = values.into_iter().filter(|v| v.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        if low > high {
            return Ok(None);
        }
        // Twice the range must be finite too, since margins are added.
        if !(4.0 * (high - low)).is_finite() || !(4.0 * high.max(-low)).is_finite() {
            return Err(Error::InvalidOption {
                option: what.to_owned(),
                value: format!("between {low:e} and {high:e}"),
                expected: "of a size that can be drawn (below 1e307); rescale it".to_owned(),
            });
        }
        Ok(Some(Self { low, high }))
    }

    /// Extended to hold a value.
    pub fn with(self, value: f64) -> Self {
        Self {
            low: self.low.min(value),
            high: self.high.max(value),
        }
    }

    /// With margins at both ends; a range too narrow for the precision of its numbers is widened.
    pub fn padded(self) -> Self {
        /// Relative to the size of the values; narrower ranges have no distinct tick labels.
        const NARROWEST: f64 = 1e-9;
        let size = self.low.abs().max(self.high.abs());
        let width = self.high - self.low;
        let margin = if width > NARROWEST * size {
            MARGIN * width
        } else if size > 0.0 {
            0.05 * size
        } else {
            1.0
        };
        Self {
            low: self.low - margin,
            high: self.high + margin,
        }
    }

    /// With a margin at the upper end only.
    pub fn padded_above(self) -> Self {
        Self {
            low: self.low,
            high: self.padded().high,
        }
    }

    /// Ticks at multiples of 1, 2 or 5 times a power of ten, about `count` of them.
    pub fn ticks(self, count: usize, integers: bool) -> Vec<Tick> {
        const MOST: usize = 100;
        let raw = (self.high - self.low) / count.max(1) as f64;
        let power = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|m| m * power)
            .find(|s| *s >= raw * (1.0 - 1e-9))
            .unwrap_or(10.0 * power);
        let step = if integers { step.max(1.0) } else { step };
        let first = (self.low / step).ceil();
        let last = (self.high / step).floor();
        let largest = self.low.abs().max(self.high.abs());
        (0..MOST)
            .map(|i| first + i as f64)
            .take_while(|k| *k <= last)
            .map(|k| Tick {
                value: k * step,
                label: label(k * step, step, largest),
            })
            .collect()
    }
}

/// Whether all finite values are whole numbers, as periods and counts are.
pub(super) fn whole(mut values: impl Iterator<Item = f64>) -> bool {
    values.all(|v| !v.is_finite() || v.fract().abs() <= 0.0)
}

/// The number with as many decimals as the step needs.
fn label(value: f64, step: f64, largest: f64) -> String {
    /// Longer numbers would crowd an axis.
    const SCIENTIFIC_FROM: f64 = 1e7;
    const SCIENTIFIC_BELOW: f64 = 1e-5;
    /// Years have four digits and no comma.
    const GROUPED_FROM: f64 = 1e4;
    let exponent = |v: f64| v.abs().log10().floor() as i32;
    let text = if largest >= SCIENTIFIC_FROM || step < SCIENTIFIC_BELOW {
        // A tick at zero may come out as a tiny multiple of the step.
        if value.abs() < step / 2.0 {
            "0".to_owned()
        } else {
            let digits = usize::try_from(exponent(value) - exponent(step * 1.000_001)).unwrap_or(0);
            format!("{value:.digits$e}")
        }
    } else if largest >= GROUPED_FROM && step >= 1.0 {
        NumberFormat::Grouped.show(value)
    } else {
        let decimals = usize::try_from(-exponent(step * 1.000_001)).unwrap_or(0);
        NumberFormat::Fixed(decimals).show(value)
    };
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, count: usize) -> Vec<String> {
        let ticks = Range { low, high }.ticks(count, false);
        ticks.into_iter().map(|t| t.label).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(
            labels(-0.25, 0.31, 6),
            ["−0.2", "−0.1", "0.0", "0.1", "0.2", "0.3"]
        );
        assert_eq!(
            labels(2019.0, 2024.0, 5),
            ["2019", "2020", "2021", "2022", "2023", "2024"]
        );
        assert_eq!(
            labels(0.0, 45_000.0, 5),
            ["0", "10,000", "20,000", "30,000", "40,000"]
        );
        assert_eq!(labels(0.0, 3e8, 3), ["0", "1e8", "2e8", "3e8"]);
        assert_eq!(labels(0.0, 2.5e-7, 3), ["0", "1e−7", "2e−7"]);
        assert_eq!(labels(9.5e6, 1.25e7, 3), ["1.0e7", "1.1e7", "1.2e7"]);
    }

    #[test]
    fn a_single_value_gets_a_range() {
        let of = |v: f64| Range { low: v, high: v }.padded();
        assert!(of(0.0).low < 0.0 && of(5.0).high > 5.0 && of(-1e300).low < -1e300);
        assert!(of(5.0).ticks(5, false).len() > 1);
        assert!(Range::of("x", [f64::MAX, -f64::MAX]).is_err());
        assert_eq!(Range::of("x", [f64::NAN, f64::INFINITY]).unwrap(), None);
    }
}
