//! How much each predictor counts: given, by regression, or chosen so that the synthetic unit follows the treated one.

use super::board::Board;
use super::counterfactual::mean;
use crate::error::{Error, Result};
use crate::numeric::linalg::Cholesky;
use crate::numeric::optimize::{nearest_in_hull, nelder_mead};
use crate::numeric::quasi::Sobol;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Predictors may count this little beside the one that counts most; below, the search would go on without end.
const LEAST: f64 = 1e-8;
/// The first steps of a search, in logarithms.
const STEP: f64 = 1.0;
/// Quasi-random importance, down to `exp(DEPTH)`, that is tried beside even importance and that of a regression; from so many of the best a search begins, and the best is searched again.
const STARTS: usize = 400;
const DEPTH: f64 = -14.0;
const SEARCHES: usize = 4;
const RESTARTS: usize = 8;

/// How much each predictor counts in the distance `Σ_k v_k (x_1k − Σ_j w_j x_jk)²` between units, whose predictors are divided by their standard deviations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum PredictorImportance {
    /// So that the synthetic unit, whose weights `w(v)` are nearest in predictors, is nearest in all outcomes before treatment: `min_v Σ_{t < start} (Y_1t − Σ_j w_j(v) Y_jt)²` (Abadie, Diamond &
    /// Hainmueller 2010; what `Synth` does). The function has many valleys and `v` is often not unique: even importance, that by regression and 400 quasi-random ones are tried, simplex searches
    /// go on from the best, and `v` is at least 10⁻⁸ of the largest. Other software may end in another valley: with the predictors of that paper California's root mean squared gap is 1.754
    /// here and 1.758 with the weights in its Table 2, which differ by at most 0.005. A search takes some tenths of a second, and so does each placebo.
    #[default]
    Nested,
    /// Chosen where the weights are not: with predictors from the periods before this one, `v` brings the synthetic unit nearest to the outcomes from it until treatment; the weights are
    /// then found with this `v` and the predictors from it until treatment (Abadie, Diamond & Hainmueller 2015, doi:10.1111/ajps.12116; Abadie 2021). Each predictor needs values in both parts.
    CrossValidated {
        /// The first period of validation.
        validation: f64,
    },
    /// By regression of the outcomes before treatment on all predictors: `v_k ∝ Σ_t β_tk²`, the regression-based choice of `Synth`.
    Regression,
    /// As much as each other.
    Even,
    /// Given, in the order of the predictors.
    Given(Vec<f64>),
}

/// A predictor of a treated unit, of its synthetic unit, and of the donors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictorBalance {
    /// The column, and the periods over which it is averaged.
    pub predictor: String,
    /// How much it counts; the importance of all predictors sums to one.
    pub importance: f64,
    /// Its mean in the treated unit.
    pub treated: f64,
    /// Its mean in the synthetic unit.
    pub synthetic: f64,
    /// The mean over all donors.
    pub donors: f64,
}

/// What is matched in place of outcomes.
pub(super) struct Weighed {
    /// Of the target, then of each donor, scaled so that plain squared distances count each predictor as it should.
    pub(super) rows: Vec<Vec<f64>>,
    importance: Vec<f64>,
    /// As they were observed: units by predictors.
    raw: DMatrix<f64>,
}

impl Weighed {
    /// What the weights of donors make of each predictor.
    pub(super) fn balance(&self, board: &Board, weights: &[f64]) -> Vec<PredictorBalance> {
        (board.features.iter().zip(&self.importance).enumerate())
            .map(|(k, (feature, importance))| {
                let donors = self.raw.column(k);
                let donors = donors.iter().skip(1);
                PredictorBalance {
                    predictor: feature.name(),
                    importance: *importance,
                    treated: self.raw[(0, k)],
                    synthetic: donors.clone().zip(weights).map(|(x, w)| w * x).sum(),
                    donors: mean(donors.copied()),
                }
            })
            .collect()
    }

    /// Whether donors meet the predictors that count, so that other weights may do so too.
    pub(super) fn exact(&self, weights: &[f64]) -> bool {
        let [own, others @ ..] = self.rows.as_slice() else {
            return false;
        };
        let distance: f64 = (own.iter().enumerate())
            .map(|(k, x)| {
                let made: f64 = others.iter().zip(weights).map(|(o, w)| w * o[k]).sum();
                (x - made).powi(2)
            })
            .sum();
        distance < LEAST * LEAST
    }
}

/// Units whose predictors and outcomes are compared: the target first.
struct Units<'a> {
    board: &'a Board,
    units: Vec<usize>,
}

/// The features of the target, then of each donor.
pub(super) fn weighed_features(
    board: &Board,
    importance: &PredictorImportance,
    target: usize,
    donors: &[usize],
    start: usize,
) -> Result<Weighed> {
    let units = [target].iter().chain(donors).copied().collect();
    let all = Units { board, units };
    let mut last = 0..start;
    let importance = if let PredictorImportance::CrossValidated { validation } = importance {
        let from = board.times.partition_point(|time| time < validation);
        if from == 0 || from >= start {
            return Err(Error::invalid_option(
                "validation",
                validation,
                format!(
                    "after {} and not after {}, the last period before treatment",
                    board.times[0],
                    board.times[start - 1]
                ),
            ));
        }
        last = from..start;
        let trained = all.standardised(&all.raw(&(0..from))?)?;
        all.nested(&trained, 0..from, last.clone())?
    } else {
        let x = all.standardised(&all.raw(&last)?)?;
        match importance {
            PredictorImportance::Even => vec![1.0; x.ncols()],
            PredictorImportance::Given(given) => given.clone(),
            PredictorImportance::Regression => all.regression(&x, 0..start)?,
            _ => all.nested(&x, 0..start, 0..start)?,
        }
    };
    let raw = all.raw(&last)?;
    let x = all.standardised(&raw)?;
    let total: f64 = importance.iter().sum();
    let importance: Vec<f64> = importance.iter().map(|v| v / total).collect();
    let rows = (0..x.nrows())
        .map(|row| {
            (importance.iter().enumerate())
                .map(|(column, v)| v.sqrt() * x[(row, column)])
                .collect()
        })
        .collect();
    Ok(Weighed {
        rows,
        importance,
        raw,
    })
}

