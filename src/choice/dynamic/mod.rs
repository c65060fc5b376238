//! Dynamic discrete choice over a finite set of states: nested fixed point, and conditional choice probabilities.

mod fit;
mod nested;
mod panel;
mod payoffs;
mod pseudo;
mod sensitivity;
mod transitions;

pub use fit::DynamicChoiceFit;
pub use payoffs::Payoffs;
pub use sensitivity::{DiscountPoint, DiscountSensitivity};
pub use transitions::Transitions;

use crate::data::Frame;
use crate::decision::{DynamicSolution, check_discount};
use crate::error::{Error, Result, Warning};
use crate::inference::Covariance;
use crate::numeric::Progress;
use crate::numeric::linalg::Cholesky;
use crate::numeric::optimize::{Convergence, Newton, Stopping};
use crate::regression::likelihood::{Finished, Parts, StoredRows};
use nalgebra::{DMatrix, DVector};
use nested::{NestedFixedPoint, Pass};
use panel::{Columns, Panel, Steps};
use pseudo::PseudoLikelihood;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::sync::Arc;

/// How a [`DynamicChoice`] is estimated.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DynamicMethod {
    /// Maximum likelihood: the value function is solved at every trial value of the parameters (Rust 1987).
    #[default]
    NestedFixedPoint,
    /// Choice probabilities estimated first stand for what the customer expects of the future, so that what remains is a logit; the logit's
    /// probabilities then take their place, so many rounds (Aguirregabiria & Mira 2002). One round is Hotz & Miller's estimator;
    /// `None` goes on until the probabilities settle, at the maximum of the likelihood.
    PseudoLikelihood {
        /// How many rounds.
        rounds: Option<usize>,
    },
}

/// Customers who look ahead: `P(a | s) = exp v(s, a)/Σ_b exp v(s, b)` with `v(s, a) = x(s, a)'θ + β Σ_s' P_a(s' | s) V(s')` and
/// `V(s) = ln Σ_a exp v(s, a)`, estimated from panels of states and choices. States are numbered 0 … S−1 and actions 0 … A−1.
///
/// It wants: taste shocks that are independent over actions and periods and extreme-value distributed, a state that the researcher sees
/// whole, movements that depend on state and action alone, and customers who know their law. θ is in units of the shock. The discount factor β is
/// given, not estimated: choices identify it only through states that move the future and not the payoffs; look at
/// [`DynamicChoice::sensitivity`].
///
/// The fixed point is solved by contraction and Newton–Kantorovich steps on values relative to state 0, the likelihood is maximised by
/// Newton's method with the exact gradient and Hessian, both through the fixed point by the implicit function theorem; the likelihood depends on the rows only by the
/// counts of states and actions, so that its cost does not grow with them.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `columns` | `unit`, `time`, `state`, `choice` | panel: customer, period (whole numbers), state, action | |
/// | `transitions` | [`Transitions::Frequencies`] | how the state moves | |
/// | `partial` | off | increments estimated in a first step only; else together with θ by full likelihood (NFXP, [`Transitions::Increments`]) | |
/// | `method` | [`DynamicMethod::NestedFixedPoint`] | estimator | |
/// | `covariance` | [`Covariance::Classical`] | inverse of the observed information; sandwich `Hc0`, clusters of customers | |
///
/// Where the law of motion was estimated in a first step, the standard errors of θ take it as known; the fit warns.
///
/// # Errors
/// [`Error::InvalidOption`] for a discount factor outside [0, 1); [`Error::OutOfRange`] for a state or action that the payoffs do not have, and
/// for two rows of a customer in one period; [`Error::Unidentified`] for an action that is never taken, for states without observations where their
/// law is asked of frequencies, for an increment never seen under the full likelihood, and when the information matrix is singular;
/// [`Error::NotConverged`] for a value function or a likelihood that does not converge; those of [`Frame::numeric`].
///
/// # References
/// Rust, J. (1987). *Econometrica* 55(5), 999–1033. doi:10.2307/1911259. Hotz, V. J. & Miller, R. A. (1993). *Review of Economic Studies* 60(3), 497–529.
/// doi:10.2307/2298122. Aguirregabiria, V. & Mira, P. (2002). *Econometrica* 70(4), 1519–1543. doi:10.1111/1468-0262.00340. Iskhakov, F., Lee, J., Rust,
/// J., Schjerning, B. & Seo, K. (2016). *Econometrica* 84(1), 365–370. doi:10.3982/ECTA12605
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let buses = DynamicPanel::replacement(90, 0.9999, 10.075, 2.293, &[0.3919, 0.5953, 0.0128])?.seed(1).simulate()?.data;
/// let fit = DynamicChoice::new(Payoffs::replacement(90)?, 0.9999)
///     .transitions(Transitions::Increments { most: 2, reset: Some(1) })
///     .fit(&buses)?;
/// let replacement = fit.coefficient("replacement")?;
/// assert!((replacement.estimate - 10.075).abs() < 3.0 * replacement.std_error);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DynamicChoice {
    payoffs: Payoffs,
    discount: f64,
    columns: Columns,
    transitions: Transitions,
    partial: bool,
    method: DynamicMethod,
    covariance: Covariance,
}

