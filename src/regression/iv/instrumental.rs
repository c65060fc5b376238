//! The algebra of instruments on cross-products, and the rows behind every diagnostic.

use super::KClass;
use crate::error::{Error, Result};
use crate::inference::covariance::{Covariance, Estimated, Estimator, estimate};
use crate::numeric::linalg::{Cholesky, block, symmetrize};
use crate::regression::linear::{Core, LinearRows, Prepared, Regressors, Solved};
use crate::regression::ols::with_intercept;
use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// A fitted first stage that leaves less than this share of an endogenous regressor's variation is no first stage.
const NO_FIRST_STAGE: f64 = 1e-13;

/// The reduced forms: everything about `W = [x z]` and `Y = [d y]` that the diagnostics need.
///
/// Columns are read in the order `W`, `d`, `y`; `W` starts with the exogenous regressors.
#[derive(Clone, Debug)]
pub(crate) struct Instrumental {
    /// Rows with regressors `W`; the residual weights are set by each diagnostic.
    rows: LinearRows,
    /// Number of exogenous regressors kept.
    pub(super) exogenous: usize,
    /// Number of excluded instruments kept.
    pub(super) excluded: usize,
    /// Number of endogenous regressors kept.
    pub(super) endogenous: usize,
    /// Names of the columns read.
    names: Vec<String>,
    /// Cross-products of the columns read.
    pub(super) gram: DMatrix<f64>,
    /// Reduced-form coefficients of `[d y]` on `W`.
    pub(super) reduced: DMatrix<f64>,
    pub(super) kappa: f64,
    pub(super) observations: f64,
}

impl Instrumental {
    /// Solves the model.
    pub(super) fn solve(prepared: &mut Prepared, estimator: KClass) -> Result<(Self, Solved)> {
        let exogenous = prepared.varying(prepared.exogenous.clone());
        let instruments = prepared.varying(prepared.instruments.clone());
        let endogenous = prepared.varying(prepared.endogenous.clone());
        let (exogenous, excluded, endogenous) =
            full_rank(prepared, &exogenous, &instruments, &endogenous)?;
        let w: Vec<usize> = exogenous.iter().chain(&excluded).copied().collect();
        let used: Vec<usize> = w
            .iter()
            .chain(&endogenous)
            .chain([&prepared.outcome])
            .copied()
            .collect();
        prepared.require_rows(w.len().max(exogenous.len() + endogenous.len()))?;
        let (k, d) = (w.len(), endogenous.len());
        let gram = block(&prepared.gram, &used, &used);
        let on = |rows: &[usize], columns: &[usize]| block(&gram, rows, columns);
        let (at_w, at_y): (Vec<usize>, Vec<usize>) = ((0..k).collect(), (k..=k + d).collect());
        let factor =
            Cholesky::full_rank(&on(&at_w, &at_w), "the cross-product of the instruments")?;
        let reduced = factor.solve(&on(&at_w, &at_y));
        let rows = LinearRows {
            center: used.iter().map(|j| prepared.center[*j]).collect(),
            columns: prepared.columns.clone(),
            intercept: prepared.intercept,
            regressors: Regressors::First(k),
            residual: vec![0.0; used.len()],
            bread: with_intercept(&factor.inverse(), prepared),
            rss: 0.0,
            absorbed: prepared.absorbed.clone(),
            used: used.clone(),
        };
        let mut this = Self {
            rows,
            exogenous: exogenous.len(),
            excluded: excluded.len(),
            endogenous: d,
            names: used
                .iter()
                .map(|j| prepared.columns.names[*j].clone())
                .collect(),
            gram,
            reduced,
            kappa: 1.0,
            observations: prepared.observations,
        };
        let first: usize =
            prepared.absorbed_parameters.iter().sum::<usize>() + usize::from(prepared.intercept);
        this.kappa = this.choose_kappa(estimator, prepared.observations - (k + first) as f64)?;
        let solution = this.k_class(prepared, &exogenous, &endogenous)?;
        Ok((this, solution))
    }

    /// κ of the estimator.
    fn choose_kappa(&self, estimator: KClass, residual_df: f64) -> Result<f64> {
        let smallest_root = || -> Result<f64> {
            if self.excluded == self.endogenous {
                return Ok(1.0);
            }
            let a: Vec<usize> = (0..self.exogenous).collect();
            let w: Vec<usize> = (0..self.exogenous + self.excluded).collect();
            let y: Vec<usize> = (w.len()..self.gram.nrows()).collect();
            let (on_a, on_w) = (
                residual_products(&self.gram, &a, &y)?,
                residual_products(&self.gram, &w, &y)?,
            );
            let root =
                Cholesky::full_rank(&on_w, "the reduced-form residual covariance")?.inverse_root();
            let relative = symmetrize(&(root.transpose() * on_a * root));
            Ok(SymmetricEigen::new(relative).eigenvalues.min())
        };
        match estimator {
            KClass::TwoStage => Ok(1.0),
            KClass::Liml => smallest_root(),
            KClass::Fuller(alpha) if alpha >= 0.0 => Ok(smallest_root()? - alpha / residual_df),
            KClass::Fuller(alpha) => Err(Error::invalid_option(
                "Fuller's α",
                alpha,
                "zero or more (1 is usual)",
            )),
        }
    }

