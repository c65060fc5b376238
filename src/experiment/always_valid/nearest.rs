//! The pair of rates with a given divergence that is nearest to another pair, and what a block of counts says between the two.

use super::two_proportions::BlockCounts;
use serde::{Deserialize, Serialize};

/// How two rates are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Divergence {
    Difference,
    Ratio,
    OddsRatio,
}

/// Against which divergences evidence is collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// This one.
    Both,
    /// This one and smaller ones.
    More,
    /// This one and larger ones.
    Less,
}

/// The largest logarithm of a ratio that is told from infinity.
const WIDEST: f64 = 25.0;

impl Divergence {
    /// The divergence of two rates; `None` where it would divide by zero.
    pub(super) fn of(self, [a, b]: [f64; 2]) -> Option<f64> {
        let inside = |p: f64| p > 0.0 && p < 1.0;
        match self {
            Self::Difference => Some(b - a),
            Self::Ratio => (a > 0.0 && b > 0.0).then(|| b / a),
            Self::OddsRatio => (inside(a) && inside(b)).then(|| b / (1.0 - b) * ((1.0 - a) / a)),
        }
    }

    pub(super) fn range(self) -> [f64; 2] {
        match self {
            Self::Difference => [-1.0, 1.0],
            _ => [0.0, f64::INFINITY],
        }
    }

    pub(super) fn holds(self, value: f64) -> bool {
        let [low, high] = self.range();
        value > low && value < high
    }

    /// On the scale on which it is looked for: ratios as logarithms.
    pub(super) fn scaled(self, value: f64) -> f64 {
        match self {
            Self::Difference => value,
            _ => value.ln(),
        }
    }

    pub(super) fn natural(self, scaled: f64) -> f64 {
        match self {
            Self::Difference => scaled,
            _ => scaled.exp(),
        }
    }

    /// Values that are tried, ascending.
    pub(super) fn grid(self, side: Side, cells: usize) -> Vec<f64> {
        let [low, high] = match (self, side) {
            (Self::Difference, _) => [-1.0 + 1e-6, 1.0 - 1e-6],
            (Self::OddsRatio, Side::More) => [0.0, WIDEST],
            (Self::OddsRatio, Side::Less) => [-WIDEST, 0.0],
            _ => [-WIDEST, WIDEST],
        };
        (0..=cells)
            .map(|k| low + (high - low) * (k as f64 / cells as f64))
            .collect()
    }

    /// The logarithm of what a block multiplies the evidence against a divergence by, after these guesses of the rates.
    pub(super) fn log_gain(self, block: &BlockCounts, guess: [f64; 2], x: f64, side: Side) -> f64 {
        let Some(null) = self.nearest(block, guess, x, side) else {
            return 0.0;
        };
        let gain = |events: u64, rows: u64, guess: f64, null: f64| {
            let others = (rows - events) as f64;
            events as f64 * (guess / null).ln() + others * ((1.0 - guess) / (1.0 - null)).ln()
        };
        gain(block.control_events, block.control_rows, guess[0], null[0])
            + gain(block.treated_events, block.treated_rows, guess[1], null[1])
    }

    /// The nearest rates with this divergence; `None` where the guess itself is in the null hypothesis of the side.
    fn nearest(self, block: &BlockCounts, guess: [f64; 2], x: f64, side: Side) -> Option<[f64; 2]> {
        // Pairs with an odds ratio below one are among those of at most one, which form a convex set.
        let x = match (self, side) {
            (Self::OddsRatio, Side::More) => x.max(0.0),
            (Self::OddsRatio, Side::Less) => x.min(0.0),
            _ => x,
        };
        let here = self.of(guess).map_or(x, |d| self.scaled(d));
        let open = match side {
            Side::Both => true,
            Side::More => here > x,
            Side::Less => here < x,
        };
        if !open {
            return None;
        }
        let rows = [block.control_rows as f64, block.treated_rows as f64];
        Some(match self {
            Self::Difference => on_line(rows, guess, x, 1.0),
            Self::Ratio => on_line(rows, guess, 0.0, x.exp()),
            Self::OddsRatio => with_odds_ratio(rows, guess, x.exp()),
        })
    }
}

