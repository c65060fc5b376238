//! The rows in use: outcome, arm, weights and covariates, and the standardised columns that a first step works on.

use crate::causal::arms::check_squares;
use crate::causal::sample::{CausalSample, Columns};
use crate::data::formula::{Term, columns_of};
use crate::data::{Design, Formula, Frame, Rows};
use crate::error::{Error, Result, Warning};
use crate::numeric::blocks;
use crate::numeric::linalg::Cholesky;
use nalgebra::{DMatrix, DVector};

/// Rows with outcome, arm and all covariates.
#[derive(Clone, Debug)]
pub(in crate::causal) struct Observed {
    pub(in crate::causal) treatment: String,
    /// Control, then the arm that is compared with it.
    pub(in crate::causal) arms: [String; 2],
    /// Rows of the frame in use.
    pub(in crate::causal) rows: Rows,
    pub(in crate::causal) y: Vec<f64>,
    pub(in crate::causal) treated: Vec<bool>,
    /// Sampling weights, 1 without.
    pub(in crate::causal) weights: Vec<f64>,
    pub(in crate::causal) clusters: Option<Vec<u32>>,
    /// The covariates by their names in the design.
    pub(in crate::causal) covariates: Vec<(String, Vec<f64>)>,
    pub(in crate::causal) warnings: Vec<Warning>,
}

/// A constant and the covariates that vary and are not spanned by others, standardised; row by row.
#[derive(Clone, Debug)]
pub(in crate::causal) struct Basis {
    /// Columns, the constant included.
    pub(in crate::causal) width: usize,
    /// Without the constant.
    pub(in crate::causal) names: Vec<String>,
    values: Vec<f64>,
}

impl Observed {
    /// Reads the rows of two arms on which all is present, the columns `present` too; the sample has the same rows in the same order.
    pub(in crate::causal) fn read(
        columns: &Columns,
        terms: &str,
        present: &[String],
        frame: &Frame,
    ) -> Result<(Self, CausalSample)> {
        let (observed, sample) = Self::read_arms(columns, terms, present, frame)?;
        if sample.arms.len() == 2 {
            return Ok((observed, sample));
        }
        Err(Error::invalid_option(
            "treatment",
            format!("`{}` with {} arms", columns.treatment, sample.arms.len()),
            "a column with two arms; keep the rows of two with `frame.filter`, or use `MultiArmWeighting` or `DoublyRobust`, which have several",
        ))
    }

    /// The same of two arms or more; the second one counts as treated.
    pub(super) fn read_arms(
        columns: &Columns,
        terms: &str,
        present: &[String],
        frame: &Frame,
    ) -> Result<(Self, CausalSample)> {
        let formula = Formula::from(format!("`{}` ~ {terms}", columns.outcome).as_str()).parse()?;
        let everything = formula.exogenous().iter().any(Term::has_everything);
        if everything || !(formula.effects().is_empty() && formula.endogenous().is_empty()) {
            return Err(Error::invalid_option(
                "terms",
                format!("`{terms}`"),
                "covariates by name, without `.` and `|`",
            ));
        }
        let columns = Columns {
            features: columns_of(formula.exogenous(), &[]),
            ..columns.clone()
        };
        // Once on all rows, so that what is refused is named by its row in the frame; clusters are needed on rows in use alone.
        let bare = Columns {
            clusters: None,
            ..columns.clone()
        };
        bare.read(frame)?;
        let also: Vec<&str> = std::iter::once(&columns.treatment)
            .chain(&columns.weights)
            .chain(present)
            .chain(columns.propensities.iter().map(|(_, column)| column))
            .map(String::as_str)
            .collect();
        let design = Design::build(&formula, frame, &also)?;
        let sample = columns.read(&frame.filter(&design.rows.mask())?)?;
        let dropped = design.rows.total() - design.rows.len();
        let observed = Self {
            treatment: sample.treatment.clone(),
            arms: [0, 1].map(|at: usize| sample.arms[at].clone()),
            y: sample.y.clone(),
            treated: sample.arm_of.iter().map(|arm| *arm == 1).collect(),
            weights: (0..sample.len()).map(|row| sample.weight(row)).collect(),
            clusters: sample.clusters.clone(),
            covariates: (design.exogenous.iter())
                .map(|column| (column.name.clone(), column.values(&design.rows)))
                .collect(),
            warnings: if dropped > 0 {
                vec![Warning::RowsDropped {
                    dropped,
                    missing: design.missing,
                }]
            } else {
                Vec::new()
            },
            rows: design.rows,
        };
        check_squares(&columns.outcome, &observed.y)?;
        for (name, values) in &observed.covariates {
            check_squares(name, values)?;
        }
        Ok((observed, sample))
    }

    pub(in crate::causal) fn len(&self) -> usize {
        self.y.len()
    }

    /// The sampling weight of an arm.
    pub(in crate::causal) fn arm_weight(&self, treated: bool) -> f64 {
        self.of_arm(treated).map(|row| self.weights[row]).sum()
    }

