//! Choices with consequences: a finite set of states, two or more actions, a known discount factor.

use crate::error::{Error, Result};
use nalgebra::{DMatrix, DVector, Dyn, LU};
use serde::{Deserialize, Serialize};

/// How far the rows of a law of motion may be from one.
const SUMS_TO_ONE: f64 = 1e-9;

/// Contraction steps before Newton's take over: they bring any start to where Newton's converge quadratically.
const CONTRACTIONS: usize = 10;

/// Newton steps at most; from there five are usual.
const NEWTON_STEPS: usize = 60;

/// The change of relative values, as a share of the largest, below which they are equal up to rounding.
const TOLERANCE: f64 = 1e-13;

/// Where an action leads: for each state the next states with their probabilities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LawOfMotion {
    rows: Vec<Vec<(usize, f64)>>,
}

impl LawOfMotion {
    /// The law with these probabilities: `rows[s]` lists the states that may follow state s.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a state that does not exist, a negative probability, or probabilities that do not sum to one.
    pub fn new(rows: Vec<Vec<(usize, f64)>>) -> Result<Self> {
        let states = rows.len();
        for (state, row) in rows.iter().enumerate() {
            let total: f64 = row.iter().map(|(_, p)| p).sum();
            let proper = row.iter().all(|(next, p)| *next < states && *p >= 0.0);
            if !proper || (total - 1.0).abs() > SUMS_TO_ONE || !total.is_finite() {
                return Err(Error::invalid_option(
                    "law of motion",
                    format!("{row:?} from state {state}"),
                    format!(
                        "probabilities of states 0 to {} that sum to one",
                        states.saturating_sub(1)
                    ),
                ));
            }
        }
        Ok(Self { rows })
    }

    /// The state rises by 0, 1, … with these probabilities and stays within `states`; from `origin` when that is given (what is
    /// replaced begins anew), else from where it is.
    ///
    /// # Errors
    /// Those of [`LawOfMotion::new`].
    pub fn increments(states: usize, increments: &[f64], origin: Option<usize>) -> Result<Self> {
        let row = |state: usize| {
            let from = origin.unwrap_or(state);
            let mut row: Vec<(usize, f64)> = Vec::with_capacity(increments.len());
            for (step, p) in increments.iter().enumerate() {
                let next = (from + step).min(states - 1);
                match row.last_mut() {
                    Some(last) if last.0 == next => last.1 += p,
                    _ => row.push((next, *p)),
                }
            }
            row
        };
        Self::new((0..states).map(row).collect())
    }

    /// The states that may follow a state.
    pub fn from_state(&self, state: usize) -> &[(usize, f64)] {
        &self.rows[state]
    }

    /// How many states there are.
    pub fn states(&self) -> usize {
        self.rows.len()
    }

    /// `Σ_s' P(s' | s) v(s')`.
    pub(crate) fn expect(&self, state: usize, values: &[f64]) -> f64 {
        self.rows[state]
            .iter()
            .map(|(next, p)| p * values[*next])
            .sum()
    }
}

/// A customer who chooses among actions a in state s at every period, and knows where each action leads:
/// `v(s, a) = u(s, a) + β Σ_s' P_a(s' | s) V(s')`, `V(s) = E max_a {v(s, a) + ε_a} = ln Σ_a exp v(s, a)`, with extreme-value taste shocks
/// ε (less their mean, Euler's constant) that are independent over actions and periods: `P(a | s) = exp(v(s, a) − V(s))`.
///
/// ```
/// use cocreate::decision::{DynamicProgram, LawOfMotion};
/// // Rust's bus: keep it at a cost that rises with its mileage, or replace its engine.
/// let steps = [0.4, 0.5, 0.1];
/// let laws = vec![LawOfMotion::increments(90, &steps, None)?, LawOfMotion::increments(90, &steps, Some(0))?];
/// let payoffs = (0..90).map(|s| vec![-0.0025 * s as f64, -10.0]).collect();
/// let solved = DynamicProgram::new(payoffs, laws, 0.9999)?.solve()?;
/// assert!(solved.probabilities[0][1] < solved.probabilities[80][1]);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # References
/// Rust, J. (1987). Optimal replacement of GMC bus engines: an empirical model of Harold Zurcher. *Econometrica* 55(5), 999–1033.
/// doi:10.2307/1911259
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DynamicProgram {
    /// `u(s, a)`, a row a state.
    payoffs: Vec<Vec<f64>>,
    /// One an action.
    laws: Vec<LawOfMotion>,
    discount: f64,
}

