//! The linear-in-means model on a network, by two-stage least squares.

use crate::data::{Design, Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::inference::{Covariance, Estimate, Inference, coefficient_table};
use crate::numeric::linalg::Cholesky;
use crate::regression::{Iv, IvFit};
use crate::report::{Cell, Table};
use crate::simulate::Network;
use nalgebra::{DMatrix, DVector};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// What the Gram matrix of I, G and G² leaves of the last, below which it is a combination of the others.
const DEPENDENT: f64 = 1e-10;

/// The regressor that is one for people without neighbours.
const ISOLATED: &str = "isolated";

/// Outcomes that depend on the mean outcome and the mean characteristics of one's neighbours,
///
/// `y = α + β Gy + xγ + Gxδ + ε`, `E[ε | x, G] = 0`,
///
/// with G the network with rows that sum to one (zero for those without neighbours). β is the endogenous peer effect, δ are the contextual ones. The mean outcome of neighbours moves with one's own, so it is
/// instrumented by `G²x`, the characteristics of neighbours of neighbours. That works when I, G and G² are linearly independent and some `γβ + δ` is not zero: when somebody has a friend of a friend who is no friend. In groups of one size in which all are linked
/// to all it fails (the reflection problem), which is checked before anything is estimated. The social multiplier `1/(1 − β)` is what a change for everybody becomes.
///
/// People without neighbours have a dummy, `isolated`. Those who choose their neighbours by what else moves outcomes break the assumption; so do shocks that neighbours share.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `covariance` | [`Covariance::Hc1`] | sampling variance, such as by cluster of networks | |
///
/// # Errors
/// [`Error::Unidentified`] for a network in which nobody has neighbours or whose I, G and G² depend on one another; [`Error::LengthMismatch`] when network and frame differ; [`Error::OutOfRange`] for a missing value, since everybody is somebody's neighbour;
/// [`Error::InvalidOption`] for terms without a characteristic or with effects, or a column that has the name of the dummy; those of [`Iv`].
///
/// # References
/// Bramoullé, Y., Djebbari, H. & Fortin, B. (2009). Identification of peer effects through social networks. *Journal of Econometrics* 150(1), 41–55. doi:10.1016/j.jeconom.2008.12.021
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// use cocreate::simulate::Network;
/// let n = 300;
/// let network = Network::ring(n, 1)?;
/// let x: Vec<f64> = (0..n).map(|i| f64::from((i * 37 % 101) as u32) / 50.0).collect();
/// // Outcomes in equilibrium with β = 0.4, γ = 1, δ = 0.5, found by repeating the best reply.
/// let mean = |v: &[f64], i: usize| (v[(i + 1) % n] + v[(i + n - 1) % n]) / 2.0;
/// let mut y = vec![0.0; n];
/// for _ in 0..100 {
///     y = (0..n).map(|i| 0.4 * mean(&y, i) + x[i] + 0.5 * mean(&x, i) + ((i * 61 % 17) as f64 - 8.0) / 100.0).collect();
/// }
/// let frame = Frame::new().with("y", y)?.with("x", x)?;
/// let fit = LinearInMeans::new("y", "x").fit(&frame, &network)?;
/// assert!((fit.peer_effect()?.estimate - 0.4).abs() < 0.05);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LinearInMeans {
    outcome: String,
    terms: String,
    covariance: Covariance,
}

/// What [`LinearInMeans`] found: the endogenous effect is named `peers(outcome)`, contextual effects `peers(x)`.
#[derive(Clone, Debug, Serialize)]
pub struct LinearInMeansFit {
    title: String,
    peers: String,
    fit: IvFit,
    isolated: usize,
    independence: f64,
    warnings: Vec<Warning>,
}

impl LinearInMeans {
    /// An outcome and the characteristics that move it and those of neighbours, the right-hand side of a formula.
    pub fn new(outcome: impl Into<String>, terms: impl Into<String>) -> Self {
        Self {
            outcome: outcome.into(),
            terms: terms.into(),
            covariance: Covariance::default(),
        }
    }

