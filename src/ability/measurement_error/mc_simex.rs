//! Simulation extrapolation for classes that are labelled wrongly at known rates.

use super::options::{OutcomeModel, refit, score_builder};
use super::simulation::{SimexFit, Simulation, simulation_builder};
use crate::causal::Misclassification;
use crate::data::formula::{Factor, Term};
use crate::data::{Column, Formula, Frame, MISSING};
use crate::error::{Error, Result};
use crate::inference::Covariance;
use crate::numeric::{Progress, Seed};
use nalgebra::DMatrix;
use rand::RngExt;
use serde::Serialize;

/// Entries of a matrix that are no further from what they should be than this are so by rounding.
const ROUNDING: f64 = 1e-9;

/// MC-SIMEX: a class, a regressor or the outcome itself, is labelled wrongly with probabilities `Π_jk = P(label j | truth k)`. Labels are made worse by `Π^ζ` for several ζ > 0, the regression is
/// fitted to each of many such data sets, and the mean estimates, a function of ζ, are extrapolated to ζ = −1, where the labels would be the truth (they are `Π^(1 + ζ)` away from it).
///
/// It takes any outcome model and any number of classes; the class may stand in products. The matrix must be the same whatever outcome and other regressors are, and its powers below one must
/// be matrices of probabilities, or there is no trend to follow. The extrapolated function is an approximation, the better the fewer labels are wrong. When the truth is known on some of the rows,
/// [`PredictionPowered`](crate::causal::PredictionPowered) needs none of this.
///
/// **Standard errors** are those of the jackknife of [`Simex`](super::Simex). They take Π as known: from a small validation sample, draw it anew in a bootstrap around `fit`.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `outcome` | [`OutcomeModel::Linear`] | model of the outcome |
/// | `covariance` | HC1 | covariance of each fit |
/// | `seed` | none | required |
/// | `draws` | 100 | data sets a level, at least 2 |
/// | `levels` | 0.5, 1, 1.5, 2 | the ζ |
/// | `extrapolation` | quadratic | linear or quadratic |
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`] for a column that is not in the formula, and for a matrix of another size than the column has classes, with columns that are no probabilities that sum to one, or
/// whose powers below one are not such; those of the outcome model.
///
/// # References
/// Küchenhoff, H., Mwalili, S. M. & Lesaffre, E. (2006). A general method for dealing with misclassification in regression: the misclassification SIMEX. *Biometrics* 62(1), 85–96.
/// doi:10.1111/j.1541-0420.2005.00396.x
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// // Reviews read by a classifier: one complaint in ten is missed, one other review in twenty is taken for one.
/// let truth: Vec<bool> = (0..4000).map(|i| i % 5 < 2).collect();
/// let label: Vec<bool> = truth.iter().enumerate().map(|(i, t)| if *t { i % 50 > 4 || i % 2 == 1 } else { i % 100 > 94 }).collect();
/// let spend: Vec<f64> = truth.iter().enumerate().map(|(i, t)| if *t { 3.0 } else { 5.0 } + (i as f64).sin()).collect();
/// let reviews = Frame::new().with("spend", spend)?.with("complaint", label)?;
/// let wrong = vec![vec![0.95, 0.1], vec![0.05, 0.9]]; // columns: no complaint, complaint
/// let fit = McSimex::new("spend ~ complaint", "complaint", wrong).draws(20).seed(7).fit(&reviews)?;
/// assert!(fit.naive()[1] > -1.9 && (fit.estimates()[1] + 2.0).abs() < 0.15);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct McSimex {
    options: Model,
    column: String,
    matrix: Vec<Vec<f64>>,
    simulation: Simulation,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Model {
    formula: Formula,
    outcome: OutcomeModel,
    covariance: Covariance,
}

score_builder!(McSimex, SimexFit);
simulation_builder!(
    McSimex,
    "The powers ζ of the matrix by which labels are made worse, all above zero."
);

impl McSimex {
    /// MC-SIMEX of a formula with a column of classes, and the rows of Π: one a label, with the probabilities of that label for each truth, in the order of the
    /// column's classes (0 before 1, false before true, levels of a label column in their order), so that columns sum to one.
    pub fn new(
        formula: impl Into<Formula>,
        column: impl Into<String>,
        matrix: Vec<Vec<f64>>,
    ) -> Self {
        Self {
            options: Model {
                formula: formula.into(),
                outcome: OutcomeModel::Linear,
                covariance: Covariance::default(),
            },
            column: column.into(),
            matrix,
            simulation: Simulation::default(),
        }
    }

    /// MC-SIMEX with the rates that a validation sample gave for classes 0 and 1.
    pub fn validated(
        formula: impl Into<Formula>,
        column: impl Into<String>,
        rates: &Misclassification,
    ) -> Self {
        let (right, left) = (rates.sensitivity(), rates.specificity());
        let matrix = vec![vec![left, 1.0 - right], vec![1.0 - left, right]];
        Self::new(formula, column, matrix)
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`McSimex`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<SimexFit> {
        let seed = self.simulation.check("MC-SIMEX")?;
        let parsed = self.options.formula.parse()?;
        let all = |term: &Term| term.factors.contains(&Factor::Everything);
        let used = parsed.used(parsed.exogenous(), &[]);
        if !used.contains(&self.column) && !parsed.exogenous().iter().any(all) {
            return Err(Error::invalid_option(
                "column",
                format!("`{}`", self.column),
                format!("a column of the formula `{parsed}`"),
            ));
        }
        let classes = Classes::read(frame, &self.column)?;
        let matrix = self.checked(&classes)?;
        let generator = generator(&matrix).ok_or_else(|| refuse(
            format!("{:?}", self.matrix),
            "a matrix whose powers below one are probabilities too: labels that are right more often than by chance, and classes that are mistaken for one another directly; merge classes that are hardly told apart",
        ))?;
        let model = &self.options;
        let fit = |data: &Frame| {
            refit(
                &model.formula,
                model.outcome,
                &model.covariance,
                data,
                progress,
            )
        };
        self.simulation.run(
            fit(frame)?,
            [
                format!("MC-SIMEX of {}, {}", self.column, model.outcome),
                parsed.to_string(),
                "power of the misclassification matrix".to_owned(),
            ],
            |level, draw| {
                let power = (&generator * level).exp();
                let worse = classes.worse(&power, seed, draw)?;
                frame.clone().replace(&self.column, worse)
            },
            fit,
        )
    }

    fn checked(&self, classes: &Classes) -> Result<DMatrix<f64>> {
        let k = classes.levels.len();
        if self.matrix.len() != k || self.matrix.iter().any(|row| row.len() != k) {
            return Err(refuse(
                format!("of {} rows", self.matrix.len()),
                &format!(
                    "{k} rows of {k} probabilities, for the classes {} of `{}`",
                    classes.levels.join(", "),
                    self.column
                ),
            ));
        }
        let matrix = DMatrix::from_fn(k, k, |j, l| self.matrix[j][l]);
        for (l, class) in classes.levels.iter().enumerate() {
            let column = matrix.column(l);
            let fine = column.iter().all(|p| (0.0..=1.0).contains(p));
            if !fine || (column.sum() - 1.0).abs() > ROUNDING {
                return Err(refuse(
                    format!("{:?} for the truth {class}", column.as_slice()),
                    "columns of probabilities that sum to one, one column a truth",
                ));
            }
        }
        Ok(matrix)
    }
}

fn refuse(value: String, expected: &str) -> Error {
    Error::invalid_option("matrix", value, expected)
}

/// A column of classes.
struct Classes {
    name: String,
    /// A row of each class first, then the column itself.
    column: Frame,
    codes: Vec<u32>,
    levels: Vec<String>,
    /// A row of each class.
    example: Vec<usize>,
}

impl Classes {
    fn read(frame: &Frame, name: &str) -> Result<Self> {
        let groups = frame.groups(name)?;
        let mut example = Vec::new();
        for (code, level) in groups.levels.iter().enumerate() {
            let first = groups.codes.iter().position(|c| *c as usize == code);
            example.push(first.ok_or_else(|| {
                Error::Unidentified {
                    what: format!("a regression on `{name}`, whose class {level} no row has"),
                    needs:
                        "rows of every class; leave the class out of the column and of the matrix"
                            .to_owned(),
                }
            })?);
        }
        Ok(Self {
            column: Frame::new().with(name, frame.column(name)?.clone())?,
            name: name.to_owned(),
            codes: groups.codes.to_vec(),
            levels: groups.levels.to_vec(),
            example,
        })
    }

    /// Labels drawn anew by the probabilities for what they are. All powers of a data set use the same uniform numbers.
    fn worse(&self, power: &DMatrix<f64>, seed: Seed, draw: u64) -> Result<Column> {
        let mut random = seed.stream(draw);
        let rows: Vec<usize> = (self.codes.iter().enumerate())
            .map(|(row, code)| {
                if *code == MISSING {
                    return row;
                }
                let mut left = random.random::<f64>();
                let mut label = *code as usize;
                // The own class first, so that what stays as it is does so for all powers.
                for k in
                    std::iter::once(label).chain((0..self.levels.len()).filter(|k| *k != label))
                {
                    left -= power[(k, *code as usize)].max(0.0);
                    if left < 0.0 {
                        label = k;
                        break;
                    }
                }
                self.example[label]
            })
            .collect();
        Ok(self.column.take(&rows)?.column(&self.name)?.clone())
    }
}

/// `log Π` by square roots until it is near the identity, when it generates probabilities for every power: no negative rate between classes.
fn generator(matrix: &DMatrix<f64>) -> Option<DMatrix<f64>> {
    /// `‖A − I‖` from which the series takes a dozen terms.
    const NEAR: f64 = 0.25;
    const ROOTS: i32 = 40;
    const TERMS: i32 = 30;
    let k = matrix.nrows();
    let one = DMatrix::<f64>::identity(k, k);
    let (mut root, mut doublings) = (matrix.clone(), 0);
    while (&root - &one).norm() > NEAR {
        root = square_root(&root).filter(|_| doublings < ROOTS)?;
        doublings += 1;
    }
    // log A = 2 artanh((A − I)(A + I)⁻¹).
    let ratio = (&root - &one) * (&root + &one).try_inverse()?;
    let square = &ratio * &ratio;
    let (mut power, mut sum) = (ratio.clone(), ratio);
    for term in 1..TERMS {
        power = &power * &square;
        sum += &power / f64::from(2 * term + 1);
    }
    let log = sum * 2.0_f64.powi(doublings + 1);
    let fine = |j: usize, l: usize| j == l || log[(j, l)] >= -ROUNDING;
    (0..k).all(|j| (0..k).all(|l| fine(j, l))).then_some(log)
}

/// The principal square root by Denman and Beavers' iteration; none when it does not converge, as with eigenvalues that are zero or negative.
fn square_root(matrix: &DMatrix<f64>) -> Option<DMatrix<f64>> {
    const STEPS: usize = 60;
    let k = matrix.nrows();
    let (mut root, mut inverse) = (matrix.clone(), DMatrix::<f64>::identity(k, k));
    for _ in 0..STEPS {
        let next = (&root + inverse.clone().try_inverse()?) * 0.5;
        inverse = (&inverse + root.clone().try_inverse()?) * 0.5;
        let moved = (&next - &root).norm();
        root = next;
        if !moved.is_finite() {
            return None;
        }
        if moved <= 1e-14 * root.norm() {
            break;
        }
    }
    ((&root * &root - matrix).norm() <= 1e-10).then_some(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_the_powers_of_a_matrix() {
        let two = DMatrix::from_row_slice(2, 2, &[0.9, 0.2, 0.1, 0.8]);
        let log = generator(&two).unwrap();
        let half = (&log * 0.5).exp();
        assert!((&half * &half - &two).norm() < 1e-14);
        // In closed form: eigenvalues 1 and 0.7, stationary shares 2/3 and 1/3.
        assert!((half[(0, 0)] - (2.0 + 0.7_f64.sqrt()) / 3.0).abs() < 1e-14);
        let three =
            DMatrix::from_row_slice(3, 3, &[0.8, 0.1, 0.05, 0.15, 0.8, 0.1, 0.05, 0.1, 0.85]);
        let log = generator(&three).unwrap();
        assert!(((&log * 2.0).exp() - &three * &three).norm() < 1e-13);
        let third = (&log / 3.0).exp();
        assert!((&third * &third * &third - &three).norm() < 1e-13);
        // Nearly no error, nearly chance, worse than chance, chance.
        let of = |s: f64| DMatrix::from_row_slice(2, 2, &[s, 1.0 - s, 1.0 - s, s]);
        for s in [1.0, 1.0 - 1e-9, 0.500_01] {
            let log = generator(&of(s)).unwrap();
            assert!((log.exp() - of(s)).norm() < 1e-10, "{s}");
        }
        assert!(generator(&of(0.4)).is_none() && generator(&of(0.5)).is_none());
        // Neighbours only are mistaken, yet the root would have negative entries.
        let far = DMatrix::from_row_slice(3, 3, &[0.7, 0.3, 0.0, 0.3, 0.4, 0.3, 0.0, 0.3, 0.7]);
        assert!(generator(&far).is_none());
    }
}
