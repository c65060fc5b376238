//! A stack of learners: their best convex combination.

use super::fitted::FittedLearner;
use super::folds::Folds;
use super::learner::Learner;
use super::options::whole;
use super::training::TrainingSet;
use crate::data::Rows;
use crate::error::{Error, Result};
use crate::numeric::{Progress, Seed, blocks};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Rows of one task.
const CHUNK: usize = 1 << 14;
/// Exchanges of weight between two members at most; those who need more crawl, since members predict almost the same.
const MOST_EXCHANGES: usize = 1_000_000;
/// Exchanges end when none would lower the loss by more than this share.
const TOLERANCE: f64 = 1e-14;

/// A super learner: `Σ_l α_l f_l(x)` with α ≥ 0 and Σα = 1, where α minimises the squared error of the members' cross-fitted
/// predictions, and the members are then fitted on all rows. In large samples it does as well as the best combination, known only in hindsight.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `members` | given | any learners | at least one |
/// | `folds` | 5 | folds of the cross-fitting | ≥ 2 |
///
/// Always needs a seed. For a probability α minimises the squared error of the probabilities (Brier's score).
///
/// # References
/// van der Laan, Polley & Hubbard (2007), doi:10.2202/1544-6115.1309; Breiman (1996), doi:10.1007/BF00117832.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stack {
    pub(crate) members: Vec<Learner>,
    folds: usize,
}