impl DynamicChoice {
    /// The model with these payoffs and this discount factor.
    pub fn new(payoffs: Payoffs, discount: f64) -> Self {
        Self {
            payoffs,
            discount,
            columns: Columns {
                unit: "unit".to_owned(),
                time: "time".to_owned(),
                state: "state".to_owned(),
                choice: "choice".to_owned(),
            },
            transitions: Transitions::default(),
            partial: false,
            method: DynamicMethod::default(),
            covariance: Covariance::Classical,
        }
    }

    /// The columns of customers, periods, states and choices.
    pub fn columns(
        mut self,
        unit: impl Into<String>,
        time: impl Into<String>,
        state: impl Into<String>,
        choice: impl Into<String>,
    ) -> Self {
        self.columns = Columns {
            unit: unit.into(),
            time: time.into(),
            state: state.into(),
            choice: choice.into(),
        };
        self
    }

    /// How the state moves.
    pub fn transitions(mut self, transitions: Transitions) -> Self {
        self.transitions = transitions;
        self
    }

    /// Estimates increments in a first step only: the partial likelihood.
    pub fn partial(mut self) -> Self {
        self.partial = true;
        self
    }

    /// Sets the estimator.
    pub fn method(mut self, method: DynamicMethod) -> Self {
        self.method = method;
        self
    }

    /// Sets the covariance estimator.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`DynamicChoice`].
    pub fn fit(&self, frame: &Frame) -> Result<DynamicChoiceFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`DynamicChoice`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<DynamicChoiceFit> {
        check_discount(self.discount)?;
        if let DynamicMethod::PseudoLikelihood { rounds: Some(0) } = self.method {
            return Err(Error::invalid_option("rounds", 0, "one round or more"));
        }
        let panel = Panel::read(&self.columns, &self.payoffs, frame)?;
        panel.refuse_unused(self.payoffs.actions())?;
        let (laws, steps) = panel.first_step(&self.transitions, &self.payoffs)?;
        let pseudo = PseudoLikelihood {
            payoffs: &self.payoffs,
            discount: self.discount,
            counts: &panel.counts,
            laws: &laws,
        };
        let nested = self.method == DynamicMethod::NestedFixedPoint;
        let steps = steps.filter(|_| nested && !self.partial);
        if let Some(steps) = &steps {
            refuse_unseen(steps)?;
        }
        let mut found = if nested {
            // Hotz & Miller's estimator is a start near the maximum.
            let start = match pseudo.maximize(Some(1), progress) {
                Ok(found) => found.point,
                Err(Error::Cancelled { what }) => return Err(Error::Cancelled { what }),
                Err(_) => vec![0.0; self.payoffs.names().len()],
            };
            self.nested(&panel, laws, steps.as_ref(), start, progress)?
        } else {
            self.pseudo(&pseudo, laws.clone(), progress)?
        };
        if steps.is_none() && !matches!(self.transitions, Transitions::Known(_)) {
            found.warnings.push(Warning::Note {
                message: "the law of motion was estimated in a first step; standard errors take it as known".to_owned(),
            });
        }
        self.finish(found, panel, steps.as_ref(), frame)
    }