/// What a [`DynamicProgram`] comes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DynamicSolution {
    /// `V(s)`.
    pub values: Vec<f64>,
    /// `P(a | s)`, a row a state.
    pub probabilities: Vec<Vec<f64>>,
    /// Steps by contraction.
    pub contractions: usize,
    /// Newton steps.
    pub newton_steps: usize,
    /// The last change of relative values.
    pub change: f64,
}

/// A solution with what its derivatives need.
#[derive(Clone, Debug)]
pub(crate) struct Solved {
    /// `V(s) − V(0)`.
    pub(crate) relative: Vec<f64>,
    /// `V(0)`.
    pub(crate) level: f64,
    /// `P(a | s)`, at `s * actions + a`.
    pub(crate) probabilities: Vec<f64>,
    pub(crate) linear: RelativeSystem,
    contractions: usize,
    newton_steps: usize,
    change: f64,
}

/// Refuses a discount factor outside [0, 1).
pub(crate) fn check_discount(discount: f64) -> Result<()> {
    if (0.0..1.0).contains(&discount) {
        return Ok(());
    }
    Err(Error::invalid_option(
        "discount",
        discount,
        "a discount factor of at least 0 and below 1: at 1 and above the value of the future is not finite",
    ))
}

impl DynamicProgram {
    /// The programme with payoffs `u(s, a)` (a row a state), the law of motion of each action, and a discount factor.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a discount factor outside [0, 1), fewer than two actions, or sizes that differ;
    /// [`Error::NotFinite`] for a payoff that is not finite.
    pub fn new(payoffs: Vec<Vec<f64>>, laws: Vec<LawOfMotion>, discount: f64) -> Result<Self> {
        check_discount(discount)?;
        let (states, actions) = (payoffs.len(), laws.len());
        if states == 0 || actions < 2 {
            return Err(Error::invalid_option(
                "payoffs",
                format!("of {states} states and {actions} actions"),
                "those of a state or more and two actions or more",
            ));
        }
        let fits = payoffs.iter().all(|row| row.len() == actions)
            && laws.iter().all(|law| law.states() == states);
        if !fits {
            return Err(Error::invalid_option(
                "payoffs",
                format!("{states} rows, for {actions} laws of motion"),
                "a row a state with a number an action, and laws of as many states",
            ));
        }
        if payoffs.iter().flatten().any(|u| !u.is_finite()) {
            return Err(Error::NotFinite {
                what: "a payoff of a state and action".to_owned(),
            });
        }
        Ok(Self {
            payoffs,
            laws,
            discount,
        })
    }

    /// Number of states.
    pub fn states(&self) -> usize {
        self.payoffs.len()
    }

    /// Number of actions.
    pub fn actions(&self) -> usize {
        self.laws.len()
    }

    /// The discount factor.
    pub fn discount(&self) -> f64 {
        self.discount
    }

    /// The law of motion of an action.
    pub fn law(&self, action: usize) -> &LawOfMotion {
        &self.laws[action]
    }