    /// The estimates for the chosen κ, and their rows.
    fn k_class(
        &self,
        prepared: &Prepared,
        exogenous: &[usize],
        endogenous: &[usize],
    ) -> Result<Solved> {
        let (a, d, k) = (
            exogenous.len(),
            endogenous.len(),
            self.exogenous + self.excluded,
        );
        // Positions among the columns read: endogenous first, then exogenous.
        let x: Vec<usize> = (k..k + d).chain(0..a).collect();
        let y = [k + d];
        let w: Vec<usize> = (0..k).collect();
        // P_W x = W · projection.
        let mut projection = DMatrix::zeros(k + d + 1, d + a);
        for j in 0..d {
            projection
                .view_mut((0, j), (k, 1))
                .copy_from(&self.reduced.column(j));
        }
        for j in 0..a {
            projection[(j, d + j)] = 1.0;
        }
        let on_w = projection.rows(0, k).transpose() * block(&self.gram, &w, &w);
        let projected = symmetrize(&(&on_w * projection.rows(0, k)));
        let projected_y = projection.rows(0, k).transpose() * block(&self.gram, &w, &y);
        let hessian = block(&self.gram, &x, &x) * (1.0 - self.kappa) + projected * self.kappa;
        let right = block(&self.gram, &x, &y) * (1.0 - self.kappa) + projected_y * self.kappa;
        let factor = Cholesky::full_rank(
            &symmetrize(&hessian),
            "the cross-product of the projected regressors",
        )?;
        let inverse = factor.inverse();
        let slopes = factor.solve(&right);
        let mut rows = LinearRows {
            regressors: Regressors::Combined(projection),
            residual: residual_weights(slopes.as_slice(), &x, k + d),
            bread: with_intercept(&inverse, prepared),
            ..self.rows.clone()
        };
        let (_, rss) = rows.score();
        rows.rss = rss;
        Ok(Solved {
            regressors: endogenous.iter().chain(exogenous).copied().collect(),
            slopes: DVector::from_column_slice(slopes.as_slice()),
            rows,
        })
    }

    /// Names of the endogenous regressors.
    pub(super) fn endogenous_names(&self) -> &[String] {
        let k = self.exogenous + self.excluded;
        &self.names[k..k + self.endogenous]
    }

    /// Names of the excluded instruments.
    pub(super) fn instrument_names(&self) -> &[String] {
        &self.names[self.exogenous..self.exogenous + self.excluded]
    }

    /// Reduced-form coefficients of `[d y] α` on the excluded instruments, and the covariance of all reduced-form parameters by
    /// `estimator`: [`estimate`], or `unrepaired`, which is quadratic in α.
    pub(super) fn reduced_form(
        &self,
        alpha: &DVector<f64>,
        kind: &Covariance,
        core: &Core,
        estimator: Estimator,
    ) -> Result<(DVector<f64>, Estimated)> {
        let k = self.exogenous + self.excluded;
        let coefficients = &self.reduced * alpha;
        let mut residual: Vec<f64> = coefficients.iter().map(|b| -b).collect();
        residual.extend(alpha.iter());
        let rows = self.with_residual(residual);
        let parts = core.parts("a test of the instruments")?;
        let counts = parts.counts(self.observations);
        let estimated = estimator(kind, &rows, &parts.frame, parts.kept(), &counts)?;
        let of_excluded = coefficients.rows(k - self.excluded, self.excluded);
        Ok((of_excluded.into_owned(), estimated))
    }

    /// The block of a covariance of all reduced-form parameters that belongs to the excluded instruments, which come last.
    pub(super) fn of_excluded(&self, matrix: &DMatrix<f64>) -> DMatrix<f64> {
        let (first, q) = (matrix.nrows() - self.excluded, self.excluded);
        matrix.view((first, first), (q, q)).into_owned()
    }

    /// Rows with regressors `W` and the given residual weights on the columns read.
    pub(super) fn with_residual(&self, residual: Vec<f64>) -> LinearRows {
        let weights = DVector::from_column_slice(&residual);
        let rss = (&self.gram * &weights).dot(&weights).max(0.0);
        LinearRows {
            residual,
            rss,
            ..self.rows.clone()
        }
    }

    /// Other regressors: combinations of the columns read.
    pub(super) fn with_regressors(
        &self,
        combined: DMatrix<f64>,
        residual: Vec<f64>,
        inverse: &DMatrix<f64>,
    ) -> LinearRows {
        let mut bread = inverse.clone();
        if self.rows.intercept {
            let size = inverse.nrows();
            bread = DMatrix::zeros(size + 1, size + 1);
            bread[(0, 0)] = self.rows.bread[(0, 0)];
            bread.view_mut((1, 1), (size, size)).copy_from(inverse);
        }
        LinearRows {
            regressors: Regressors::Combined(combined),
            bread,
            ..self.with_residual(residual)
        }
    }

