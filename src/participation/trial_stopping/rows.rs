//! The likelihood of one customer: so many trials, and what came after.

use crate::decision::{Place, TrialTables};
use crate::error::{Error, Result};
use crate::numeric::jet::{Jet, Scalar};
use crate::regression::likelihood::{Derivatives, Inputs, Order, Quantity, RowModel};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};

/// Which parameters follow the index of z_0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Layout {
    /// c, ln s, ln κ.
    Counts,
    /// c, θ, ln κ, with v_0 = κσ_s².
    Elicited { variance: f64 },
    /// c, θ, ln κ, α.
    Ambiguity { variance: f64 },
}

/// c, s, κ, α.
const STRUCTURE: usize = 4;

/// A search that ends beyond these has run to a bound of the parameter's range.
const WIDEST: f64 = 7.0;
const LN_RATIO: f64 = 4.0;
const DEAREST: f64 = 10.0;

/// By so much more the grid does not hold what happens.
const OUTSIDE: f64 = 1.5;

impl Layout {
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Counts => &["trial_cost", "ln_spread", "ln_ratio"],
            Self::Elicited { .. } => &["trial_cost", "taste", "ln_ratio"],
            Self::Ambiguity { .. } => &["trial_cost", "taste", "ln_ratio", "ambiguity"],
        }
    }

    /// Where the searches begin.
    pub(super) fn starts(self) -> Vec<(String, Vec<f64>)> {
        [(1.0_f64, 0.5_f64), (2.5, 1.5)]
            .into_iter()
            .map(|(s, k)| {
                let mut tail = vec![0.2, 0.0, k.ln()];
                tail[1] = match self {
                    Self::Counts => s.ln(),
                    Self::Elicited { variance } | Self::Ambiguity { variance } => {
                        s / (k * variance).sqrt()
                    }
                };
                if let Self::Ambiguity { .. } = self {
                    tail.push(0.0);
                }
                (format!("s = {s}, κ = {k}"), tail)
            })
            .collect()
    }

    /// (c, s, κ, α) of the parameters.
    pub(super) fn structure<T: Scalar>(self, p: &[T]) -> [T; STRUCTURE] {
        let ratio = p[2].exp();
        match self {
            Self::Counts => [p[0], p[1].exp(), ratio, T::constant(0.0)],
            Self::Elicited { variance } | Self::Ambiguity { variance } => {
                let spread = p[1] * (p[2] * 0.5).exp() * variance.sqrt();
                let ambiguity = p.get(3).copied().unwrap_or_else(|| T::constant(0.0));
                [p[0], spread, ratio, ambiguity]
            }
        }
    }

    /// The error for a point where a parameter is at a bound.
    pub(super) fn refuse(self, p: &[f64]) -> Option<Error> {
        let what = self.beyond(p, 1.0)?;
        Some(Error::Unidentified {
            what: format!("{what}, which runs to a bound of its range,"),
            needs: "more customers, more trials that are possible, or beliefs elicited with a known variance of the signal (TrialStopping::elicited), which tie spread and κ"
                .to_owned(),
        })
    }

    /// What is beyond its bound times `factor`.
    fn beyond(self, p: &[f64], factor: f64) -> Option<&'static str> {
        let [cost, spread, ..] = self.structure(p);
        if cost.abs() > factor * DEAREST {
            Some("the cost of a trial")
        } else if !(1e-2 / factor.powi(4)..factor * WIDEST).contains(&spread) {
            Some("the spread of the belief")
        } else if p[2].abs() > factor * LN_RATIO {
            Some("what a trial tells (κ)")
        } else {
            None
        }
    }
}

/// Logarithms of the probabilities of (trials, purchase) on the grid of z_0.
type Grids = Vec<Vec<Jet<STRUCTURE>>>;

/// The rows of the model; what is the same for all is worked out once a point.
#[derive(Debug)]
pub(super) struct StoppingRows {
    horizon: usize,
    discount: f64,
    layout: Layout,
    last: Mutex<Option<([u64; STRUCTURE], Arc<Grids>)>>,
}

