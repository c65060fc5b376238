//! Linear learners: least squares and logistic regression, ridge, lasso, elastic net.

use super::cross::{Centred, Cross};
use super::encode::{Effect, Encoding};
use super::features::Features;
use super::folds::Folds;
use super::logistic::{Logit, a_part};
use super::loss::logistic;
use super::options::whole;
use super::penalty::{Penalty, PenaltyPath, Solution, Strength, standardised, unscaled};
use super::training::{Task, TrainingSet};
use crate::data::Rows;
use crate::error::{Error, Result, Warning};
use crate::numeric::{Progress, Seed, blocks};
use serde::{Deserialize, Serialize};

/// Rows predicted by one task.
const CHUNK: usize = 1 << 12;

/// Least squares (regression) or logistic regression (probability) on all features, with a ridge penalty if wished:
/// `1/(2 Σw) Σ w (y − a − x'b)² + λ/2 Σ_j s_j² b_j²`, s the standard deviations; the logistic loss takes the place of the square.
///
/// Columns that earlier ones span get the coefficient 0, so that every level of a category can have its indicator. Missing values are replaced by the
/// training mean, with an indicator of missing beside.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `ridge` | 0 | λ | ≥ 0 |
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Linear {
    ridge: f64,
}

impl Linear {
    /// Without a penalty.
    pub fn new() -> Self {
        Self::default()
    }

    /// The ridge penalty λ.
    pub fn ridge(mut self, lambda: f64) -> Self {
        self.ridge = lambda;
        self
    }

    fn as_elastic_net(&self) -> ElasticNet {
        ElasticNet::ridge().lambda(self.ridge)
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.as_elastic_net().check()
    }

    pub(crate) fn learn(&self, set: &TrainingSet, progress: &Progress) -> Result<FittedLinear> {
        self.as_elastic_net().learn(set, Seed::new(0), progress)
    }
}

/// The elastic net: `1/(2 Σw) Σ w (y − a − x'b)² + λ Σ_j f_j (α |s_j b_j| + (1 − α)/2 (s_j b_j)²)`, s the standard deviations of the columns
/// (1 without `standardize`); for a probability, minus the mean log-likelihood takes the place of the squares. α = 1 is the lasso, α = 0 ridge.
/// The intercept is not penalised.
///
/// The penalty's strength λ is chosen by cross-validation over a path of 100 values from the one at which all coefficients are zero
/// down to 10⁻⁴ of it (10⁻² with more columns than rows). Squared loss needs one pass over the data for all folds: coordinate descent works on cross-products
/// (covariance updates), and those of a fold's complement are the total less the fold's.
///
/// The convention is scikit-learn's and, up to one point, glmnet's: for squared loss, glmnet scales the target to unit variance first, so that its ridge part is
/// λ/sd(y) instead of λ. For α = 1, for logistic loss, and for a target of unit variance the two agree.
///
/// Each level of a category and each indicator of missing values is a column. Missing numbers are replaced by the training mean.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `mixing` | 0.5; `lasso` 1, `ridge` 0 | α | [0, 1] |
/// | `strength` | [`Strength::Minimum`] | how λ is chosen; all but `Fixed` need a seed for the folds | |
/// | `folds` | 10 | folds of the cross-validation | ≥ 3 |
/// | `fold_ids` | drawn | the fold of every row of the table, from 0, such as folds of whole customers; needs no seed | |
/// | `path_length` | 100 | values of λ tried | ≥ 2 |
/// | `standardize` | on | penalise coefficients per standard deviation | |
/// | `penalty_factor` | 1 | f of a feature's columns, rescaled to mean 1 over columns; 0 leaves it unpenalised | ≥ 0 |
///
/// # References
/// Zou & Hastie (2005), doi:10.1111/j.1467-9868.2005.00503.x; Friedman, Hastie & Tibshirani (2010), doi:10.18637/jss.v033.i01.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ElasticNet {
    mixing: f64,
    strength: Strength,
    folds: usize,
    path_length: usize,
    standardize: bool,
    penalty_factors: Vec<(String, f64)>,
    fold_ids: Option<Vec<usize>>,
}

impl Default for ElasticNet {
    fn default() -> Self {
        Self {
            mixing: 0.5,
            strength: Strength::Minimum,
            folds: 10,
            path_length: 100,
            standardize: true,
            penalty_factors: Vec::new(),
            fold_ids: None,
        }
    }
}