impl Stack {
    /// A stack of these learners.
    pub fn new<I>(members: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Learner>,
    {
        Self {
            members: members.into_iter().map(Into::into).collect(),
            folds: 5,
        }
    }

    /// Adds a learner.
    pub fn with(mut self, member: impl Into<Learner>) -> Self {
        self.members.push(member.into());
        self
    }

    /// Folds of the cross-fitting.
    pub fn folds(mut self, folds: usize) -> Self {
        self.folds = folds;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        whole("folds", self.folds, 2, usize::MAX)?;
        if self.members.is_empty() {
            return Err(Error::invalid_option(
                "members",
                "empty",
                "at least one learner",
            ));
        }
        self.members.iter().try_for_each(Learner::check)
    }

    /// Fits to a training set that was checked.
    pub(crate) fn learn(
        &self,
        set: &TrainingSet,
        seed: Seed,
        progress: &Progress,
    ) -> Result<FittedStack> {
        let folds = Folds::random(set.used_rows(), self.folds, seed)?;
        let n = set.features().rows();
        let fits = (folds.held_out.len() + 1) * self.members.len();
        let mut done = 0;
        let mut errors: Vec<Vec<f64>> = Vec::with_capacity(self.members.len());
        for (l, member) in self.members.iter().enumerate() {
            let mut error = vec![0.0; n];
            for (f, held_out) in folds.held_out.iter().enumerate() {
                let others = set.clone().rows(Rows::some(n, folds.complement(held_out)));
                let held = Rows::some(n, held_out.clone());
                let fitted = member.fit_with(&others, member_seed(seed, l, f), progress)?;
                let mut predicted = vec![0.0; held.len()];
                fitted.predict(set.features(), &held, &mut predicted)?;
                for (i, p) in predicted.iter().enumerate() {
                    let row = held.index(i);
                    error[row] = set.target()[row] - p;
                }
                done += 1;
                progress.report("stack", done, fits)?;
            }
            errors.push(error);
        }
        let products = products(&errors, set);
        let weights = simplex(&products)?;
        let mut members = Vec::with_capacity(self.members.len());
        for (l, member) in self.members.iter().enumerate() {
            members.push(member.fit_with(
                set,
                member_seed(seed, l, folds.held_out.len()),
                progress,
            )?);
            done += 1;
            progress.report("stack", done, fits)?;
        }
        let losses = (0..members.len()).map(|l| products[(l, l)]).collect();
        let alpha = nalgebra::DVector::from_column_slice(&weights);
        Ok(FittedStack {
            names: self.members.iter().map(|m| m.name().to_owned()).collect(),
            members,
            losses,
            loss: crate::numeric::linalg::quadratic_form(&products, &alpha),
            weights,
        })
    }
}

/// The seed of a member in a fold.
fn member_seed(seed: Seed, member: usize, fold: usize) -> Seed {
    seed.child("stack").child(&format!("{member}/{fold}"))
}

/// Mean products of the members' errors: since weights sum to one, the error of the stack is the weighted sum of errors.
fn products(errors: &[Vec<f64>], set: &TrainingSet) -> DMatrix<f64> {
    let (k, rows) = (errors.len(), set.used_rows());
    let sums = blocks::reduce(
        rows.len(),
        CHUNK,
        |range| {
            let mut sums = vec![0.0; k * k + 1];
            for i in range {
                let row = rows.index(i);
                let w = set.weight(row);
                for a in 0..k {
                    for b in 0..=a {
                        sums[a * k + b] += w * errors[a][row] * errors[b][row];
                    }
                }
                sums[k * k] += w;
            }
            sums
        },
        |sum, part| {
            for (a, b) in sum.iter_mut().zip(&part) {
                *a += b;
            }
        },
    )
    .unwrap_or_else(|| vec![0.0; k * k + 1]);
    DMatrix::from_fn(k, k, |a, b| sums[a.max(b) * k + a.min(b)] / sums[k * k])
}

/// Minimises `α'Eα` over weights ≥ 0 that sum to one, by moving weight from the member whose share is worth least to the one whose is worth
/// most, as far as it pays.
pub(crate) fn simplex(e: &DMatrix<f64>) -> Result<Vec<f64>> {
    let k = e.nrows();
    if e.iter().any(|v| !v.is_finite()) {
        return Err(Error::NotFinite {
            what: "the squared error of a member of a stack".to_owned(),
        });
    }
    let best = (0..k).fold(
        0,
        |best, l| if e[(l, l)] < e[(best, best)] { l } else { best },
    );
    let mut alpha = vec![0.0; k];
    alpha[best] = 1.0;
    let mut slope: Vec<f64> = e.column(best).iter().copied().collect();
    let scale = e[(best, best)].max(f64::MIN_POSITIVE);
    for _ in 0..MOST_EXCHANGES {
        let to = (0..k).fold(0, |to, l| if slope[l] < slope[to] { l } else { to });
        let from = (0..k).filter(|l| alpha[*l] > 0.0).fold(best, |from, l| {
            if alpha[from] <= 0.0 || slope[l] > slope[from] {
                l
            } else {
                from
            }
        });
        let difference = slope[from] - slope[to];
        if difference <= TOLERANCE * scale || from == to {
            return Ok(alpha);
        }
        let curvature = e[(from, from)] + e[(to, to)] - 2.0 * e[(from, to)];
        let wanted = if curvature > 0.0 {
            difference / curvature
        } else {
            f64::INFINITY
        };
        let moved = wanted.min(alpha[from]);
        alpha[from] -= moved;
        alpha[to] += moved;
        for (l, s) in slope.iter_mut().enumerate() {
            *s += moved * (e[(l, to)] - e[(l, from)]);
        }
    }
    Ok(by_active_set(e, alpha))
}

/// The same minimum by an active set, from any weights: steps of Newton among the members in use, each as far as the first weight that turns zero, then the
/// member that would lower the loss most comes in. Directions along which the loss is flat to the last digit are left alone.
fn by_active_set(e: &DMatrix<f64>, mut alpha: Vec<f64>) -> Vec<f64> {
    /// Members that come in at most, a member.
    const ROUNDS: usize = 20;
    let k = alpha.len();
    let rounding = e.amax() * f64::EPSILON * k as f64;
    let slopes = |alpha: &[f64]| e * DVector::from_column_slice(alpha);
    // A million exchanges have added up their rounding.
    let total: f64 = alpha.iter().sum();
    for a in &mut alpha {
        *a /= total;
    }
    let mut used: Vec<usize> = (0..k).filter(|l| alpha[*l] > 0.0).collect();
    for _ in 0..ROUNDS * k {
        while let [base, others @ ..] = used.as_slice()
            && !others.is_empty()
        {
            let slope = slopes(&alpha);
            let hessian = DMatrix::from_fn(others.len(), others.len(), |i, j| {
                let (i, j) = (others[i], others[j]);
                e[(i, j)] - e[(i, *base)] - e[(*base, j)] + e[(*base, *base)]
            });
            let gradient = DVector::from_fn(others.len(), |i, _| slope[others[i]] - slope[*base]);
            let eigen = hessian.symmetric_eigen();
            let mut along = eigen.eigenvectors.tr_mul(&gradient);
            for (g, value) in along.iter_mut().zip(&eigen.eigenvalues) {
                *g = if *value > rounding { -*g / value } else { 0.0 };
            }
            let step = &eigen.eigenvectors * along;
            let mut direction = vec![0.0; k];
            for (l, d) in others.iter().zip(&step) {
                direction[*l] = *d;
                direction[*base] -= d;
            }
            let blocking = (used.iter())
                .filter(|l| direction[**l] < 0.0)
                .map(|l| (alpha[*l] / -direction[*l], *l))
                .min_by(|a, b| a.0.total_cmp(&b.0))
                .filter(|(share, _)| *share < 1.0);
            let share = blocking.map_or(1.0, |(share, _)| share);
            for (a, d) in alpha.iter_mut().zip(&direction) {
                *a += share * d;
            }
            let Some((_, gone)) = blocking else { break };
            alpha[gone] = 0.0;
            used.retain(|l| *l != gone);
        }
        let slope = slopes(&alpha);
        let loss: f64 = alpha.iter().zip(&slope).map(|(a, s)| a * s).sum();
        let unused = (0..k).filter(|l| !used.contains(l));
        let best = unused.min_by(|a, b| slope[*a].total_cmp(&slope[*b]));
        match best.filter(|l| slope[*l] < loss - rounding) {
            Some(l) => used.push(l),
            None => break,
        }
    }
    alpha
}

/// A stack after fitting.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FittedStack {
    pub(crate) names: Vec<String>,
    members: Vec<FittedLearner>,
    pub(crate) weights: Vec<f64>,
    /// Cross-fitted mean squared error by member.
    pub(crate) losses: Vec<f64>,
    /// That of the stack.
    pub(crate) loss: f64,
}

