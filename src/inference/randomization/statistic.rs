//! Test statistics of an assignment.

use std::fmt;
use std::sync::Arc;

/// A statistic given as a function of outcomes and assignment.
pub type Statistic = Arc<dyn Fn(&[f64], &[bool]) -> f64 + Send + Sync>;

/// What compares treated and control units; large absolute values speak against no effect.
#[derive(Clone)]
pub enum Contrast {
    /// Difference of means; with blocks, their average weighted by size.
    DifferenceInMeans,
    /// The same over its Neyman standard error (default): its test of the sharp null is exact, and asymptotically it is also a test
    /// of no average effect when effects differ (Wu & Ding 2021).
    Studentized,
    /// Sum of the ranks of the treated less its expectation, by block (Wilcoxon): for heavy tails.
    RankSum,
    /// Largest gap between the distributions (Kolmogorov–Smirnov): for any change.
    KolmogorovSmirnov,
    /// Any function of the outcomes and the assignment of the rows.
    Custom(Statistic),
}

impl fmt::Debug for Contrast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Contrast({self})")
    }
}

impl fmt::Display for Contrast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DifferenceInMeans => write!(f, "difference in means"),
            Self::Studentized => write!(f, "studentised difference in means"),
            Self::RankSum => write!(f, "rank sum"),
            Self::KolmogorovSmirnov => write!(f, "Kolmogorov–Smirnov"),
            Self::Custom(_) => write!(f, "given statistic"),
        }
    }
}

impl Contrast {
    /// A statistic given as a function of outcomes and assignment.
    pub fn custom(statistic: impl Fn(&[f64], &[bool]) -> f64 + Send + Sync + 'static) -> Self {
        Self::Custom(Arc::new(statistic))
    }

    /// The statistic; NaN where it is not defined (an empty arm, no spread).
    pub(super) fn of(&self, y: &[f64], treated: &[bool], blocks: &[Vec<u32>]) -> f64 {
        match self {
            Self::DifferenceInMeans => difference(y, treated, blocks).effect,
            Self::Studentized => {
                let d = difference(y, treated, blocks);
                // No spread and no difference is no evidence.
                if d.effect.abs() <= 0.0 {
                    0.0
                } else {
                    d.effect / d.variance.sqrt()
                }
            }
            Self::RankSum => blocks.iter().map(|b| rank_sum(y, treated, b)).sum(),
            Self::KolmogorovSmirnov => kolmogorov_smirnov(y, treated),
            Self::Custom(statistic) => statistic(y, treated),
        }
    }
}

/// An average effect with its Neyman variance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Difference {
    pub(super) effect: f64,
    pub(super) variance: f64,
}

/// `Σ_b n_b/n (ȳ₁b − ȳ₀b)` and `Σ_b (n_b/n)² (s²₁b/n₁b + s²₀b/n₀b)`, over the blocks that have both arms. An arm of one unit in a block takes
/// the spread of the other (matched pairs: the spread of the effects between blocks serves all).
pub(super) fn difference(y: &[f64], treated: &[bool], blocks: &[Vec<u32>]) -> Difference {
    let (mut effects, mut total, mut variance, mut thin) = (Vec::new(), 0.0, 0.0, false);
    for block in blocks {
        let mut arms = [(0.0, 0.0); 2];
        for unit in block {
            let arm = &mut arms[usize::from(treated[*unit as usize])];
            *arm = (arm.0 + 1.0, arm.1 + y[*unit as usize]);
        }
        if arms[0].0 <= 0.0 || arms[1].0 <= 0.0 {
            continue;
        }
        let mean = arms.map(|(n, sum)| sum / n);
        let mut squares = [0.0; 2];
        for unit in block {
            let arm = usize::from(treated[*unit as usize]);
            squares[arm] += (y[*unit as usize] - mean[arm]).powi(2);
        }
        let size = block.len() as f64;
        thin |= arms.iter().any(|(n, _)| *n < 2.0);
        let within: f64 = (0..2)
            .map(|a| squares[a] / ((arms[a].0 - 1.0) * arms[a].0))
            .sum();
        variance += size * size * within;
        effects.push((size, mean[1] - mean[0]));
        total += size;
    }
    let effect = effects.iter().map(|(n, d)| n * d).sum::<f64>() / total;
    if thin && effects.len() > 1 {
        // Imai (2008): the spread between blocks.
        let count = effects.len() as f64;
        let between: f64 = effects
            .iter()
            .map(|(n, d)| (n / total * count * (d - effect)).powi(2))
            .sum();
        return Difference {
            effect,
            variance: between / (count * (count - 1.0)),
        };
    }
    Difference {
        effect,
        variance: variance / (total * total),
    }
}

