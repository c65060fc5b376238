//! What outcomes would be without treatment: effects of units and periods, and slopes of covariates, from untreated rows.

use super::sample::Rollout;
use crate::error::{Error, Result};
use crate::numeric::linalg::Cholesky;
use nalgebra::{DMatrix, DVector};

/// Least squares of untreated rows on effects of units and periods and on covariates. The effects of units are eliminated; what is left is a small system in periods and covariates.
pub(super) struct Untreated<'a> {
    rollout: &'a Rollout,
    /// Untreated rows.
    used: Vec<bool>,
    /// Used rows of every unit.
    rows: Vec<Vec<u32>>,
    /// The weight of every unit's used rows.
    totals: Vec<f64>,
    factor: Cholesky,
    /// Covariates, centred and scaled, by column.
    covariates: Vec<Vec<f64>>,
    /// Residual of each used row, and what treatment adds to each other row.
    pub(super) residual: Vec<f64>,
}

impl<'a> Untreated<'a> {
    pub(super) fn fit(rollout: &'a Rollout) -> Result<Self> {
        let used: Vec<bool> = rollout.status().iter().map(|d| *d < 0.5).collect();
        let mut rows = vec![Vec::new(); rollout.panel.units.len()];
        for (row, unit) in rollout.panel.unit_of.iter().enumerate() {
            if used[row] {
                rows[*unit as usize].push(row as u32);
            }
        }
        let totals = (rows.iter().zip(&rollout.weights))
            .map(|(rows, weight)| weight * rows.len() as f64)
            .collect();
        let mut model = Self {
            used,
            rows,
            totals,
            factor: Cholesky::new(&DMatrix::zeros(0, 0)),
            covariates: rollout
                .covariates
                .iter()
                .map(|(_, values)| standardised(values))
                .collect(),
            residual: Vec::new(),
            rollout,
        };
        model.factor = Cholesky::new(&model.gram());
        model.check()?;
        let outcome = &rollout.y;
        let weighted: Vec<f64> = (0..outcome.len())
            .map(|row| {
                if model.used[row] {
                    model.weight(row) * outcome[row]
                } else {
                    0.0
                }
            })
            .collect();
        let mut residual = outcome.clone();
        let mut right = weighted;
        // The second round takes away the rounding of the first.
        for _ in 0..2 {
            let fitted = model.project(&right);
            for (row, value) in residual.iter_mut().enumerate() {
                *value -= fitted[row];
                right[row] = if model.used[row] {
                    model.weight(row) * *value
                } else {
                    0.0
                };
            }
        }
        model.residual = residual;
        Ok(model)
    }

    fn weight(&self, row: usize) -> f64 {
        self.rollout.weights[self.rollout.panel.unit_of[row] as usize]
    }

    fn parameters(&self) -> usize {
        self.rollout.panel.periods.len() + self.covariates.len()
    }

    /// Calls `put` with the parameters and values of a row that are not zero.
    fn each(&self, row: usize, mut put: impl FnMut(usize, f64)) {
        let periods = self.rollout.panel.periods.len();
        put(self.rollout.panel.period_of[row] as usize, 1.0);
        for (at, column) in self.covariates.iter().enumerate() {
            put(periods + at, column[row]);
        }
    }

    /// `Z'SZ` less what the effects of units explain.
    fn gram(&self) -> DMatrix<f64> {
        let p = self.parameters();
        let mut gram = DMatrix::zeros(p, p);
        let mut mean = vec![0.0; p];
        for (unit, rows) in self
            .rows
            .iter()
            .enumerate()
            .filter(|(_, rows)| !rows.is_empty())
        {
            let weight = self.rollout.weights[unit];
            mean.fill(0.0);
            for row in rows {
                self.each(*row as usize, |a, x| {
                    mean[a] += x / rows.len() as f64;
                    self.each(*row as usize, |b, z| gram[(a, b)] += weight * x * z);
                });
            }
            for a in 0..p {
                let scaled = self.totals[unit] * mean[a];
                if scaled.abs() > 0.0 {
                    for b in 0..p {
                        gram[(a, b)] -= scaled * mean[b];
                    }
                }
            }
        }
        gram
    }