    /// The covariance of a model over the same rows.
    pub(super) fn covariance_of(
        &self,
        rows: &LinearRows,
        kind: &Covariance,
        core: &Core,
    ) -> Result<Estimated> {
        let parts = core.parts("a test of the instruments")?;
        estimate(
            kind,
            rows,
            &parts.frame,
            parts.kept(),
            &parts.counts(self.observations),
        )
    }
}

/// Drops collinear columns, names them, and checks the order and rank conditions.
fn full_rank(
    prepared: &mut Prepared,
    exogenous: &[usize],
    instruments: &[usize],
    endogenous: &[usize],
) -> Result<(Vec<usize>, Vec<usize>, Vec<usize>)> {
    let keep = |columns: &[usize], gram: &DMatrix<f64>| {
        let factor = Cholesky::new(&block(gram, columns, columns));
        let pick = |at: &[usize]| at.iter().map(|i| columns[*i]).collect::<Vec<usize>>();
        (pick(factor.kept()), pick(factor.dropped()))
    };
    let (w, dropped_w) = keep(&[exogenous, instruments].concat(), &prepared.gram);
    let exogenous: Vec<usize> = exogenous
        .iter()
        .copied()
        .filter(|j| w.contains(j))
        .collect();
    let excluded: Vec<usize> = instruments
        .iter()
        .copied()
        .filter(|j| w.contains(j))
        .collect();
    let (x, dropped_x) = keep(&[&exogenous, endogenous].concat(), &prepared.gram);
    let kept: Vec<usize> = endogenous
        .iter()
        .copied()
        .filter(|j| x.contains(j))
        .collect();
    let names = |columns: &[usize]| {
        columns
            .iter()
            .map(|j| prepared.columns.names[*j].clone())
            .collect::<Vec<_>>()
    };
    let wanted = names(endogenous);
    if kept.is_empty() {
        return Err(Error::Unidentified {
            what: format!(
                "the effect of {}",
                names(&prepared.endogenous.clone().collect::<Vec<_>>()).join(", ")
            ),
            needs: "an endogenous regressor that varies apart from the exogenous ones".to_owned(),
        });
    }
    if excluded.len() < kept.len() {
        return Err(Error::Unidentified {
            what: format!("the effect of {}", wanted.join(", ")),
            needs: format!(
                "at least {} instruments that are not linear combinations of the other regressors; there are {}",
                kept.len(),
                excluded.len()
            ),
        });
    }
    let dropped: Vec<usize> = dropped_w.into_iter().chain(dropped_x).collect();
    prepared.warn_collinear(&dropped);
    // The first stage: what the excluded instruments explain of the endogenous regressors beyond the exogenous ones.
    let before = residual_products(&prepared.gram, &exogenous, &kept)?;
    let after = residual_products(&prepared.gram, &w_of(&exogenous, &excluded), &kept)?;
    let explained = &before - after;
    let scale =
        DVector::from_iterator(kept.len(), before.diagonal().iter().map(|v| 1.0 / v.sqrt()));
    let unit = DMatrix::from_fn(kept.len(), kept.len(), |i, j| {
        explained[(i, j)] * scale[i] * scale[j]
    });
    if SymmetricEigen::new(symmetrize(&unit)).eigenvalues.min() < NO_FIRST_STAGE {
        return Err(Error::Unidentified {
            what: format!("the effect of {}", wanted.join(", ")),
            needs:
                "a first stage: the instruments do not move the endogenous regressors separately"
                    .to_owned(),
        });
    }
    Ok((exogenous, excluded, kept))
}

fn w_of(exogenous: &[usize], excluded: &[usize]) -> Vec<usize> {
    [exogenous, excluded].concat()
}

/// `Y'M_X Y` from cross-products.
pub(super) fn residual_products(
    gram: &DMatrix<f64>,
    x: &[usize],
    y: &[usize],
) -> Result<DMatrix<f64>> {
    let yy = block(gram, y, y);
    if x.is_empty() {
        return Ok(yy);
    }
    let xy = block(gram, x, y);
    let factor = Cholesky::full_rank(&block(gram, x, x), "the cross-product of the regressors")?;
    Ok(symmetrize(&(yy - xy.transpose() * factor.solve(&xy))))
}

/// `e = y − x'b` as weights on the columns read.
pub(super) fn residual_weights(slopes: &[f64], positions: &[usize], outcome: usize) -> Vec<f64> {
    let mut weights = vec![0.0; outcome + 1];
    for (b, at) in slopes.iter().zip(positions) {
        weights[*at] = -b;
    }
    weights[outcome] = 1.0;
    weights
}