impl Units<'_> {
    /// Means of predictors over some periods.
    fn raw(&self, periods: &Range<usize>) -> Result<DMatrix<f64>> {
        let mut x = DMatrix::zeros(self.units.len(), self.board.features.len());
        for (column, feature) in self.board.features.iter().enumerate() {
            for (row, unit) in self.units.iter().enumerate() {
                x[(row, column)] = feature.mean(self.board, *unit, periods)?;
            }
        }
        Ok(x)
    }

    /// Predictors less their mean, over their standard deviation.
    fn standardised(&self, raw: &DMatrix<f64>) -> Result<DMatrix<f64>> {
        let mut x = raw.clone();
        for (mut column, feature) in x.column_iter_mut().zip(&self.board.features) {
            let mean = column.mean();
            let squares: f64 = column.iter().map(|v| (v - mean).powi(2)).sum();
            let deviation = (squares / (column.len() - 1) as f64).sqrt();
            if deviation <= f64::EPSILON * mean.abs() {
                return Err(Error::Unidentified {
                    what: format!("the importance of predictor `{}`", feature.column()),
                    needs: "values that differ between units; leave the predictor out".to_owned(),
                });
            }
            for value in column.iter_mut() {
                *value = (*value - mean) / deviation;
            }
        }
        Ok(x)
    }

    /// Sums of squared coefficients of outcomes on predictors that have mean zero, over periods.
    fn regression(&self, x: &DMatrix<f64>, periods: Range<usize>) -> Result<Vec<f64>> {
        let k = x.ncols();
        if x.nrows() <= k + 1 {
            return Err(Error::TooFewRows {
                rows: x.nrows(),
                parameters: k + 1,
            });
        }
        let factor = Cholesky::new(&(x.transpose() * x));
        if let Some(dropped) = factor.dropped().first() {
            return Err(Error::Unidentified {
                what: "the importance of predictors by regression".to_owned(),
                needs: format!(
                    "predictors that are not linear combinations of each other: leave `{}` out",
                    self.board.features[*dropped].column()
                ),
            });
        }
        let outcomes = DMatrix::from_fn(x.nrows(), periods.len(), |row, period| {
            self.board.y[self.units[row]][periods.start + period]
        });
        let slopes = factor.solve(&(x.transpose() * outcomes));
        Ok(slopes.row_iter().map(|row| row.norm_squared()).collect())
    }

    /// The importance whose weights bring outcomes nearest in the periods judged; begun from that of a regression in the periods known.
    fn nested(
        &self,
        x: &DMatrix<f64>,
        known: Range<usize>,
        judged: Range<usize>,
    ) -> Result<Vec<f64>> {
        let k = x.ncols();
        let donors = x.nrows() - 1;
        if k == 1 || donors == 1 {
            return Ok(vec![1.0; k]);
        }
        let apart = DMatrix::from_fn(k, donors, |column, j| x[(j + 1, column)] - x[(0, column)]);
        let y = |unit: usize| &self.board.y[self.units[unit]][judged.clone()];
        let misses = DMatrix::from_fn(judged.len(), donors, |t, j| y(j + 1)[t] - y(0)[t]);
        let scaled = |logs: &[f64]| -> Vec<f64> {
            let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            logs.iter().map(|l| (l - most).exp().max(LEAST)).collect()
        };
        let missed = |logs: &[f64]| -> Result<f64> {
            let v = scaled(logs);
            let near = DMatrix::from_fn(k, donors, |row, j| v[row].sqrt() * apart[(row, j)]);
            let gram = near.tr_mul(&near);
            match nearest_in_hull(&gram) {
                Ok(weights) => {
                    let missed = &misses * DVector::from_vec(weights);
                    Ok(missed.norm_squared() / judged.len() as f64)
                }
                // Importance for which rounding hides the weights is no choice.
                Err(Error::NotConverged { .. }) => Ok(f64::INFINITY),
                Err(error) => Err(error),
            }
        };
        let mut starts = vec![vec![0.0; k]];
        // Where there is no regression, the others begin alone.
        if let Ok(v) = self.regression(x, known) {
            let largest = v.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
            starts.push(v.iter().map(|v| (v / largest).max(LEAST).ln()).collect());
        }
        let points = Sobol::new(k)?.points(1, STARTS);
        starts.extend((points.iter()).map(|u| u.iter().map(|u| DEPTH * u).collect::<Vec<f64>>()));
        let mut starts = (starts.into_iter())
            .map(|start| Ok((missed(&start)?, start)))
            .collect::<Result<Vec<_>>>()?;
        starts.sort_by(|a, b| a.0.total_cmp(&b.0));
        starts.truncate(SEARCHES);
        let searched = (starts.iter())
            .map(|(_, start)| nelder_mead(missed, start, STEP, 0))
            .collect::<Result<Vec<_>>>()?;
        let best = searched.iter().min_by(|a, b| a.value.total_cmp(&b.value));
        let Some(best) = best else {
            return Ok(vec![1.0; k]);
        };
        Ok(scaled(
            &nelder_mead(missed, &best.point, STEP, RESTARTS)?.point,
        ))
    }
}