    /// Refuses treated rows whose outcome without treatment the untreated rows do not tell. The sum of the effects of periods cannot be told from those of units, so one of
    /// them is left out in any case; a further one that is left out belongs to a period (or a group of units) without untreated rows.
    fn check(&self) -> Result<()> {
        let panel = &self.rollout.panel;
        let periods = panel.periods.len();
        let unidentified = |needs: String| Error::Unidentified {
            what: "outcomes without treatment".to_owned(),
            needs,
        };
        let mut untreated = vec![false; periods];
        for (row, used) in self.used.iter().enumerate() {
            untreated[panel.period_of[row] as usize] |= used;
        }
        if let Some(at) = untreated.iter().position(|any| !any) {
            return Err(unidentified(format!(
                "untreated rows in each period: there are none in `{}` {}; leave out that period and later ones",
                panel.period_column, panel.periods[at].label
            )));
        }
        if let Some(unit) = self.rows.iter().position(Vec::is_empty) {
            return Err(unidentified(format!(
                "an untreated row of each unit: `{}` {} has none",
                panel.unit_column, panel.units[unit]
            )));
        }
        let dropped = self.factor.dropped();
        if let Some(at) = dropped.iter().find(|at| **at >= periods) {
            return Err(unidentified(format!(
                "covariates that vary within units and periods among untreated rows: `{}` does not; leave it out",
                self.rollout.covariates[*at - periods].0
            )));
        }
        if dropped.len() > 1 {
            return Err(unidentified(
                "untreated rows that connect all periods: some units are untreated in early and late periods both"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// For `r` with one entry a row, the fitted values on all rows of the parameters that solve `(Z₀'S Z₀) θ = Z'r`: with `r = S y` on untreated rows those of least squares.
    pub(super) fn project(&self, right: &[f64]) -> Vec<f64> {
        let panel = &self.rollout.panel;
        let units = panel.units.len();
        let mut sums = vec![0.0; units];
        let mut small = DVector::zeros(self.parameters());
        for (row, value) in right.iter().enumerate().filter(|(_, v)| v.abs() > 0.0) {
            sums[panel.unit_of[row] as usize] += value;
            self.each(row, |a, x| small[a] += value * x);
        }
        for (unit, rows) in self
            .rows
            .iter()
            .enumerate()
            .filter(|(_, rows)| !rows.is_empty())
        {
            let mean = sums[unit] / rows.len() as f64;
            for row in rows {
                self.each(*row as usize, |a, x| small[a] -= mean * x);
            }
        }
        // The one that was left out is zero.
        let kept = self.factor.kept();
        let solved = self
            .factor
            .solve_vector(&DVector::from_fn(kept.len(), |i, _| small[kept[i]]));
        let mut theta = vec![0.0; self.parameters()];
        for (at, value) in kept.iter().zip(solved.iter()) {
            theta[*at] = *value;
        }
        let index = |row: usize| {
            let mut sum = 0.0;
            self.each(row, |a, x| sum += x * theta[a]);
            sum
        };
        let alpha: Vec<f64> = (0..units)
            .map(|unit| {
                let rows = &self.rows[unit];
                let explained: f64 = rows.iter().map(|row| index(*row as usize)).sum();
                sums[unit] / self.totals[unit] - explained / rows.len() as f64
            })
            .collect();
        (0..panel.unit_of.len())
            .map(|row| alpha[panel.unit_of[row] as usize] + index(row))
            .collect()
    }

    /// What each untreated row's outcome weighs in `Σ r_j (y_j − ŷ_j)`, less r itself; 0 on treated rows.
    pub(super) fn weights_of(&self, right: &[f64]) -> Vec<f64> {
        let fitted = self.project(right);
        (0..fitted.len())
            .map(|row| {
                if self.used[row] {
                    -self.weight(row) * fitted[row]
                } else {
                    0.0
                }
            })
            .collect()
    }

    /// Whether each row is untreated.
    pub(super) fn used(&self) -> &[bool] {
        &self.used
    }
}

/// Centred, with deviation one when there is any.
fn standardised(values: &[f64]) -> Vec<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let spread = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    let scale = if spread > 0.0 { 1.0 / spread } else { 0.0 };
    values.iter().map(|v| scale * (v - mean)).collect()
}
