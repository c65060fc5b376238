//! Statistics that depend on an assignment through sums over the treated units alone, for many assignments at a time.

use super::assignment::Units;
use super::statistic::{Contrast, mid_ranks};
use super::subset::{subset_sums, together};
use crate::numeric::{Seed, blocks};

/// Spread smaller than this, relative to the whole, is the rounding of no spread.
const NO_SPREAD: f64 = 1e-13;

/// Sums of whole numbers up to this size are exact.
const EXACT: f64 = 1e10;

/// The statistics of `draws` random assignments, or nothing when the statistic needs the assignment itself.
pub(super) fn statistics(
    contrast: &Contrast,
    y: &[f64],
    units: &Units,
    draws: usize,
    seed: Seed,
) -> Option<Vec<f64>> {
    let kind = match contrast {
        Contrast::DifferenceInMeans => Kind::Difference,
        Contrast::Studentized => Kind::Studentized,
        Contrast::RankSum => Kind::RankSum,
        Contrast::KolmogorovSmirnov | Contrast::Custom(_) => return None,
    };
    let cells: Vec<Cell> = units
        .blocks
        .iter()
        .map(|block| Cell::new(kind, y, &units.treated, block))
        .filter(|cell| cell.arms().iter().all(|n| *n > 0.0))
        .collect();
    // An arm of one unit takes the spread between blocks, which needs them one by one.
    if kind == Kind::Studentized && cells.iter().any(|c| c.arms().iter().any(|n| *n < 2.0)) {
        return None;
    }
    let piece = together(y.len());
    let parts = blocks::map(draws.div_ceil(piece), |i| {
        let mut generator = seed.stream(i as u64);
        let (mut effects, mut variances) = (vec![0.0; piece], vec![0.0; piece]);
        let mut total = 0.0;
        for cell in &cells {
            let (mut sums, mut squares) = (vec![0.0; piece], vec![0.0; piece]);
            let second = (kind == Kind::Studentized).then_some(squares.as_mut_slice());
            subset_sums(
                &cell.values,
                cell.treated,
                &mut generator,
                &mut sums,
                second,
            );
            let size = cell.values.len() as f64;
            let weight = if kind == Kind::RankSum { 1.0 } else { size };
            total += weight;
            for d in 0..piece {
                effects[d] += weight * cell.effect(kind, sums[d]);
                if kind == Kind::Studentized {
                    variances[d] += weight * weight * cell.variance(sums[d], squares[d]);
                }
            }
        }
        let one = |(effect, variance): (&f64, &f64)| match kind {
            Kind::RankSum => *effect,
            Kind::Difference => effect / total,
            Kind::Studentized if effect.abs() <= 0.0 => 0.0,
            Kind::Studentized => effect / variance.sqrt(),
        };
        effects
            .iter()
            .zip(&variances)
            .map(one)
            .collect::<Vec<f64>>()
    });
    let mut all = parts.concat();
    all.truncate(draws);
    Some(all)
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Difference,
    Studentized,
    RankSum,
}

/// A block: what is summed, about a centre so that nothing cancels.
struct Cell {
    values: Vec<f64>,
    treated: usize,
    total: f64,
    squares: f64,
}

impl Cell {
    fn new(kind: Kind, y: &[f64], treated: &[bool], block: &[u32]) -> Self {
        let mut values: Vec<f64> = if kind == Kind::RankSum {
            mid_ranks(y, block)
        } else {
            block.iter().map(|u| y[*u as usize]).collect()
        };
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        // Whole numbers about a whole number have exact sums, so that equal statistics are equal to the last bit.
        let whole = values
            .iter()
            .all(|v| v.fract().abs() <= 0.0 && v.abs() < EXACT);
        let constant = values.iter().all(|v| (v - values[0]).abs() <= 0.0);
        let centre = match (kind, constant) {
            (Kind::RankSum, _) => f64::midpoint(count, 1.0),
            (_, true) => values[0],
            _ if whole => mean.round(),
            _ => mean,
        };
        for v in &mut values {
            *v -= centre;
        }
        Self {
            treated: block.iter().filter(|u| treated[**u as usize]).count(),
            total: values.iter().sum(),
            squares: values.iter().map(|v| v * v).sum(),
            values,
        }
    }

