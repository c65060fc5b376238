//! Taking fixed effects off columns.

use super::system::{LANES, System};
use crate::data::Groups;
use crate::error::Result;
use crate::numeric::{Progress, blocks};
use crate::summary::gram::TILE;
use std::ops::Range;
use std::sync::Arc;

/// The effects to absorb, over the used rows.
#[derive(Clone, Debug)]
pub(crate) struct Absorbed {
    effects: Vec<Groups>,
    weights: Option<Arc<Vec<f64>>>,
    /// Weight of each level of a single effect.
    level_weight: Vec<f64>,
}

/// Projected columns.
#[derive(Clone, Debug)]
pub(crate) struct Projected {
    /// One vector a column, over the used rows.
    pub(crate) columns: Vec<Vec<f64>>,
    /// Sum of squares of each column about its mean before the projection.
    pub(crate) variation: Vec<f64>,
}

impl Absorbed {
    /// Effects over the used rows (compact codes, none missing) with positive weights.
    pub(crate) fn new(effects: Vec<Groups>, weights: Option<Arc<Vec<f64>>>) -> Self {
        let mut level_weight = vec![0.0; effects.first().map_or(0, Groups::count)];
        if let [effect] = effects.as_slice() {
            for (i, code) in effect.codes.iter().enumerate() {
                level_weight[*code as usize] += weights.as_ref().map_or(1.0, |w| w[i]);
            }
        }
        Self {
            effects,
            weights,
            level_weight,
        }
    }

    /// The columns that `fill` writes, with the effects taken off: residuals of the weighted regression of each column on the
    /// dummies of all effects.
    pub(crate) fn project(
        &self,
        columns: usize,
        fill: impl Fn(usize, Range<usize>, &mut [f64]) + Sync,
        progress: &Progress,
    ) -> Result<Projected> {
        let rows = self.effects.first().map_or(0, |e| e.codes.len());
        let weights = self.weights.as_ref().map(|w| w.as_slice());
        let made = blocks::map(columns, |j| {
            let mut column = vec![0.0; rows];
            for r in blocks::ranges(rows, 32 * TILE) {
                fill(j, r.clone(), &mut column[r]);
            }
            // The effects contain the constant: a mean far from zero is taken off first and costs no digits.
            let pilot = column.iter().sum::<f64>() / rows.max(1) as f64;
            let mut variation = 0.0;
            for value in &mut column {
                *value -= pilot;
                variation += *value * *value;
            }
            if let [effect] = self.effects.as_slice() {
                self.demean(effect, &mut column);
            }
            (column, variation)
        });
        let (mut out, variation): (Vec<Vec<f64>>, Vec<f64>) = made.into_iter().unzip();
        if self.effects.len() > 1 {
            let system = System::new(&self.effects, weights);
            for (chunk, variation) in out.chunks_mut(LANES).zip(variation.chunks(LANES)) {
                system.residualize(chunk, variation, progress)?;
            }
        }
        Ok(Projected {
            columns: out,
            variation,
        })
    }

    /// Takes off the weighted means of one effect.
    fn demean(&self, effect: &Groups, column: &mut [f64]) {
        let mut sums = vec![0.0; effect.count()];
        for (i, (value, code)) in column.iter().zip(effect.codes.iter()).enumerate() {
            sums[*code as usize] += value * self.weights.as_ref().map_or(1.0, |w| w[i]);
        }
        for (sum, weight) in sums.iter_mut().zip(&self.level_weight) {
            *sum /= weight;
        }
        for (value, code) in column.iter_mut().zip(effect.codes.iter()) {
            *value -= sums[*code as usize];
        }
    }

    /// Adds the leverage of a single effect, `w_i / W_g`.
    ///
    /// # Errors
    /// The number of effects when there are several: their joint leverage is not a by-product of the projection.
    pub(crate) fn add_leverage(
        &self,
        rows: Range<usize>,
        leverage: &mut [f64],
    ) -> std::result::Result<(), usize> {
        let [effect] = self.effects.as_slice() else {
            return Err(self.effects.len());
        };
        for (h, i) in leverage.iter_mut().zip(rows) {
            let w = self.weights.as_ref().map_or(1.0, |w| w[i]);
            *h += w / self.level_weight[effect.codes[i] as usize];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Column;
    use crate::numeric::Seed;
    use rand::RngExt;

    fn random_effects(rows: usize, levels: &[u32], seed: u64) -> (Vec<Groups>, Vec<f64>, Vec<f64>) {
        let mut random = Seed::new(seed).stream(0);
        let effects = levels
            .iter()
            .map(|l| {
                let codes: Vec<u32> = (0..rows).map(|_| random.random_range(0..*l)).collect();
                Column::from(codes).groups("effect")
            })
            .collect();
        let y: Vec<f64> = (0..rows).map(|_| random.random::<f64>() + 1e6).collect();
        let w: Vec<f64> = (0..rows).map(|_| random.random::<f64>() + 0.1).collect();
        (effects, y, w)
    }

    /// The projected column must be orthogonal to every dummy: the normal equations hold.
    fn largest_group_sum(effects: &[Groups], w: Option<&[f64]>, y: &[f64]) -> f64 {
        let mut worst = 0.0_f64;
        for effect in effects {
            let mut sums = vec![0.0; effect.count()];
            for (i, code) in effect.codes.iter().enumerate() {
                sums[*code as usize] += y[i] * w.map_or(1.0, |w| w[i]);
            }
            worst = sums.iter().fold(worst, |m, s| m.max(s.abs()));
        }
        worst
    }

    #[test]
    fn projected_columns_are_orthogonal_to_all_dummies() {
        for levels in [vec![30], vec![40, 7], vec![50, 9, 5], vec![20, 20, 20, 4]] {
            for weighted in [false, true] {
                let (effects, y, w) = random_effects(600, &levels, 3);
                let weights = weighted.then(|| Arc::new(w.clone()));
                let absorbed = Absorbed::new(effects.clone(), weights);
                let out = absorbed
                    .project(1, |_, r, out| out.copy_from_slice(&y[r]), &Progress::none())
                    .unwrap();
                let worst = largest_group_sum(&effects, weighted.then_some(&w), &out.columns[0]);
                assert!(worst < 1e-8, "{levels:?} {weighted} {worst}");
            }
        }
    }

    #[test]
    fn a_chain_of_firms_with_few_movers_converges() {
        // 400 firms in a chain, linked by one mover each; five rows per worker.
        let (mut worker, mut firm, mut y) = (Vec::new(), Vec::new(), Vec::new());
        let mut random = Seed::new(5).stream(0);
        for f in 0..400_u32 {
            for stayer in 0..10_u32 {
                for year in 0..5_u32 {
                    worker.push(f * 11 + stayer);
                    firm.push(f);
                    y.push(
                        f64::from(f).sin() * 10.0
                            + f64::from(stayer)
                            + f64::from(year) * 0.1
                            + random.random::<f64>(),
                    );
                }
            }
            for year in 0..5_u32 {
                worker.push(f * 11 + 10);
                firm.push((f + u32::from(year > 2)).min(399));
                y.push(random.random());
            }
        }
        let effects = vec![
            Column::from(worker).groups("worker"),
            Column::from(firm).groups("firm"),
        ];
        let absorbed = Absorbed::new(effects.clone(), None);
        let out = absorbed
            .project(1, |_, r, out| out.copy_from_slice(&y[r]), &Progress::none())
            .unwrap();
        assert!(largest_group_sum(&effects, None, &out.columns[0]) < 1e-8);
    }
}