impl FittedStack {
    /// Predictions for some rows; members without weight are not asked.
    pub(crate) fn predict(
        &self,
        features: &super::features::Features,
        rows: &Rows,
        out: &mut [f64],
    ) -> Result<()> {
        out.fill(0.0);
        let mut each = vec![0.0; out.len()];
        for (member, weight) in self
            .members
            .iter()
            .zip(&self.weights)
            .filter(|(_, w)| **w > 0.0)
        {
            member.predict(features, rows, &mut each)?;
            for (out, value) in out.iter_mut().zip(&each) {
                *out += weight * value;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_the_minimum_on_the_simplex() {
        // Interior: weights proportional to inverse variances. Corner: a member that is worse and correlated gets nothing.
        let interior = DMatrix::from_diagonal(&nalgebra::DVector::from_vec(vec![1.0, 2.0, 4.0]));
        for (got, want) in simplex(&interior).unwrap().iter().zip([4.0, 2.0, 1.0]) {
            assert!((got - want / 7.0).abs() < 1e-12);
        }
        let corner = DMatrix::from_row_slice(2, 2, &[1.0, 1.5, 1.5, 4.0]);
        assert_eq!(simplex(&corner).unwrap(), [1.0, 0.0]);
        let bad = DMatrix::from_row_slice(2, 2, &[1.0, f64::NAN, f64::NAN, 4.0]);
        assert!(matches!(simplex(&bad), Err(Error::NotFinite { .. })));
    }

    /// Squared errors of members that share three factors and hardly differ otherwise, on which exchanges crawl.
    fn nearly_alike(k: usize, seed: u64, own: f64) -> DMatrix<f64> {
        use rand::RngExt;
        let mut random = Seed::new(seed).stream(0);
        let mut draw =
            |rows, columns| DMatrix::from_fn(rows, columns, |_, _| random.random::<f64>() - 0.5);
        let (factors, loadings, rest) = (draw(300, 4), draw(4, k), draw(300, k));
        let mut errors = factors * loadings + rest * own;
        let common = draw(300, 1);
        for mut column in errors.column_iter_mut() {
            column += &common;
        }
        errors.transpose() * &errors / 300.0
    }

    #[test]
    fn members_that_are_nearly_alike_have_their_weights_too() {
        for (k, seed, own) in [(8, 36, 1e-3), (8, 2, 1e-5), (12, 3, 1e-4), (6, 4, 0.0)] {
            let e = nearly_alike(k, seed, own);
            let mut corner = vec![0.0; k];
            corner[0] = 1.0;
            for alpha in [simplex(&e).unwrap(), by_active_set(&e, corner)] {
                assert!((alpha.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                let slope = &e * DVector::from_column_slice(&alpha);
                let loss: f64 = alpha.iter().zip(&slope).map(|(a, s)| a * s).sum();
                for (a, s) in alpha.iter().zip(&slope) {
                    assert!(*a >= 0.0 && *s >= loss - 1e-12 * loss, "{k} {alpha:?}");
                }
            }
        }
    }
}