    /// The covariance.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// The peer effects; rows of the frame are the people of the network in the same order.
    ///
    /// # Errors
    /// See [`LinearInMeans`].
    pub fn fit(&self, frame: &Frame, network: &Network) -> Result<LinearInMeansFit> {
        let neighbours = network.neighbours();
        if neighbours.len() != frame.rows() {
            return Err(Error::LengthMismatch {
                column: "network".to_owned(),
                expected: frame.rows(),
                found: neighbours.len(),
            });
        }
        let isolated = neighbours.iter().filter(|n| n.is_empty()).count();
        if isolated == neighbours.len() {
            return Err(Error::Unidentified {
                what: "effects of peers in a network without ties".to_owned(),
                needs: "people with neighbours".to_owned(),
            });
        }
        let independence = independence(neighbours);
        if independence <= DEPENDENT {
            return Err(Error::Unidentified {
                what: "the effect of neighbours' outcomes apart from that of their characteristics".to_owned(),
                needs: "a network in which I, G and G² are linearly independent, with somebody who has a neighbour's neighbour that is no neighbour; in groups of one size in which all are linked it is not (the reflection problem): use groups of several sizes, or a design that moves some of them".to_owned(),
            });
        }
        let formula =
            Formula::from(format!("`{}` ~ {}", self.outcome, self.terms).as_str()).parse()?;
        let design = Design::build(&formula, frame, &[])?;
        let allowed = formula.effects().is_empty() && formula.endogenous().is_empty();
        if !allowed || design.exogenous.is_empty() {
            return Err(Error::invalid_option(
                "terms",
                format!("`{}`", self.terms),
                "one characteristic or more, without `|`",
            ));
        }
        if let Some(row) = design.rows.mask().iter().position(|kept| !kept) {
            let column = design
                .missing
                .first()
                .map_or(self.outcome.clone(), |m| m.0.clone());
            return Err(Error::OutOfRange {
                column,
                row: row + 1,
                value: f64::NAN,
                expected: "known for everybody, since neighbours' means need it; fill it in or take the person out of frame and network".to_owned(),
            });
        }
        let average = |v: &[f64]| -> Vec<f64> {
            (neighbours.iter())
                .map(|n| {
                    let sum: f64 = n.iter().map(|k| v[*k as usize]).sum();
                    sum / n.len().max(1) as f64
                })
                .collect()
        };
        // Names that a formula reads; the frame keeps columns that a covariance needs.
        let peers = format!("peers({})", self.outcome);
        let y = design.outcome.values(&design.rows);
        let mut made = frame.clone().with_or_replace(&peers, average(&y))?;
        let (mut own, mut instruments) = (Vec::new(), Vec::new());
        for column in &design.exogenous {
            let values = column.values(&design.rows);
            let first = average(&values);
            let second = average(&first);
            let context = format!("peers({})", column.name);
            let instrument = format!("peers(peers({}))", column.name);
            made = made
                .with_or_replace(&column.name, values)?
                .with_or_replace(&context, first)?
                .with_or_replace(&instrument, second)?;
            own.push(format!("`{}`", column.name));
            own.push(format!("`{context}`"));
            instruments.push(format!("`{instrument}`"));
        }
        if isolated > 0 {
            // Without neighbours the mean is zero for want of one, not a small mean.
            if frame.has(ISOLATED) {
                return Err(Error::invalid_option(
                    "network",
                    format!("with {isolated} people without neighbours"),
                    format!(
                        "none of them, or a frame without the column `{ISOLATED}`: their dummy has that name; rename the column"
                    ),
                ));
            }
            let flags = neighbours.iter().map(|n| f64::from(u8::from(n.is_empty())));
            made = made.with(ISOLATED, flags.collect::<Vec<f64>>())?;
            own.push(ISOLATED.to_owned());
        }
        let formula = format!(
            "`{}` ~ {}{} | `{peers}` ~ {}",
            self.outcome,
            if design.intercept { "" } else { "0 + " },
            own.join(" + "),
            instruments.join(" + ")
        );
        let fit = Iv::new(formula.as_str())
            .covariance(self.covariance.clone())
            .fit(&made)?;
        let mut warnings = fit.warnings();
        let beta = fit.coefficient(&peers)?.estimate;
        if beta.abs() >= 1.0 {
            warnings.push(Warning::Note {
                message: format!(
                    "the endogenous effect is {beta:.3}: with one of 1 or more in size outcomes have no equilibrium; suspect weak instruments or neighbours who are alike"
                ),
            });
        }
        Ok(LinearInMeansFit {
            title: format!("Linear in means: {} ~ {}", self.outcome, self.terms),
            peers,
            fit,
            isolated,
            independence,
            warnings,
        })
    }
}