/// The point of `b = offset + slope a` that minimises the divergence of Kullback & Leibler from a guess: the root of a function that rises from −∞ to ∞, by Newton's steps within a bracket.
fn on_line(rows: [f64; 2], guess: [f64; 2], offset: f64, slope: f64) -> [f64; 2] {
    const STEPS: usize = 200;
    /// A step of Newton's, as a share of the way to an end, after which the next is below rounding.
    const LAST: f64 = 1e-8;
    let ends = [
        f64::max(0.0, -offset / slope),
        f64::min(1.0, (1.0 - offset) / slope),
    ];
    let [mut low, mut high] = ends;
    let slope_and_bend = |t: f64, p: f64| {
        let q = 1.0 - p;
        ((1.0 - t) / q - t / p, t / (p * p) + (1.0 - t) / (q * q))
    };
    let inside = guess[0] > low && guess[0] < high;
    let mut a = if inside {
        guess[0]
    } else {
        f64::midpoint(low, high)
    };
    for _ in 0..STEPS {
        let b = offset + slope * a;
        let (first, second) = (slope_and_bend(guess[0], a), slope_and_bend(guess[1], b));
        let value = rows[0] * first.0 + slope * rows[1] * second.0;
        let rise = rows[0] * first.1 + slope * slope * rows[1] * second.1;
        if value > 0.0 {
            high = a;
        } else {
            low = a;
        }
        let newton = a - value / rise;
        if (newton - a).abs() <= LAST * f64::min(a - ends[0], ends[1] - a) {
            a = newton;
            break;
        }
        a = if newton > low && newton < high {
            newton
        } else {
            f64::midpoint(low, high)
        };
    }
    [a, offset + slope * a]
}

/// The pair with this odds ratio that minimises the divergence from a guess: it has the same mean over all rows, which is a quadratic equation.
fn with_odds_ratio([m, n]: [f64; 2], guess: [f64; 2], ratio: f64) -> [f64; 2] {
    let mean = m * guess[0] + n * guess[1];
    let excess = ratio - 1.0;
    let linear = m + n * ratio - mean * excess;
    let a = 2.0 * mean / (linear + (linear * linear + 4.0 * m * excess * mean).sqrt());
    [a, ratio * a / (1.0 + excess * a)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kl(rows: [f64; 2], guess: [f64; 2], at: [f64; 2]) -> f64 {
        (0..2)
            .map(|i| {
                let (t, p) = (guess[i], at[i]);
                rows[i] * (t * (t / p).ln() + (1.0 - t) * ((1.0 - t) / (1.0 - p)).ln())
            })
            .sum()
    }

    proptest! {
        #[test]
        fn it_is_nearest_and_the_evidence_is_one_at_most(
            m in 1_u64..6, n in 1_u64..6,
            t in 0.01_f64..0.99, u in 0.01_f64..0.99,
            share in 0.05_f64..0.95, at in 0.05_f64..0.95,
            measure in 0_usize..3,
        ) {
            let rows = [m as f64, n as f64];
            // A value that some pair has, and the pair with it at a rate of the control.
            let (x, pair): (f64, Box<dyn Fn(f64) -> [f64; 2]>) = match measure {
                0 => {
                    let x = 2.0 * share - 1.0;
                    (x, Box::new(move |s| {
                        let (low, high) = (f64::max(0.0, -x), f64::min(1.0, 1.0 - x));
                        let a = low + s * (high - low);
                        [a, a + x]
                    }))
                }
                1 => {
                    let x = (share / (1.0 - share)).ln();
                    (x, Box::new(move |s| {
                        let a = s * f64::min(1.0, (-x).exp());
                        [a, a * x.exp()]
                    }))
                }
                _ => {
                    let x = (share / (1.0 - share)).ln();
                    (x, Box::new(move |s| {
                        let odds = x.exp() * s / (1.0 - s);
                        [s, odds / (1.0 + odds)]
                    }))
                }
            };
            let measure = [Divergence::Difference, Divergence::Ratio, Divergence::OddsRatio][measure];
            let side = match (measure, x > 0.0) {
                (Divergence::OddsRatio, true) => Side::More,
                (Divergence::OddsRatio, false) => Side::Less,
                _ => Side::Both,
            };
            let empty = BlockCounts::new([0, m], [0, n]);
            let Some(near) = measure.nearest(&empty, [t, u], x, side) else {
                return Ok(());
            };
            prop_assert!((measure.scaled(measure.of(near).unwrap()) - x).abs() < 1e-9);
            let other = pair(at);
            prop_assert!(kl(rows, [t, u], near) <= kl(rows, [t, u], other) + 1e-9);
            // The mean over all outcomes of a pair with this divergence.
            let (mut mean, mut own) = (0.0, 0.0);
            let binomial = |k: u64, n: u64, p: f64| {
                let ways: f64 = (0..k).map(|i| (n - i) as f64 / (k - i) as f64).product();
                ways * p.powi(k as i32) * (1.0 - p).powi((n - k) as i32)
            };
            for i in 0..=m {
                for j in 0..=n {
                    let block = BlockCounts::new([i, m], [j, n]);
                    let gain = measure.log_gain(&block, [t, u], x, side).exp();
                    mean += gain * binomial(i, m, other[0]) * binomial(j, n, other[1]);
                    own += gain * binomial(i, m, near[0]) * binomial(j, n, near[1]);
                }
            }
            prop_assert!(mean <= 1.0 + 1e-9 && (own - 1.0).abs() < 1e-9, "{mean} {own}");
        }
    }
}