impl ElasticNet {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// α = 1.
    pub fn lasso() -> Self {
        Self::new().mixing(1.0)
    }

    /// α = 0.
    pub fn ridge() -> Self {
        Self::new().mixing(0.0)
    }

    /// The share α of the absolute penalty.
    pub fn mixing(mut self, alpha: f64) -> Self {
        self.mixing = alpha;
        self
    }

    /// This λ, without cross-validation.
    pub fn lambda(self, lambda: f64) -> Self {
        self.strength(Strength::Fixed(lambda))
    }

    /// How λ is chosen.
    pub fn strength(mut self, strength: Strength) -> Self {
        self.strength = strength;
        self
    }

    /// Folds of the cross-validation.
    pub fn folds(mut self, folds: usize) -> Self {
        self.folds = folds;
        self
    }

    /// The fold of every row of the table, from 0, instead of folds drawn at random.
    pub fn fold_ids(mut self, ids: Vec<usize>) -> Self {
        self.folds = ids.iter().max().map_or(0, |most| most + 1);
        self.fold_ids = Some(ids);
        self
    }

    /// Values of λ tried.
    pub fn path_length(mut self, length: usize) -> Self {
        self.path_length = length;
        self
    }

    /// Whether coefficients are penalised per standard deviation of their column.
    pub fn standardize(mut self, yes: bool) -> Self {
        self.standardize = yes;
        self
    }

    /// The penalty on a feature relative to the others; 0 leaves it unpenalised.
    pub fn penalty_factor(mut self, feature: impl Into<String>, factor: f64) -> Self {
        self.penalty_factors.push((feature.into(), factor));
        self
    }