/// The share of G² (in the sense of squares of its entries) that no combination of I and G explains.
fn independence(neighbours: &[Vec<u32>]) -> f64 {
    // Products of I, G and G², entry by entry, row after row.
    let mut gram = DMatrix::<f64>::zeros(3, 3);
    let share = |i: usize| 1.0 / neighbours[i].len().max(1) as f64;
    for (i, own) in neighbours.iter().enumerate() {
        let mut row: BTreeMap<usize, [f64; 3]> = BTreeMap::new();
        row.entry(i).or_default()[0] = 1.0;
        for k in own {
            let k = *k as usize;
            row.entry(k).or_default()[1] += share(i);
            for l in &neighbours[k] {
                row.entry(*l as usize).or_default()[2] += share(i) * share(k);
            }
        }
        for v in row.values() {
            for a in 0..3 {
                for b in 0..3 {
                    gram[(a, b)] += v[a] * v[b];
                }
            }
        }
    }
    if gram[(2, 2)] <= 0.0 {
        return 0.0;
    }
    let first = gram.view((0, 0), (2, 2)).into_owned();
    let right = DVector::from_column_slice(&[gram[(0, 2)], gram[(1, 2)]]);
    let explained = right.dot(&Cholesky::new(&first).solve_vector(&right));
    (1.0 - explained / gram[(2, 2)]).max(0.0)
}

impl LinearInMeansFit {
    /// β, the endogenous effect.
    ///
    /// # Errors
    /// None that a fit can meet; those of [`Inference::coefficient`].
    pub fn peer_effect(&self) -> Result<Estimate> {
        self.fit.coefficient(&self.peers)
    }

    /// `1/(1 − β)`, by the delta method.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for β = 1.
    pub fn social_multiplier(&self) -> Result<Estimate> {
        self.fit
            .nonlinear("social multiplier", &[&self.peers], |b| 1.0 / (1.0 - b[0]))
    }

    /// The fit by two-stage least squares, with its first stage, tests and Anderson–Rubin sets.
    pub fn two_stage(&self) -> &IvFit {
        &self.fit
    }

    /// People without neighbours.
    pub fn isolated(&self) -> usize {
        self.isolated
    }

    /// The share of G² that I and G do not explain: near zero, neighbours of neighbours are neighbours.
    pub fn independence(&self) -> f64 {
        self.independence
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The effects as a table.
    pub fn table(&self) -> Table {
        let mut table = coefficient_table(self).with_title(&self.title).note(format!(
            "Two-stage least squares with characteristics of neighbours' neighbours; {} of G² is no combination of I and G; {} people without neighbours.",
            Cell::percent(self.independence, 1),
            self.isolated
        ));
        if let Ok(m) = self.social_multiplier() {
            table = table.note(format!("{m}."));
        }
        table.warned(&self.warnings)
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl Inference for LinearInMeansFit {
    crate::inference::fields::inference_of_fit!(fit);

    fn table(&self) -> Table {
        Self::table(self)
    }
}

impl fmt::Display for LinearInMeansFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::table(self).fmt(f)
    }
}

crate::report::notebook!(LinearInMeansFit);
