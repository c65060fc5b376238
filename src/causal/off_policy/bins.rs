//! How the weights of rows are spread.

use serde::{Deserialize, Serialize};

/// Bins of weights in an octave: the first bits of the mantissa.
const BINS_AN_OCTAVE: u64 = 8;
/// Bits of a number below those that name its bin.
const DROPPED: u32 = 52 - BINS_AN_OCTAVE.trailing_zeros();
/// The bits above of 2⁻¹⁶: lighter weights are as good as none and share the first bin.
const FIRST: u64 = (1023 - 16) * BINS_AN_OCTAVE;
const BINS: usize = 1 + 64 * BINS_AN_OCTAVE as usize;

/// How many rows have which weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Bins {
    pub(super) rows: Vec<u64>,
    pub(super) weight: Vec<f64>,
}

impl Bins {
    pub(super) fn empty() -> Self {
        Self {
            rows: vec![0; BINS],
            weight: vec![0.0; BINS],
        }
    }

    /// The exponent and three bits of the mantissa of a weight number its bin.
    pub(super) fn push(&mut self, weight: f64) {
        let bin = ((weight.to_bits() >> DROPPED) + 1).saturating_sub(FIRST);
        let bin = (bin as usize).min(BINS - 1);
        self.rows[bin] += 1;
        self.weight[bin] += weight;
    }

    /// The upper end of a bin.
    pub(super) fn upper(bin: usize) -> f64 {
        f64::from_bits((FIRST + bin as u64) << DROPPED)
    }

    pub(super) fn join(&mut self, other: &Self) {
        for (a, b) in self.rows.iter_mut().zip(&other.rows) {
            *a += b;
        }
        for (a, b) in self.weight.iter_mut().zip(&other.weight) {
            *a += b;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_lies_below_the_end_of_its_bin_and_above_that_of_the_one_before() {
        let mut bins = Bins::empty();
        for weight in [0.0, 1e-9, 1e-3, 0.99, 1.0, 1.2, 3.7, 500.0, 1e20] {
            bins.rows.fill(0);
            bins.push(weight);
            let at = bins.rows.iter().position(|n| *n == 1).unwrap();
            assert!(weight < Bins::upper(at) || at == BINS - 1, "{weight}");
            assert!(at == 0 || Bins::upper(at - 1) <= weight, "{weight}");
        }
    }
}