    /// Treated and control units.
    fn arms(&self) -> [f64; 2] {
        let treated = self.treated as f64;
        [treated, self.values.len() as f64 - treated]
    }

    fn effect(&self, kind: Kind, sum: f64) -> f64 {
        if kind == Kind::RankSum {
            return sum;
        }
        let [treated, control] = self.arms();
        sum / treated - (self.total - sum) / control
    }

    /// Neyman's variance.
    fn variance(&self, sum: f64, squares: f64) -> f64 {
        let [treated, control] = self.arms();
        let within = |n: f64, sum: f64, squares: f64| {
            let spread = squares - sum * sum / n;
            if spread <= NO_SPREAD * self.squares {
                0.0
            } else {
                spread / ((n - 1.0) * n)
            }
        };
        within(treated, sum, squares) + within(control, self.total - sum, self.squares - squares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::randomization::statistic::difference;

    fn units(count: u32, blocks: &[std::ops::Range<u32>]) -> Units {
        Units {
            treated: (0..count).map(|i| i % 3 == 0).collect(),
            of_row: None,
            blocks: blocks.iter().map(|b| b.clone().collect()).collect(),
            balance: None,
        }
    }

    /// The sums of an assignment give the statistic of the assignment.
    #[test]
    fn sums_give_the_statistics() {
        let y: Vec<f64> = (0..40).map(|i| f64::from(i * i % 23) + 0.1).collect();
        let whole = 0..40;
        let units = units(40, std::slice::from_ref(&whole));
        let of = difference(&y, &units.treated, &units.blocks);
        let cell = Cell::new(Kind::Studentized, &y, &units.treated, &units.blocks[0]);
        let chosen = || {
            (0..40)
                .filter(|i| units.treated[*i])
                .map(|i| cell.values[i])
        };
        let (sum, squares) = (chosen().sum(), chosen().map(|v| v * v).sum());
        assert!((cell.effect(Kind::Studentized, sum) - of.effect).abs() < 1e-12);
        assert!((cell.variance(sum, squares) / of.variance - 1.0).abs() < 1e-12);
        let ranks = Cell::new(Kind::RankSum, &y, &units.treated, &units.blocks[0]);
        let sum: f64 = (0..40)
            .filter(|i| units.treated[*i])
            .map(|i| ranks.values[i])
            .sum();
        let direct = Contrast::RankSum.of(&y, &units.treated, &units.blocks);
        assert!((sum - direct).abs() < 1e-12);
    }

    /// Neyman (1923): the variance of the difference of means over complete randomisation is `S²(1/n₁ + 1/n₀)`, within blocks.
    #[test]
    fn blocks_are_drawn_apart() {
        let y: Vec<f64> = (0..60)
            .map(|i| f64::from(i * i % 31) + if i < 24 { 0.0 } else { 40.0 })
            .collect();
        let units = units(60, &[0..24, 24..60]);
        let drawn = statistics(
            &Contrast::DifferenceInMeans,
            &y,
            &units,
            20_000,
            Seed::new(3),
        )
        .unwrap();
        let expected: f64 = units
            .blocks
            .iter()
            .map(|b| {
                let n = b.len() as f64;
                let mean = b.iter().map(|u| y[*u as usize]).sum::<f64>() / n;
                let s2 = b
                    .iter()
                    .map(|u| (y[*u as usize] - mean).powi(2))
                    .sum::<f64>()
                    / (n - 1.0);
                (n / 60.0).powi(2) * s2 * (3.0 / n + 1.5 / n)
            })
            .sum();
        let found = drawn.iter().map(|d| d * d).sum::<f64>() / 20_000.0;
        assert!(
            (found / expected - 1.0).abs() < 3.5 * (2.0_f64 / 20_000.0).sqrt(),
            "{found} {expected}"
        );
        assert!(statistics(&Contrast::KolmogorovSmirnov, &y, &units, 20, Seed::new(3)).is_none());
    }

    #[test]
    fn a_constant_outcome_has_no_effect_in_any_assignment() {
        let whole = 0..30;
        let units = units(30, std::slice::from_ref(&whole));
        let drawn =
            statistics(&Contrast::Studentized, &[0.1; 30], &units, 50, Seed::new(1)).unwrap();
        assert!(drawn.iter().all(|t| t.abs() <= 0.0));
    }
}
