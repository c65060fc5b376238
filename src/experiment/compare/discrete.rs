//! Exact discrete distributions, tail sums and all, from the ratios of neighbouring probabilities.

use crate::inference::Alternative;

/// Probabilities as equal as this, relative to them, are equal but for rounding.
pub(super) const EQUAL: f64 = 1e-9;

/// The probabilities of `first`, `first + 1`, …: those that are not too small for a number.
#[derive(Clone, Debug)]
pub(super) struct Masses {
    first: u64,
    values: Vec<f64>,
}

impl Masses {
    /// On `low..=high`, from `P(k + 1)/P(k)`, which falls with k. Starting at the mode nothing overflows, and no logarithm of a factorial
    /// loses digits.
    fn from_ratios(low: u64, high: u64, ratio: impl Fn(u64) -> f64) -> Self {
        let (mut below, mut above) = (low, high);
        while below < above {
            let middle = below + (above - below) / 2;
            if ratio(middle) > 1.0 {
                below = middle + 1;
            } else {
                above = middle;
            }
        }
        let mode = below;
        let (mut down, mut mass) = (Vec::new(), 1.0);
        for k in (low..mode).rev() {
            mass /= ratio(k);
            if mass <= 0.0 {
                break;
            }
            down.push(mass);
        }
        let first = mode - down.len() as u64;
        let mut values: Vec<f64> = down.into_iter().rev().collect();
        values.push(1.0);
        mass = 1.0;
        for k in mode..high {
            mass *= ratio(k);
            if mass <= 0.0 {
                break;
            }
            values.push(mass);
        }
        let total: f64 = values.iter().sum();
        for v in &mut values {
            *v /= total;
        }
        Self { first, values }
    }

    /// Successes among `trials` of probability `p`.
    pub(super) fn binomial(trials: u64, p: f64) -> Self {
        if p <= 0.0 || p >= 1.0 {
            let certain = if p <= 0.0 { 0 } else { trials };
            return Self {
                first: certain,
                values: vec![1.0],
            };
        }
        let odds = p / (1.0 - p);
        Self::from_ratios(0, trials, |k| (trials - k) as f64 / (k + 1) as f64 * odds)
    }

    /// Treated successes given all successes, with this odds ratio: Fisher's non-central hypergeometric distribution.
    pub(super) fn hypergeometric(treated: u64, control: u64, successes: u64, odds: f64) -> Self {
        let low = successes.saturating_sub(control);
        Self::from_ratios(low, treated.min(successes), |k| {
            let up = (treated - k) as f64 * (successes - k) as f64;
            let down = (k + 1) as f64 * (control + k + 1 - successes) as f64;
            up / down * odds
        })
    }

    pub(super) fn at(&self, k: u64) -> f64 {
        let place = k.checked_sub(self.first);
        place
            .and_then(|i| self.values.get(i as usize))
            .copied()
            .unwrap_or(0.0)
    }

    /// `P(X ≤ k)`.
    pub(super) fn cdf(&self, k: u64) -> f64 {
        let count = (k + 1).saturating_sub(self.first) as usize;
        self.values.iter().take(count).sum::<f64>().min(1.0)
    }

    /// `P(X ≥ k)`.
    pub(super) fn sf(&self, k: u64) -> f64 {
        let skip = k.saturating_sub(self.first) as usize;
        self.values.iter().skip(skip).sum::<f64>().min(1.0)
    }

    /// The sum of the probabilities no larger than that of `k`.
    pub(super) fn no_likelier(&self, k: u64) -> f64 {
        let most = self.at(k) * (1.0 + EQUAL);
        self.values
            .iter()
            .filter(|v| **v <= most)
            .sum::<f64>()
            .min(1.0)
    }

    /// The exact p-value; two-sided it is of all values that are no likelier.
    pub(super) fn p_value(&self, k: u64, alternative: Alternative) -> f64 {
        match alternative {
            Alternative::TwoSided => self.no_likelier(k),
            Alternative::Greater => self.sf(k),
            Alternative::Less => self.cdf(k),
        }
    }

    /// The mid-p-value, which counts the observed value half; two-sided it is twice the smaller tail.
    pub(super) fn mid_p(&self, k: u64, alternative: Alternative) -> f64 {
        let half = 0.5 * self.at(k);
        let (below, above) = (self.cdf(k) - half, self.sf(k) - half);
        match alternative {
            Alternative::TwoSided => (2.0 * below.min(above)).min(1.0),
            Alternative::Greater => above,
            Alternative::Less => below,
        }
    }

    pub(super) fn mean(&self) -> f64 {
        let terms = self.values.iter().enumerate();
        terms.map(|(i, v)| (self.first + i as u64) as f64 * v).sum()
    }

    /// First value and probabilities.
    pub(super) fn parts(&self) -> (u64, &[f64]) {
        (self.first, &self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_by_hand() {
        let b = Masses::binomial(4, 0.25);
        for (k, p) in [81.0, 108.0, 54.0, 12.0, 1.0].into_iter().enumerate() {
            assert!((b.at(k as u64) - p / 256.0).abs() < 1e-15);
        }
        assert!((b.cdf(1) - 189.0 / 256.0).abs() < 1e-15 && (b.sf(2) - 67.0 / 256.0).abs() < 1e-15);
        assert!((b.mean() - 1.0).abs() < 1e-15);
        assert!((b.no_likelier(2) - 67.0 / 256.0).abs() < 1e-15);
        // 3 treated, 2 control, 3 successes: C(3,k) C(2,3−k) = 3, 6, 1 for k = 1, 2, 3.
        let h = Masses::hypergeometric(3, 2, 3, 1.0);
        assert!(
            (h.at(1) - 0.3).abs() < 1e-15 && (h.at(3) - 0.1).abs() < 1e-15 && h.at(0).abs() <= 0.0
        );
        let h = Masses::hypergeometric(3, 2, 3, 2.0);
        assert!((h.at(2) - 12.0 / 19.0).abs() < 1e-15);
        assert!((Masses::binomial(5, 0.0).at(0) - 1.0).abs() <= 0.0);
    }

    #[test]
    fn many_trials_lose_no_digits() {
        let n = 10_000_000_u64;
        let b = Masses::binomial(n, 0.5);
        let peak = (2.0 / (std::f64::consts::PI * n as f64)).sqrt() * (1.0 - 0.25 / n as f64);
        assert!((b.at(n / 2) / peak - 1.0).abs() < 1e-11);
    }
}