/// Sum of the mid-ranks of the treated within a block less its expectation.
fn rank_sum(y: &[f64], treated: &[bool], block: &[u32]) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for (unit, rank) in block.iter().zip(mid_ranks(y, block)) {
        if treated[*unit as usize] {
            sum += rank;
            count += 1.0;
        }
    }
    sum - count * (block.len() as f64 + 1.0) / 2.0
}

/// The ranks of the units of a block in its order, equal ones sharing the mean of theirs.
pub(crate) fn mid_ranks(y: &[f64], block: &[u32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..block.len()).collect();
    let value = |place: usize| y[block[place] as usize];
    order.sort_by(|a, b| value(*a).total_cmp(&value(*b)));
    let mut ranks = vec![0.0; block.len()];
    let mut from = 0;
    while from < order.len() {
        let smallest = value(order[from]);
        let tied = order[from..]
            .iter()
            .take_while(|place| value(**place) <= smallest)
            .count();
        for place in &order[from..from + tied] {
            ranks[*place] = from as f64 + f64::midpoint(tied as f64, 1.0);
        }
        from += tied;
    }
    ranks
}

fn kolmogorov_smirnov(y: &[f64], treated: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..y.len()).collect();
    order.sort_by(|a, b| y[*a].total_cmp(&y[*b]));
    let ones = treated.iter().filter(|t| **t).count() as f64;
    let zeros = y.len() as f64 - ones;
    let (mut gap, mut largest) = (0.0_f64, 0.0_f64);
    for (place, unit) in order.iter().enumerate() {
        gap += if treated[*unit] {
            1.0 / ones
        } else {
            -1.0 / zeros
        };
        let tied = order
            .get(place + 1)
            .is_some_and(|next| y[*next] <= y[*unit]);
        if !tied {
            largest = largest.max(gap.abs());
        }
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    const Y: [f64; 6] = [1.0, 2.0, 2.0, 4.0, 7.0, 3.0];
    const Z: [bool; 6] = [true, false, true, false, true, false];

    #[test]
    fn statistics_by_hand() {
        let whole = vec![(0..6).collect::<Vec<u32>>()];
        let d = difference(&Y, &Z, &whole);
        assert!((d.effect - (10.0 / 3.0 - 3.0)).abs() < 1e-15);
        // Variances: of 1, 2, 7 is 31/3; of 2, 4, 3 is 1.
        assert!((d.variance - (31.0 / 9.0 + 1.0 / 3.0)).abs() < 1e-14);
        // Ranks 1, 2.5, 2.5, 5, 6, 4.
        assert!((Contrast::RankSum.of(&Y, &Z, &whole) - (9.5 - 10.5)).abs() < 1e-15);
        assert!((Contrast::KolmogorovSmirnov.of(&Y, &Z, &whole) - 1.0 / 3.0).abs() < 1e-15);
        let pairs = vec![vec![0, 1], vec![2, 3], vec![4, 5]];
        let d = difference(&Y, &Z, &pairs);
        // Effects −1, −2, 4: mean 1/3, variance 31/3, over 3.
        assert!((d.effect - 1.0 / 3.0).abs() < 1e-15 && (d.variance - 31.0 / 9.0).abs() < 1e-14);
    }
}
