//! The power of tests of a 2 × 2 table by enumeration of the tables.

use crate::error::{Error, Result};
use crate::inference::Alternative;
use crate::numeric::special::{gamma, normal};

/// Probability of counts left out at the ends of a binomial distribution.
const NEGLIGIBLE: f64 = 1e-16;

/// Tables as probable as the observed one but for rounding count as such (as R's `fisher.test`).
const TIE: f64 = 1e-7;

/// Tables that one evaluation may look at.
const MOST_TABLES: usize = 200_000_000;

/// Two independent binomial counts.
pub(super) struct ExactTables {
    n: (usize, usize),
    /// Counts of control and of treated that matter, with their probabilities.
    counts: (Counts, Counts),
}

/// Probabilities of the counts from `first` on.
struct Counts {
    first: usize,
    probabilities: Vec<f64>,
}

impl ExactTables {
    pub(super) fn new(n0: usize, n1: usize, p0: f64, p1: f64) -> Result<Self> {
        let counts = (binomial(n0, p0), binomial(n1, p1));
        let tables = counts.0.probabilities.len() * counts.1.probabilities.len();
        if tables > MOST_TABLES {
            return Err(Error::invalid_option(
                "size",
                n0 + n1,
                "smaller for an enumeration of tables; with so many units the normal tests are exact to all purposes",
            ));
        }
        Ok(Self {
            n: (n0, n1),
            counts,
        })
    }

    /// The probability that Fisher's p-value is at most `alpha`; the two-sided one sums the tables that are not more probable.
    pub(super) fn fisher(&self, alpha: f64, alternative: Alternative) -> f64 {
        let (n0, n1) = self.n;
        let (first, last) = self.totals();
        let mut power = 0.0;
        for total in first..=last {
            // The treated counts of the tables with this total, hypergeometric given the total.
            let from = total.saturating_sub(n0);
            let to = total.min(n1);
            let density = hypergeometric(n0, n1, total, from, to);
            let reject = |i: usize| match alternative {
                Alternative::Greater => density[i..].iter().sum::<f64>() <= alpha,
                Alternative::Less => density[..=i].iter().sum::<f64>() <= alpha,
                Alternative::TwoSided => {
                    let bound = density[i] * (1.0 + TIE);
                    density.iter().filter(|d| **d <= bound).sum::<f64>() <= alpha
                }
            };
            // The density has one mode: rejection is a lower and an upper tail, each found from its end.
            let middle = (0..density.len())
                .max_by(|a, b| density[*a].total_cmp(&density[*b]))
                .unwrap_or(0);
            let lower = (0..middle).take_while(|i| reject(*i)).count();
            let upper = (middle..density.len())
                .rev()
                .take_while(|i| reject(*i))
                .count();
            let tails = (0..lower).chain(density.len() - upper..density.len());
            power += tails
                .map(|i| self.probability(total - from - i, from + i))
                .sum::<f64>();
        }
        power
    }

    /// The probability that the pooled normal test rejects.
    pub(super) fn pooled(&self, alpha: f64, alternative: Alternative) -> f64 {
        let (n0, n1) = (self.n.0 as f64, self.n.1 as f64);
        let critical = match alternative {
            Alternative::TwoSided => normal::upper_quantile(0.5 * alpha),
            Alternative::Greater | Alternative::Less => normal::upper_quantile(alpha),
        };
        let mut power = 0.0;
        for (i, a) in self.counts.0.probabilities.iter().enumerate() {
            for (j, b) in self.counts.1.probabilities.iter().enumerate() {
                let (x0, x1) = (
                    (self.counts.0.first + i) as f64,
                    (self.counts.1.first + j) as f64,
                );
                let p = (x0 + x1) / (n0 + n1);
                let gap = alternative.extremeness(x1 / n1 - x0 / n0);
                let se = (p * (1.0 - p) * (1.0 / n0 + 1.0 / n1)).sqrt();
                // Without any success, or any failure, there is no evidence.
                if se > 0.0 && gap >= critical * se {
                    power += a * b;
                }
            }
        }
        power
    }

    /// The totals that matter.
    fn totals(&self) -> (usize, usize) {
        let last = |c: &Counts| c.first + c.probabilities.len() - 1;
        (
            self.counts.0.first + self.counts.1.first,
            last(&self.counts.0) + last(&self.counts.1),
        )
    }

    fn probability(&self, x0: usize, x1: usize) -> f64 {
        let of = |c: &Counts, x: usize| {
            x.checked_sub(c.first)
                .and_then(|i| c.probabilities.get(i))
                .copied()
                .unwrap_or(0.0)
        };
        of(&self.counts.0, x0) * of(&self.counts.1, x1)
    }
}