    /// A short name for tables.
    pub(crate) fn name(&self) -> &'static str {
        if self.mixing >= 1.0 {
            "lasso"
        } else if self.mixing <= 0.0 {
            "ridge"
        } else {
            "elastic net"
        }
    }

    pub(crate) fn needs_seed(&self) -> bool {
        !matches!(self.strength, Strength::Fixed(_)) && self.fold_ids.is_none()
    }

    pub(crate) fn check(&self) -> Result<()> {
        if !(self.mixing >= 0.0 && self.mixing <= 1.0) {
            return Err(Error::invalid_option("mixing", self.mixing, "from 0 to 1"));
        }
        if let Strength::Fixed(lambda) = self.strength
            && !(lambda >= 0.0 && lambda.is_finite())
        {
            return Err(Error::invalid_option(
                "lambda",
                lambda,
                "a finite number ≥ 0",
            ));
        }
        for (feature, factor) in &self.penalty_factors {
            if !(*factor >= 0.0 && factor.is_finite()) {
                let option = format!("penalty_factor of `{feature}`");
                return Err(Error::invalid_option(
                    &option,
                    factor,
                    "a finite number ≥ 0",
                ));
            }
        }
        whole("folds", self.folds, 3, usize::MAX)?;
        whole("path_length", self.path_length, 2, usize::MAX)
    }

    /// The penalty by column.
    fn penalty(&self, features: &Features, encoding: &Encoding) -> Result<Penalty> {
        let names: Vec<String> = features.names().iter().map(|n| (*n).to_owned()).collect();
        let mut by_feature = vec![1.0; names.len()];
        for (name, factor) in &self.penalty_factors {
            match names.iter().position(|n| n == name) {
                Some(j) => by_feature[j] = *factor,
                None => return Err(Error::column_not_found(name, &names)),
            }
        }
        let raw: Vec<f64> = encoding
            .columns
            .iter()
            .map(|c| by_feature[c.feature()])
            .collect();
        let mean = raw.iter().sum::<f64>() / raw.len() as f64;
        let factors = raw
            .iter()
            .map(|f| if mean > 0.0 { f / mean } else { 0.0 })
            .collect();
        Ok(Penalty {
            mixing: self.mixing,
            factors,
            standardize: self.standardize,
        })
    }

    /// Fits to a training set that was checked.
    pub(crate) fn learn(
        &self,
        set: &TrainingSet,
        seed: Seed,
        progress: &Progress,
    ) -> Result<FittedLinear> {
        let rows = set.used_rows();
        let folds = match (self.strength, &self.fold_ids) {
            (Strength::Fixed(_), _) => None,
            (_, Some(ids)) => Some(Folds::by_row(rows, ids, self.folds)?),
            (_, None) => Some(Folds::random(rows, self.folds, seed)?),
        };
        self.learn_with(set, folds.as_ref(), progress)
    }

    /// The same with these folds.
    fn learn_with(
        &self,
        set: &TrainingSet,
        folds: Option<&Folds>,
        progress: &Progress,
    ) -> Result<FittedLinear> {
        let encoding = Encoding::new(set);
        let penalty = self.penalty(set.features(), &encoding)?;
        let (solution, path) = match set.task() {
            Task::Regression => self.squares(set, &encoding, &penalty, folds, progress)?,
            Task::Probability => self.likelihood(set, &encoding, &penalty, folds, progress)?,
        };
        let shift = match set.task() {
            Task::Regression => set.mean(),
            Task::Probability => 0.0,
        };
        let lambda = match (self.strength, &path) {
            (Strength::Fixed(lambda), _) => Some(lambda),
            (strength, Some(path)) => Some(path.lambda[path.position(strength)]),
            (_, None) => None,
        };
        let moved: f64 = (solution.coefficients.iter().enumerate())
            .map(|(j, b)| b * encoding.shift(j))
            .sum();
        Ok(FittedLinear {
            task: set.task(),
            intercept: solution.intercept + shift - moved,
            effects: encoding.effects(set.features(), &solution.coefficients),
            coefficients: solution.coefficients,
            names: encoding.names,
            lambda: lambda.filter(|l| *l > 0.0),
            path,
            strength: self.strength,
            warnings: encoding.warnings,
        })
    }

    fn squares(
        &self,
        set: &TrainingSet,
        encoding: &Encoding,
        penalty: &Penalty,
        folds: Option<&Folds>,
        progress: &Progress,
    ) -> Result<(Solution, Option<PenaltyPath>)> {
        let (target, shift) = (set.target(), set.mean());
        let cross = |rows: &[u32]| {
            Cross::of(
                encoding,
                set.features(),
                rows,
                |r| set.weight(r),
                |r| target[r] - shift,
            )
        };
        let Some(folds) = folds else {
            let lambda = self.fixed();
            let total = cross(&set.row_list());
            let mut solutions = squares_path(&total, encoding, penalty, &[lambda])?;
            return Ok((take(&mut solutions, 0), None));
        };
        let parts: Vec<Cross> = folds.held_out.iter().map(|rows| cross(rows)).collect();
        progress.report("elastic net", 0, parts.len())?;
        let total = Cross::total(&parts).unwrap_or_else(|| cross(&[]));
        let centred = total.centred();
        let scales = penalty.scales(&centred, encoding);
        let correlations = penalty.correlations(&standardised(centred, &scales))?;
        let lambdas = penalty.path(&correlations, self.path_length, set.used_rows().len());
        let mut solutions = squares_path(&total, encoding, penalty, &lambdas)?;
        let losses = blocks::map(parts.len(), |f| {
            progress.report("elastic net", f + 1, parts.len())?;
            let others = squares_path(&total.without(&parts[f]), encoding, penalty, &lambdas)?;
            Ok(others
                .iter()
                .map(|s| parts[f].mean_squared_error(s.intercept, &s.coefficients))
                .collect())
        });
        let losses: Vec<Vec<f64>> = losses.into_iter().collect::<Result<_>>()?;
        let weights: Vec<f64> = parts.iter().map(Cross::weight).collect();
        Ok(self.choose(lambdas, &losses, &weights, &mut solutions))
    }

    fn likelihood(
        &self,
        set: &TrainingSet,
        encoding: &Encoding,
        penalty: &Penalty,
        folds: Option<&Folds>,
        progress: &Progress,
    ) -> Result<(Solution, Option<PenaltyPath>)> {
        let target = set.target();
        let centred = |rows: &[u32]| -> Centred {
            Cross::of(
                encoding,
                set.features(),
                rows,
                |r| set.weight(r),
                |r| target[r],
            )
            .centred()
        };
        let rows = set.row_list();
        let model = logit(set, encoding, &rows);
        let units = |rows: &[u32]| penalty.scales(&centred(rows), encoding);
        let Some(folds) = folds else {
            // Without a penalty units steady the numbers only: those of a part do, if all columns vary there.
            let part = a_part(&rows, encoding.columns.len()).filter(|_| self.fixed() <= 0.0);
            let of_part = part.map(|part| units(&part));
            let scales = of_part
                .filter(|scales| scales.iter().all(|s| *s > 0.0))
                .unwrap_or_else(|| units(&rows));
            let mut solutions = model.path(penalty, &scales, &[self.fixed()], progress)?;
            return Ok((take(&mut solutions, 0), None));
        };
        let scales = units(&rows);
        let correlations = model.correlations(penalty, &scales)?;
        let lambdas = penalty.path(&correlations, self.path_length, rows.len());
        let mut solutions = model.path(penalty, &scales, &lambdas, progress)?;
        let (mut losses, mut weights) = (Vec::new(), Vec::new());
        for held_out in &folds.held_out {
            let others = folds.complement(held_out);
            let scales = units(&others);
            let others = logit(set, encoding, &others);
            let path = others.path(penalty, &scales, &lambdas, progress)?;
            let here = logit(set, encoding, held_out);
            losses.push(path.iter().map(|s| here.loss(s)).collect());
            weights.push(held_out.iter().map(|r| set.weight(*r as usize)).sum());
        }
        Ok(self.choose(lambdas, &losses, &weights, &mut solutions))
    }

    fn fixed(&self) -> f64 {
        match self.strength {
            Strength::Fixed(lambda) => lambda,
            _ => 0.0,
        }
    }

    fn choose(
        &self,
        lambdas: Vec<f64>,
        losses: &[Vec<f64>],
        weights: &[f64],
        solutions: &mut Vec<Solution>,
    ) -> (Solution, Option<PenaltyPath>) {
        let nonzero = solutions.iter().map(Solution::nonzero).collect();
        let path = PenaltyPath::new(lambdas, losses, weights, nonzero);
        let at = path.position(self.strength);
        (take(solutions, at), Some(path))
    }
}

