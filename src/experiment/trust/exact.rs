//! The exact multinomial test by the sum of all tables that are no more probable than the observed one.

use crate::numeric::special::{beta, gamma};

/// Terms summed at most: about a second of work.
const MOST_TERMS: f64 = 2e5;

/// Tables whose probability exceeds the observed one by no more than this relative amount are ties, as in scipy.
const TIE: f64 = 1e-7;

/// `Σ P(table)` over tables with `P(table) ≤ P(observed)`; none when there are too many terms. The last two arms are summed by
/// binomial tails, so that k arms need about `n^(k−2)` terms: two arms of any size, three of up to 200 000 units.
pub(in crate::experiment) fn multinomial(counts: &[u64], shares: &[f64]) -> Option<f64> {
    let n: u64 = counts.iter().sum();
    let free = counts.len().checked_sub(2)?;
    let terms = (0..free).fold(1.0, |t, i| {
        t * (n as f64 + 1.0 + i as f64) / (i as f64 + 1.0)
    });
    if terms > MOST_TERMS || n == 0 {
        return None;
    }
    // Larger arms last: theirs are the sums with a closed form.
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by(|a, b| shares[*a].total_cmp(&shares[*b]));
    let shares: Vec<f64> = order.iter().map(|i| shares[*i]).collect();
    let mut left = n as f64;
    let mut mass = shares.iter().sum::<f64>();
    let mut observed = 0.0;
    for (place, arm) in order.iter().enumerate().take(counts.len() - 1) {
        observed += ln_binomial(counts[*arm] as f64, left, shares[place] / mass);
        left -= counts[*arm] as f64;
        mass -= shares[place];
    }
    let threshold = observed + TIE.ln_1p();
    Some(tables(&shares, n, 0.0, threshold).min(1.0))
}

/// The probability, times e^weight, of tables of these arms whose log-probability with `weight` is at most `threshold`.
fn tables(shares: &[f64], n: u64, weight: f64, threshold: f64) -> f64 {
    let share = shares[0] / shares.iter().sum::<f64>();
    if shares.len() == 2 {
        return weight.exp() * unlikely(n, share, threshold - weight);
    }
    (0..=n)
        .map(|x| {
            let weight = weight + ln_binomial(x as f64, n as f64, share);
            tables(&shares[1..], n - x, weight, threshold)
        })
        .sum()
}

/// The binomial probability of all x whose log-probability is at most `threshold`.
fn unlikely(n: u64, share: f64, threshold: f64) -> f64 {
    let is = |x: u64| ln_binomial(x as f64, n as f64, share) <= threshold;
    let mode = (((n + 1) as f64 * share) as u64).min(n);
    if is(mode) {
        return 1.0;
    }
    // The probability rises up to the mode and falls after it.
    let lower = if is(0) {
        let (mut low, mut high) = (0, mode);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if is(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        beta::upper_regularized(low as f64 + 1.0, (n - low) as f64, share)
    } else {
        0.0
    };
    let upper = if is(n) {
        let (mut low, mut high) = (mode, n);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if is(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        beta::regularized(high as f64, (n - high) as f64 + 1.0, share)
    } else {
        0.0
    };
    lower + upper
}

/// Log-probability of x successes in n trials.
fn ln_binomial(x: f64, n: f64, share: f64) -> f64 {
    let part = |count: f64, share: f64| if count > 0.0 { count * share.ln() } else { 0.0 };
    gamma::ln_gamma(n + 1.0) - gamma::ln_gamma(x + 1.0) - gamma::ln_gamma(n - x + 1.0)
        + part(x, share)
        + part(n - x, 1.0 - share)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All tables, one by one.
    fn direct(counts: &[u64], shares: &[f64]) -> f64 {
        fn all(arms: usize, n: u64) -> Vec<Vec<u64>> {
            if arms == 1 {
                return vec![vec![n]];
            }
            (0..=n)
                .flat_map(|x| {
                    all(arms - 1, n - x).into_iter().map(move |mut t| {
                        t.push(x);
                        t
                    })
                })
                .collect()
        }
        let probability = |t: &[u64]| {
            let n: u64 = t.iter().sum();
            let ln = t
                .iter()
                .zip(shares)
                .fold(gamma::ln_gamma(n as f64 + 1.0), |s, (x, p)| {
                    s - gamma::ln_gamma(*x as f64 + 1.0) + *x as f64 * p.ln()
                });
            ln.exp()
        };
        let limit = probability(counts) * (1.0 + TIE);
        all(counts.len(), counts.iter().sum())
            .iter()
            .map(|t| probability(t))
            .filter(|p| *p <= limit)
            .sum()
    }

    #[test]
    fn the_short_sum_is_the_long_one() {
        for (counts, shares) in [
            (vec![7, 3], vec![0.5, 0.5]),
            (vec![0, 12], vec![0.2, 0.8]),
            (vec![3, 9, 8], vec![0.2, 0.3, 0.5]),
            (vec![5, 1, 0, 6], vec![0.25, 0.25, 0.25, 0.25]),
        ] {
            let (short, long) = (
                multinomial(&counts, &shares).unwrap(),
                direct(&counts, &shares),
            );
            assert!(
                (short / long - 1.0).abs() < 1e-11,
                "{counts:?}: {short} {long}"
            );
        }
        assert!(multinomial(&[1_000_000, 1_000_000, 1_000_000], &[0.3, 0.3, 0.4]).is_none());
        // Two arms of any size: P(|X − n/2| ≥ 5000) for n = 10⁸ is close to 2Φ(−1).
        let p = multinomial(&[50_005_000, 49_995_000], &[0.5, 0.5]).unwrap();
        assert!((p - 0.3173).abs() < 1e-3, "{p}");
    }
}