    /// Values and choice probabilities, by contraction steps and then Newton's (Kantorovich), both on values relative to state 0,
    /// which are well conditioned however near to one the discount factor is.
    ///
    /// # Errors
    /// [`Error::NotConverged`] when the values do not settle, [`Error::NotFinite`] when they overflow.
    ///
    /// # References
    /// Rust, J. (2000). *Nested Fixed Point Algorithm Documentation Manual*, version 6. Bray, R. L. (2019). Strong convergence and
    /// dynamic economic models. *Quantitative Economics* 10(1), 43–65. doi:10.3982/QE833
    pub fn solve(&self) -> Result<DynamicSolution> {
        let solved = self.solve_from(&vec![0.0; self.states()], NEWTON_STEPS)?;
        Ok(solved.into_solution(self.actions()))
    }

    /// The same from known relative values, in so many Newton steps at most.
    pub(crate) fn solve_from(&self, start: &[f64], most: usize) -> Result<Solved> {
        let mut relative = start.to_vec();
        let mut next = vec![0.0; self.states()];
        let mut probabilities = vec![0.0; self.states() * self.actions()];
        let mut change = f64::INFINITY;
        for _ in 0..CONTRACTIONS {
            self.step(&relative, &mut next, &mut probabilities);
            std::mem::swap(&mut relative, &mut next);
        }
        for newton in 0..=most {
            let at_first = self.step(&relative, &mut next, &mut probabilities);
            let size = relative.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
            if !at_first.is_finite() || !size.is_finite() {
                return Err(Error::NotFinite {
                    what: "the value function".to_owned(),
                });
            }
            let linear = RelativeSystem::new(self, &probabilities)?;
            let gap: Vec<f64> = next.iter().zip(&relative).map(|(n, r)| n - r).collect();
            let step = linear.solve(gap);
            change = step.iter().fold(0.0_f64, |m, v| m.max(v.abs())) / size;
            if change <= TOLERANCE {
                return Ok(Solved {
                    level: at_first / (1.0 - self.discount),
                    relative,
                    probabilities,
                    linear,
                    contractions: CONTRACTIONS,
                    newton_steps: newton,
                    change,
                });
            }
            for (r, s) in relative.iter_mut().zip(&step) {
                *r += s;
            }
        }
        Err(Error::NotConverged {
            what: "the value function (contraction, then Newton–Kantorovich)".to_owned(),
            iterations: CONTRACTIONS + most,
            criterion: change,
            tolerance: TOLERANCE,
            remedy: "scale the payoffs so that they differ by tens rather than thousands, or lower the discount factor".to_owned(),
        })
    }

    /// One step of the contraction on relative values, with the choice probabilities at the old ones; returns the new value of
    /// state 0 before it is taken off: `V(0) = Γ(W)(0)/(1 − β)` at the fixed point.
    fn step(&self, relative: &[f64], next: &mut [f64], probabilities: &mut [f64]) -> f64 {
        let actions = self.actions();
        let mut first = 0.0;
        for (state, (row, out)) in probabilities
            .chunks_exact_mut(actions)
            .zip(next.iter_mut())
            .enumerate()
        {
            for (action, (v, law)) in row.iter_mut().zip(&self.laws).enumerate() {
                *v = self.payoffs[state][action] + self.discount * law.expect(state, relative);
            }
            let value = log_sum_exp(row);
            for v in row.iter_mut() {
                *v = (*v - value).exp();
            }
            if state == 0 {
                first = value;
            }
            *out = value - first;
        }
        first
    }
}

/// `ln Σ exp v`.
fn log_sum_exp(values: &[f64]) -> f64 {
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + values.iter().map(|v| (v - most).exp()).sum::<f64>().ln()
}

impl Solved {
    /// The solution as it is shown.
    pub(crate) fn into_solution(self, actions: usize) -> DynamicSolution {
        DynamicSolution {
            values: self.relative.iter().map(|w| w + self.level).collect(),
            probabilities: self
                .probabilities
                .chunks_exact(actions)
                .map(<[f64]>::to_vec)
                .collect(),
            contractions: self.contractions,
            newton_steps: self.newton_steps,
            change: self.change,
        }
    }
}