/// The logistic regression on some of the rows.
fn logit<'a>(
    set: &'a TrainingSet,
    encoding: &'a Encoding,
    rows: &'a [u32],
) -> Logit<'a, impl Fn(usize) -> f64 + Sync + 'a> {
    Logit {
        encoding,
        features: set.features(),
        target: set.target(),
        weight: |row| set.weight(row),
        rows,
    }
}

/// Takes one solution out of a path that is not needed any more.
fn take(solutions: &mut Vec<Solution>, at: usize) -> Solution {
    solutions.swap_remove(at)
}

/// Least squares at falling strengths, from cross-products alone.
fn squares_path(
    cross: &Cross,
    encoding: &Encoding,
    penalty: &Penalty,
    lambdas: &[f64],
) -> Result<Vec<Solution>> {
    let centred = cross.centred();
    let scales = penalty.scales(&centred, encoding);
    let standard = standardised(centred, &scales);
    let mut b = vec![0.0; scales.len()];
    lambdas
        .iter()
        .map(|lambda| {
            penalty.problem(&standard, *lambda).minimise(&mut b)?;
            let coefficients = unscaled(&b, &scales);
            let explained: f64 = coefficients
                .iter()
                .zip(&standard.means)
                .map(|(b, m)| b * m)
                .sum();
            Ok(Solution {
                intercept: standard.target_mean - explained,
                coefficients,
            })
        })
        .collect()
}

/// A linear predictor after fitting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FittedLinear {
    task: Task,
    pub(crate) intercept: f64,
    effects: Vec<Effect>,
    /// By column.
    pub(crate) coefficients: Vec<f64>,
    pub(crate) names: Vec<String>,
    /// The strength of the penalty, if there is one.
    pub(crate) lambda: Option<f64>,
    pub(crate) path: Option<PenaltyPath>,
    pub(crate) strength: Strength,
    pub(crate) warnings: Vec<Warning>,
}

impl FittedLinear {
    /// Predictions for some rows.
    pub(crate) fn predict(&self, features: &Features, rows: &Rows, out: &mut [f64]) {
        blocks::fill(out, CHUNK, |first, chunk| {
            chunk.fill(self.intercept);
            for (effect, values) in self.effects.iter().zip(features.values()) {
                effect.add(values, |i| rows.index(first + i), chunk);
            }
            if self.task == Task::Probability {
                for value in chunk {
                    *value = logistic(*value);
                }
            }
        });
    }
}