fn ln_choose(n: usize, k: usize) -> f64 {
    gamma::ln_gamma(n as f64 + 1.0)
        - gamma::ln_gamma(k as f64 + 1.0)
        - gamma::ln_gamma((n - k) as f64 + 1.0)
}

/// The binomial distribution without its negligible ends, from the mode outwards.
fn binomial(n: usize, p: f64) -> Counts {
    let mode = (((n + 1) as f64 * p).floor() as usize).min(n);
    let odds = p / (1.0 - p);
    let peak = (ln_choose(n, mode) + mode as f64 * p.ln() + (n - mode) as f64 * (-p).ln_1p()).exp();
    let mut below = Vec::new();
    let (mut k, mut value) = (mode, peak);
    while k > 0 {
        value *= k as f64 / ((n - k + 1) as f64 * odds);
        if value < NEGLIGIBLE * peak {
            break;
        }
        k -= 1;
        below.push(value);
    }
    let first = k;
    below.reverse();
    let mut probabilities = below;
    probabilities.push(peak);
    let (mut k, mut value) = (mode, peak);
    while k < n {
        value *= (n - k) as f64 * odds / (k + 1) as f64;
        if value < NEGLIGIBLE * peak {
            break;
        }
        k += 1;
        probabilities.push(value);
    }
    // The ratios are exact to rounding; the peak by logarithms is not.
    let sum: f64 = probabilities.iter().sum();
    for v in &mut probabilities {
        *v /= sum;
    }
    Counts {
        first,
        probabilities,
    }
}

/// Pr(treated count = x | total) for x from `from` to `to` under equal proportions.
fn hypergeometric(n0: usize, n1: usize, total: usize, from: usize, to: usize) -> Vec<f64> {
    let mode = (((total + 1) * (n1 + 1)) / (n0 + n1 + 2)).clamp(from, to);
    let mut density = vec![0.0; to - from + 1];
    density[mode - from] = 1.0;
    for x in mode..to {
        let up = (n1 - x) as f64 * (total - x) as f64;
        let down = (x + 1) as f64 * (n0 + x + 1 - total) as f64;
        density[x + 1 - from] = density[x - from] * up / down;
    }
    for x in (from + 1..=mode).rev() {
        let up = x as f64 * (n0 + x - total) as f64;
        let down = (n1 - x + 1) as f64 * (total - x + 1) as f64;
        density[x - 1 - from] = density[x - from] * up / down;
    }
    let sum: f64 = density.iter().sum();
    for d in &mut density {
        *d /= sum;
    }
    density
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_by_hand() {
        let b = binomial(4, 0.5);
        assert_eq!(b.first, 0);
        for (got, want) in b.probabilities.iter().zip([1.0, 4.0, 6.0, 4.0, 1.0]) {
            assert!((got - want / 16.0).abs() < 1e-15);
        }
        let h = hypergeometric(4, 4, 4, 0, 4);
        for (got, want) in h.iter().zip([1.0, 16.0, 36.0, 16.0, 1.0]) {
            assert!((got - want / 70.0).abs() < 1e-15);
        }
        // A mean of 5000 and a standard deviation of 50: nearly all counts are left out.
        let big = binomial(10_000, 0.5);
        assert!(big.probabilities.len() < 900 && big.first > 4500);
    }

    #[test]
    fn fishers_tea() {
        // Four against four cups: only the table 0:4 has a p-value (both sides) of 2/70 < 0.05, so that Pr(reject) = 2 · p⁴q⁴ terms.
        let tables = ExactTables::new(4, 4, 0.1, 0.9).unwrap();
        let want = 0.9_f64.powi(8) + 0.1_f64.powi(8);
        let power = tables.fisher(0.05, Alternative::TwoSided);
        assert!((power - want).abs() < 1e-14, "{power} {want}");
        assert!((tables.fisher(0.05, Alternative::Greater) - 0.9_f64.powi(8)).abs() < 1e-14);
        assert!((tables.fisher(0.05, Alternative::Less) - 0.1_f64.powi(8)).abs() < 1e-14);
    }

    #[test]
    fn an_exact_test_keeps_its_level() {
        for p in [0.05, 0.3, 0.5] {
            let tables = ExactTables::new(30, 45, p, p).unwrap();
            assert!(tables.fisher(0.05, Alternative::TwoSided) <= 0.05);
        }
    }
}