    fn fixed_point<'a>(
        &'a self,
        counts: &'a [f64],
        laws: Vec<crate::decision::LawOfMotion>,
        steps: Option<&'a Steps>,
    ) -> NestedFixedPoint<'a> {
        NestedFixedPoint {
            payoffs: &self.payoffs,
            discount: self.discount,
            counts,
            laws,
            steps,
            near: RefCell::new(vec![0.0; self.payoffs.states()]),
            last: RefCell::new(None),
        }
    }

    fn nested(
        &self,
        panel: &Panel,
        laws: Vec<crate::decision::LawOfMotion>,
        steps: Option<&Steps>,
        mut start: Vec<f64>,
        progress: &Progress,
    ) -> Result<Found> {
        const MOST_ITERATIONS: usize = 200;
        let objective = self.fixed_point(&panel.counts, laws, steps);
        if let Some(steps) = steps {
            let shares = steps.shares();
            start.extend(&shares[..shares.len() - 1]);
        }
        // An error of the first solution says more than a start that is not finite.
        objective.pass(&start)?;
        let found = Newton::new()
            .stopping(Stopping::new().max_iterations(MOST_ITERATIONS))
            .minimize_with(&objective, &start, progress)?
            .or_error("the likelihood of the dynamic choice")?;
        Ok(Found {
            pass: objective.pass(&found.point)?,
            solution: objective.program(&found.point)?.solve()?,
            point: found.point,
            convergence: found.convergence,
            warnings: vec![],
        })
    }

    fn pseudo(
        &self,
        pseudo: &PseudoLikelihood<'_>,
        laws: Vec<crate::decision::LawOfMotion>,
        progress: &Progress,
    ) -> Result<Found> {
        let DynamicMethod::PseudoLikelihood { rounds } = self.method else {
            return Err(Error::invalid_option(
                "method",
                "another",
                "pseudo-likelihood",
            ));
        };
        let found = pseudo.maximize(rounds, progress)?;
        let program = self
            .fixed_point(pseudo.counts, laws, None)
            .program(&found.point)?;
        let mut warnings = Vec::new();
        if rounds.is_none() {
            warnings.push(Warning::Note {
                message: format!(
                    "the choice probabilities settled in {} rounds",
                    found.iterations
                ),
            });
        }
        Ok(Found {
            pass: found.pass,
            solution: program.solve()?,
            point: found.point,
            convergence: found.convergence,
            warnings,
        })
    }

    fn finish(
        &self,
        found: Found,
        panel: Panel,
        steps: Option<&Steps>,
        frame: &Frame,
    ) -> Result<DynamicChoiceFit> {
        let k = found.point.len();
        let factor = Cholesky::with_tolerance(&found.pass.information, f64::EPSILON);
        if factor.rank() < k {
            return Err(Error::Unidentified {
                what: "a payoff of the dynamic choice".to_owned(),
                needs: "choices in states where its feature differs between actions, or fewer payoffs: the information matrix is singular".to_owned(),
            });
        }
        let mut names = self.payoffs.names().to_vec();
        names.extend(
            (names.len()..k).map(|j| format!("increment[{}]", j - self.payoffs.names().len())),
        );
        let mut columns: Vec<Vec<f64>> = found
            .pass
            .scores
            .iter()
            .map(|score| panel.cells.iter().map(|cell| score[*cell]).collect())
            .collect();
        if let Some(steps) = steps {
            let own = self.payoffs.names().len();
            let last = 1.0 - found.point[own..].iter().sum::<f64>();
            for (row, step) in steps.of_row.iter().enumerate() {
                let Some(step) = *step else { continue };
                if own + step < k {
                    columns[own + step][row] += 1.0 / found.point[own + step];
                } else {
                    columns[own..]
                        .iter_mut()
                        .for_each(|column| column[row] -= 1.0 / last);
                }
            }
        }
        let rows = panel.rows.len();
        let mut warnings = panel.warnings;
        warnings.extend(found.warnings);
        let finished = Finished {
            title: "Dynamic discrete choice",
            formula: format!(
                "{} by {}, {} states, discount factor {}",
                self.columns.choice,
                self.columns.state,
                self.payoffs.states(),
                self.discount
            ),
            names,
            estimates: DVector::from_column_slice(&found.point),
            log_likelihood: found.pass.value,
            null_log_likelihood: None,
            observations: rows as f64,
            convergence: found.convergence,
            warnings,
            parts: Parts {
                source: Arc::new(StoredRows {
                    columns,
                    residual: vec![1.0; rows],
                    bread: factor.inverse(),
                    frequencies: None,
                }),
                leverages: false,
                likelihood: None,
                rows: panel.rows,
                frame: frame.clone(),
                formulas: vec![],
                map: DMatrix::identity(k, k),
                effects: vec![],
                absorbed: vec![],
            },
        };
        Ok(DynamicChoiceFit::new(
            finished.fit(&self.covariance)?,
            found.solution,
            self.discount,
        ))
    }
}

/// Where the search ended.
struct Found {
    point: Vec<f64>,
    pass: Pass,
    solution: DynamicSolution,
    convergence: Convergence,
    warnings: Vec<Warning>,
}

/// An increment that was never seen has its probability at a bound.
fn refuse_unseen(steps: &Steps) -> Result<()> {
    match steps.counts.iter().position(|n| *n <= 0.0) {
        Some(step) => Err(Error::Unidentified {
            what: format!("the probability of an increment of {step}, which was never seen,"),
            needs: "a smaller largest increment (Transitions::Increments), or the partial likelihood (DynamicChoice::partial)".to_owned(),
        }),
        None => Ok(()),
    }
}