    /// The rows of an arm that have weight.
    pub(in crate::causal) fn of_arm(&self, treated: bool) -> impl Iterator<Item = usize> + '_ {
        (0..self.len()).filter(move |row| self.treated[*row] == treated && self.weights[*row] > 0.0)
    }

    /// Some of the rows.
    pub(in crate::causal) fn restrict(&self, keep: &[bool]) -> Self {
        fn kept<T: Copy>(values: &[T], keep: &[bool]) -> Vec<T> {
            let pairs = values.iter().zip(keep).filter(|(_, keep)| **keep);
            pairs.map(|(value, _)| *value).collect()
        }
        Self {
            rows: self.rows.retain(keep),
            y: kept(&self.y, keep),
            treated: kept(&self.treated, keep),
            weights: kept(&self.weights, keep),
            clusters: self.clusters.as_ref().map(|codes| kept(codes, keep)),
            covariates: (self.covariates.iter())
                .map(|(name, values)| (name.clone(), kept(values, keep)))
                .collect(),
            treatment: self.treatment.clone(),
            arms: self.arms.clone(),
            warnings: self.warnings.clone(),
        }
    }

    /// The standardised covariates; what was left out is named in the warnings.
    ///
    /// # Errors
    /// `Unidentified` for an arm with too few rows to balance the covariates.
    pub(in crate::causal) fn basis(&mut self) -> Result<Basis> {
        let basis = self.standardised();
        for treated in [false, true] {
            self.enough(treated, basis.width)?;
        }
        Ok(basis)
    }

    /// # Errors
    /// `Unidentified` for an arm with too few rows to balance the covariates.
    pub(super) fn enough(&self, treated: bool, width: usize) -> Result<()> {
        let rows = self.of_arm(treated).count();
        if rows > width.max(2) {
            return Ok(());
        }
        Err(Error::Unidentified {
            what: format!(
                "the mean outcome of arm `{}` of `{}`, which has {rows} rows with weight",
                self.arms[usize::from(treated)],
                self.treatment
            ),
            needs: format!(
                "more than {} rows to balance {} covariates; balance fewer, trim less, or find more rows",
                width.max(2),
                width - 1
            ),
        })
    }

    /// The same rows with one arm as the treated; rows for which `others` is false have no weight.
    pub(super) fn view(
        &self,
        sample: &CausalSample,
        [control, treated]: [usize; 2],
        others: impl Fn(usize) -> bool,
    ) -> Self {
        let mut view = self.clone();
        view.arms = [control, treated].map(|arm| sample.arms[arm].clone());
        for (row, arm) in sample.arm_of.iter().map(|arm| *arm as usize).enumerate() {
            view.treated[row] = arm == treated;
            if arm != treated && !others(arm) {
                view.weights[row] = 0.0;
            }
        }
        view
    }

    /// The standardised covariates, for arms of any size.
    pub(in crate::causal) fn standardised(&mut self) -> Basis {
        let (basis, mut left_out) = Basis::new(&self.covariates, &self.weights);
        self.warnings.append(&mut left_out);
        basis
    }
}

impl Basis {
    /// Standardises covariates; those that are constant or spanned by others are left out, which the warnings say.
    pub(in crate::causal) fn new(
        covariates: &[(String, Vec<f64>)],
        weights: &[f64],
    ) -> (Self, Vec<Warning>) {
        let total: f64 = weights.iter().sum();
        let n = weights.len();
        let (mut constant, mut varying) = (Vec::new(), Vec::new());
        for (name, values) in covariates {
            let weighted = |f: &dyn Fn(f64) -> f64| -> f64 {
                let each = values.iter().zip(weights).map(|(v, s)| s * f(*v));
                each.sum::<f64>() / total
            };
            let mean = weighted(&|v| v);
            let spread = weighted(&|v| (v - mean).powi(2)).sqrt();
            if spread <= 1e-12 * mean.abs() || spread <= f64::MIN_POSITIVE {
                constant.push(name.clone());
            } else {
                let unit = values
                    .iter()
                    .map(|v| (v - mean) / spread)
                    .collect::<Vec<f64>>();
                varying.push((name.clone(), unit));
            }
        }
        let p = varying.len();
        let rows = blocks::map(p, |a| -> Vec<f64> {
            let with = |b: usize| {
                let pairs = varying[a].1.iter().zip(&varying[b].1);
                let each = pairs.zip(weights).map(|((a, b), s)| s * a * b);
                each.sum::<f64>() / total
            };
            (0..=a).map(with).collect()
        });
        let correlation = DMatrix::from_fn(p, p, |a, b| rows[a.max(b)][a.min(b)]);
        let factor = Cholesky::new(&correlation);
        let collinear: Vec<String> = (factor.dropped().iter())
            .map(|at| varying[*at].0.clone())
            .collect();
        let width = factor.rank() + 1;
        let mut values = vec![1.0; n * width];
        for (place, at) in factor.kept().iter().enumerate() {
            for (row, v) in varying[*at].1.iter().enumerate() {
                values[row * width + place + 1] = *v;
            }
        }
        let mut warnings = Vec::new();
        if !constant.is_empty() {
            warnings.push(Warning::Constant { columns: constant });
        }
        if !collinear.is_empty() {
            warnings.push(Warning::Collinear { columns: collinear });
        }
        let names = factor.kept().iter().map(|at| varying[*at].0.clone());
        let basis = Self {
            width,
            names: names.collect(),
            values,
        };
        (basis, warnings)
    }

    pub(in crate::causal) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.width..(row + 1) * self.width]
    }

    /// `x'β` of every row.
    pub(in crate::causal) fn times(&self, beta: &DVector<f64>) -> Vec<f64> {
        let rows = self.values.chunks_exact(self.width);
        rows.map(|x| x.iter().zip(beta.iter()).map(|(x, b)| x * b).sum())
            .collect()
    }
}
