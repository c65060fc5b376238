//! Null distributions of rank statistics, by counting orders.

/// The probabilities of Mann and Whitney's U = 0, 1, …, n₁n₀ without ties. The largest observation is treated with probability `m/(m + n)`, and
/// is then above all n controls: `f(m, n, u) = m/(m + n) f(m − 1, n, u − n) + n/(m + n) f(m, n − 1, u)`.
pub(super) fn mann_whitney(treated: usize, control: usize) -> Vec<f64> {
    let mut by_treated = vec![vec![1.0]; treated + 1];
    for n in 1..=control {
        for m in 1..=treated {
            let (a, b) = (m as f64 / (m + n) as f64, n as f64 / (m + n) as f64);
            let mut now = vec![0.0; m * n + 1];
            for (slot, p) in now[n..].iter_mut().zip(&by_treated[m - 1]) {
                *slot += a * p;
            }
            for (slot, p) in now.iter_mut().zip(&by_treated[m]) {
                *slot += b * p;
            }
            by_treated[m] = now;
        }
    }
    by_treated.swap_remove(treated)
}

/// The probabilities of twice Wilcoxon's signed rank sum, given the (mid-)ranks: each sign is a fair coin.
pub(super) fn signed_rank(ranks: &[f64]) -> Vec<f64> {
    let mut law = vec![1.0];
    for rank in ranks {
        let step = (2.0 * rank).round() as usize;
        let mut next = vec![0.0; law.len() + step];
        for (i, p) in law.iter().enumerate() {
            next[i] += 0.5 * p;
            next[i + step] += 0.5 * p;
        }
        law = next;
    }
    law
}

/// The smallest k with `P(X ≤ k) ≥ p`.
pub(super) fn quantile(law: &[f64], p: f64) -> usize {
    /// Sums of a thousand probabilities round by this much.
    const SLACK: f64 = 1e-13;
    let mut sum = 0.0;
    for (k, mass) in law.iter().enumerate() {
        sum += mass;
        if sum >= p - SLACK {
            return k;
        }
    }
    law.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_by_hand() {
        // Two of two: 0, 1, 2, 2, 3, 4 of the six orders.
        let u = mann_whitney(2, 2);
        for (p, count) in u.iter().zip([1.0, 1.0, 2.0, 1.0, 1.0]) {
            assert!((p - count / 6.0).abs() < 1e-15);
        }
        // Ranks 1, 2, 3: sums 0, 1, 2, 3 (twice), 4, 5, 6 of eight.
        let w = signed_rank(&[1.0, 2.0, 3.0]);
        for (sum, count) in [1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0].into_iter().enumerate() {
            assert!((w[2 * sum] - count / 8.0).abs() < 1e-15);
        }
        assert_eq!(
            (quantile(&u, 0.1), quantile(&u, 0.2), quantile(&u, 1.0)),
            (0, 1, 4)
        );
    }
}