impl StoppingRows {
    pub(super) fn new(horizon: usize, discount: f64, layout: Layout) -> Self {
        Self {
            horizon,
            discount,
            layout,
            last: Mutex::new(None),
        }
    }

    /// The grids at (c, s, κ, α); none where they do not exist.
    fn grids(&self, at: [f64; STRUCTURE]) -> Option<Arc<Grids>> {
        let key = at.map(f64::to_bits);
        let mut last = self.last.lock().ok()?;
        if let Some((known, grids)) = &*last
            && *known == key
        {
            return Some(Arc::clone(grids));
        }
        let tables = TrialTables::new(self.horizon, self.discount, Jet::variables(at)).ok()?;
        let outcomes = (0..=self.horizon).flat_map(|n| [(n, false), (n, true)]);
        let grids: Result<Grids> = Ok(outcomes
            .map(|(n, bought)| tables.log_probability(n, bought))
            .collect());
        let grids = Arc::new(grids.ok()?);
        *last = Some((key, Arc::clone(&grids)));
        Some(grids)
    }

    fn row<const J: usize>(&self, grids: &Grids, y: [f64; 3], p: [Jet<J>; J]) -> Jet<J> {
        let [bought, trials, prior] = y;
        let structure = self.layout.structure(&p[1..]);
        let z = match self.layout {
            Layout::Counts => p[0],
            _ => p[0] + p[2] * prior,
        };
        let outcome = 2 * trials as usize + usize::from(bought > 0.5);
        let [value, slope, curvature] = Place::of(z.value()).derivatives(&grids[outcome]);
        // The second-order chain rule from (z; c, s, κ, α) to the indices.
        let inputs = [z, structure[0], structure[1], structure[2], structure[3]];
        let first: [f64; 5] = std::array::from_fn(|a| {
            if a == 0 {
                slope.value
            } else {
                value.gradient[a - 1]
            }
        });
        let second = |a: usize, b: usize| match (a, b) {
            (0, 0) => curvature.value,
            (0, b) => slope.gradient[b - 1],
            (a, 0) => slope.gradient[a - 1],
            (a, b) => value.hessian[a - 1][b - 1],
        };
        let mut out = Jet::constant(value.value);
        for a in 0..5 {
            for i in 0..J {
                out.gradient[i] += first[a] * inputs[a].gradient[i];
                for j in 0..J {
                    out.hessian[i][j] += first[a] * inputs[a].hessian[i][j];
                    for (b, other) in inputs.iter().enumerate() {
                        out.hessian[i][j] +=
                            second(a, b) * inputs[a].gradient[i] * other.gradient[j];
                    }
                }
            }
        }
        out
    }

    fn rows<const J: usize>(&self, rows: &Inputs<'_>, out: &mut Derivatives) {
        let at = |i: usize| -> [f64; J] { std::array::from_fn(|j| rows.indices[j][i]) };
        let first = at(0);
        let structure = self.layout.structure(&first[1..]);
        let inside = self.layout.beyond(&first[1..], OUTSIDE).is_none();
        let grids = if inside { self.grids(structure) } else { None };
        for i in 0..rows.len {
            let Some(grids) = &grids else {
                out.value[i] = f64::NAN;
                continue;
            };
            let y = std::array::from_fn(|k| rows.outcomes.get(k).map_or(0.0, |y| y[i]));
            let jet = self.row(grids, y, Jet::variables(at(i)));
            out.set(i, &jet, std::array::from_fn(|j| j));
        }
    }
}

impl RowModel for StoppingRows {
    fn evaluate(&self, rows: &Inputs<'_>, _order: Order, out: &mut Derivatives) {
        if rows.len == 0 {
            return;
        }
        match self.layout {
            Layout::Counts | Layout::Elicited { .. } => self.rows::<4>(rows, out),
            Layout::Ambiguity { .. } => self.rows::<5>(rows, out),
        }
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        match what {
            Quantity::Linear => indices.first().copied(),
            _ => None,
        }
    }
}