/// The linear equations of values that follow given choice probabilities: x = b + βMx with `M = Σ_a diag(P(a | ·)) P_a`, for x relative to
/// its entry in state 0: `(I − βM + 1 βM_0) w = b − b_0`.
#[derive(Clone, Debug)]
pub(crate) struct RelativeSystem {
    factor: LU<f64, Dyn, Dyn>,
}

impl RelativeSystem {
    pub(crate) fn new(program: &DynamicProgram, probabilities: &[f64]) -> Result<Self> {
        let (states, actions) = (program.states(), program.actions());
        let mut m = DMatrix::zeros(states, states);
        for (state, row) in probabilities.chunks_exact(actions).enumerate() {
            for (p, law) in row.iter().zip(&program.laws) {
                for (next, q) in law.from_state(state) {
                    m[(state, *next)] += program.discount * p * q;
                }
            }
        }
        let first = m.row(0).clone_owned();
        let mut system = DMatrix::identity(states, states) - m;
        for mut row in system.row_iter_mut() {
            row += &first;
        }
        let factor = system.lu();
        if !factor.is_invertible() {
            return Err(Error::NotFinite {
                what: "the derivative of the value function".to_owned(),
            });
        }
        Ok(Self { factor })
    }

    /// w for the right-hand side b.
    pub(crate) fn solve(&self, mut b: Vec<f64>) -> Vec<f64> {
        let first = b[0];
        for v in &mut b {
            *v -= first;
        }
        let mut x = DVector::from_vec(b);
        self.factor.solve_mut(&mut x);
        x.as_slice().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bus(discount: f64, replacement: f64) -> DynamicProgram {
        let steps = [0.39, 0.595, 0.015];
        let laws = vec![
            LawOfMotion::increments(60, &steps, None).unwrap(),
            LawOfMotion::increments(60, &steps, Some(0)).unwrap(),
        ];
        let payoffs = (0..60)
            .map(|s| vec![-0.003 * f64::from(s), -replacement])
            .collect();
        DynamicProgram::new(payoffs, laws, discount).unwrap()
    }

    #[test]
    fn values_solve_bellmans_equation() {
        for discount in [0.0, 0.5, 0.95, 0.9999] {
            let program = bus(discount, 9.0);
            let solved = program.solve().unwrap();
            for state in 0..60 {
                let v: Vec<f64> = (0..2)
                    .map(|a| {
                        program.payoffs[state][a]
                            + discount * program.law(a).expect(state, &solved.values)
                    })
                    .collect();
                let size = solved.values[0].abs().max(1.0);
                assert!((log_sum_exp(&v) - solved.values[state]).abs() < 1e-12 * size);
                let p = (v[1] - solved.values[state]).exp();
                assert!(
                    (p / solved.probabilities[state][1] - 1.0).abs() < 1e-9,
                    "{discount} {state}"
                );
            }
        }
    }

    #[test]
    fn without_a_future_it_is_a_logit() {
        let solved = bus(0.0, 2.0).solve().unwrap();
        let logit = 1.0 / (1.0 + (2.0_f64 - 0.003 * 40.0).exp());
        assert!((solved.probabilities[40][1] - logit).abs() < 1e-14);
    }

    #[test]
    fn what_cannot_be_solved_is_refused() {
        assert!(matches!(
            bus(0.99, 9.0).solve_from(&[0.0; 60], 0),
            Err(Error::NotConverged { .. })
        ));
        for discount in [1.0, -0.1, f64::NAN] {
            assert!(matches!(
                check_discount(discount),
                Err(Error::InvalidOption { .. })
            ));
        }
        assert!(LawOfMotion::new(vec![vec![(0, 0.5)]]).is_err());
        assert!(LawOfMotion::new(vec![vec![(1, 1.0)]]).is_err());
    }
}
