//! Agreements of two sides of which only "both" is seen.

use super::identification::mutual_shifters;
use super::optima::{Optima, Start, highest};
use crate::data::{Design, Formula, Frame};
use crate::error::{Error, Result};
use crate::inference::{Estimate, Inference};
use crate::numeric::Progress;
use crate::numeric::special::{multivariate_normal::bivariate_cdf, normal};
use crate::participation::probability::within_unit;
use crate::regression::binary::{Binary, Link, check_binary};
use crate::regression::bivariate_probit::density::{LogCdf, ln_bivariate_cdf};
use crate::regression::delegate::delegate_to_likelihood;
use crate::regression::likelihood::{
    Derivatives, Estimation, Index, Inputs, Likelihood, Options, Order, RowModel, maximize,
    options_builder,
};
use crate::regression::linear::Weights;
use crate::regression::{LikelihoodFit, MarginalEffects, Margins, Predictions, Quantity};
use crate::report::{Cell, Table};
use crate::summary::gram::packed_index;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Beyond this |atanh ρ| (|ρ| > 0.999998) the data say that ρ is at its bound.
const BOUND: f64 = 7.0;

/// A side with an index this low never agrees: ln(1 − Φ₂) > −10⁻⁵⁰, and its derivatives are as small.
const NEVER: f64 = -15.5;

/// Above this probability of both, that of not both is Φ(−c) + Φ₂(c, −f; −ρ), a sum of positive numbers: one less the first would cancel.
const LIKELY: f64 = 0.9;

/// Mutual acceptance (partial observability): a co-creation happens when the customer wants it, `z_c = x'β + ε > 0`, *and* the firm does,
/// `z_f = w'γ + u > 0`; only whether both do is seen: `P(A = 1) = Φ₂(z_c, z_f; ρ)`. By maximum likelihood.
///
/// Names of the coefficients have the prefixes `customer.` and `firm.`; the last parameter is `atanh_rho`, unless ρ is fixed at zero by
/// [`MutualAcceptance::independent`].
///
/// # Identification
/// Which side said no is never seen. Each side needs a variable that moves it and not the other (a shifter of the customer's cost, one of
/// the firm's capacity); without one [`Error::Unidentified`] is returned. Scales are one. ρ is known poorly in samples of usual size:
/// compare with ρ = 0. The likelihood may have several maxima: searches begin at several points and are reported
/// ([`MutualAcceptanceFit::optima`]).
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `independent` | off | fixes ρ = 0 | |
/// | `covariance` | `Covariance::Hc1` | sampling variance | all but HC2, HC3, CR2 |
/// | `weights`, `frequency_weights` | none | weights in the log-likelihood | ≥ 0 |
///
/// # Errors
/// [`Error::Unidentified`] without an excluded shifter on each side, when the outcome does not vary, or when ρ runs to ±1;
/// [`Error::OutOfRange`] for outcomes other than 0 and 1; [`Error::InvalidOption`] when the formulas have different outcomes; those of
/// the formulas and the covariance; [`Error::NotConverged`], [`Error::Cancelled`].
///
/// # References
/// Poirier, D. J. (1980). Partial observability in bivariate probit models. *Journal of Econometrics* 12(2), 209–217.
/// doi:10.1016/0304-4076(80)90007-X
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let n = 2000;
/// let u = |i: usize, k: usize| ((i * k) % 1009) as f64 / 1009.0; // evenly spread numbers
/// let cost: Vec<f64> = (0..n).map(|i| 2.0 * u(i, 17) - 1.0).collect();
/// let load: Vec<f64> = (0..n).map(|i| 2.0 * u(i, 401) - 1.0).collect();
/// let noise = |i: usize, k: usize| { let p = u(i, k) + 0.0005; (p / (1.0 - p)).ln() / 1.6 };
/// let both: Vec<f64> = (0..n)
///     .map(|i| f64::from(u8::from(0.6 - cost[i] + noise(i, 631) > 0.0 && 0.4 - load[i] + noise(i, 877) > 0.0)))
///     .collect();
/// let frame = Frame::new().with("both", both)?.with("cost", cost)?.with("load", load)?;
/// let fit = MutualAcceptance::new("both ~ cost", "both ~ load").independent().fit(&frame)?;
/// assert!((fit.coefficient("customer.cost")?.estimate + 1.0).abs() < 0.3);
/// assert!(MutualAcceptance::new("both ~ cost", "both ~ cost").fit(&frame).is_err());
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MutualAcceptance {
    /// Those of the customer.
    options: Options,
    firm: Formula,
    independent: bool,
}

impl MutualAcceptance {
    /// The model of two formulas with the same outcome, the customer's and the firm's, with ρ free and robust errors.
    pub fn new(customer: impl Into<Formula>, firm: impl Into<Formula>) -> Self {
        Self {
            options: Options::new(customer.into()),
            firm: firm.into(),
            independent: false,
        }
    }

    /// Fixes ρ = 0.
    pub fn independent(mut self) -> Self {
        self.independent = true;
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`MutualAcceptance`].
    pub fn fit(&self, frame: &Frame) -> Result<MutualAcceptanceFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`MutualAcceptance`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<MutualAcceptanceFit> {
        let parsed = self.firm.parse()?;
        let of_firm = parsed.variables();
        let also: Vec<&str> = of_firm.iter().map(String::as_str).collect();
        let refuse = "without fixed effects for mutual acceptance";
        let mut sample = self.options.sample_with(frame, &also, refuse)?;
        let of_customer = sample.parsed.variables();
        let weight = self.options.weights.as_ref().map(Weights::column);
        let also: Vec<&str> = of_customer
            .iter()
            .map(String::as_str)
            .chain(weight)
            .collect();
        let mut firm = Design::build(&parsed, frame, &also)?;
        if !firm.endogenous.is_empty() || !firm.fixed_effects.is_empty() {
            let expected = "without instruments and fixed effects for mutual acceptance";
            return Err(Error::invalid_option("formula", &parsed, expected));
        }
        if firm.outcome.name != sample.design.outcome.name {
            return Err(Error::invalid_option(
                "outcome of the firm's formula",
                &firm.outcome.name,
                format!(
                    "`{}`, as in the customer's: it is one outcome, whether both agree",
                    sample.design.outcome.name
                ),
            ));
        }
        let known = sample.design.rows.mask();
        let keep: Vec<bool> = (0..firm.rows.len())
            .map(|i| known[firm.rows.index(i)])
            .collect();
        firm.restrict(&keep);
        let rows = sample.design.rows.clone();
        check_binary(&sample.design.outcome, &rows)?;
        let mut index = |equation: &str, columns: &[crate::data::DesignColumn], constant: bool| {
            Index::new(
                equation,
                columns,
                constant,
                &rows,
                sample.weights.as_deref(),
                &mut sample.warnings,
            )
        };
        let customer = index(
            "customer",
            &sample.design.exogenous,
            sample.design.intercept,
        );
        let firm = index("firm", &firm.exogenous, firm.intercept);
        check_shifters(&customer, &firm)?;

        let mut likelihood = Likelihood {
            model: Arc::new(Binary { link: Link::Probit }),
            indices: vec![customer],
            outcomes: vec![sample.design.outcome.clone()],
            rows: rows.clone(),
            weights: sample.weights.clone().map(Arc::new),
            frequency: sample.frequency,
        };
        let starts = self.starts(&mut likelihood, firm, progress)?;
        let refuse = |point: &[f64]| {
            let bound = !self.independent && point.last().is_some_and(|t| t.abs() > BOUND);
            bound.then(|| Error::Unidentified {
                what: "the correlation of the two sides, whose estimate runs to ±1,".to_owned(),
                needs: "stronger shifters of each side, or ρ = 0 (MutualAcceptance::independent)"
                    .to_owned(),
            })
        };
        let parameters = likelihood.parameters();
        if likelihood.observations() <= parameters as f64 {
            return Err(Error::TooFewRows {
                rows: likelihood.observations() as usize,
                parameters,
            });
        }
        let what = "the likelihood of mutual acceptance";
        let (found, optima) = highest(
            &likelihood,
            starts,
            what,
            refuse,
            &mut sample.warnings,
            progress,
        )?;
        let estimation = Estimation {
            title: "Mutual acceptance (partial observability)",
            formulas: vec![self.options.formula.clone(), self.firm.clone()],
            formula: format!("customer: {}; firm: {parsed}", sample.parsed),
            likelihood,
            start: found.point.clone(),
            warnings: sample.warnings,
            covariance: &self.options.covariance,
            frame,
        };
        Ok(MutualAcceptanceFit {
            fit: estimation.finish(found, None)?,
            optima,
            independent: self.independent,
        })
    }

    /// Completes the likelihood, and where its searches begin: a probit of the agreement on each side's variables alone gives slopes of that
    /// side; each side alone says yes with the root of the share of agreements.
    fn starts(
        &self,
        likelihood: &mut Likelihood,
        firm: Index,
        progress: &Progress,
    ) -> Result<Vec<Start>> {
        let level = normal::quantile(likelihood.mean_outcome().sqrt());
        let mut slopes = Vec::new();
        let customer = likelihood.indices[0].clone();
        for index in [&customer, &firm] {
            likelihood.indices = vec![index.clone()];
            let zero = vec![0.0; likelihood.parameters()];
            let mut point =
                maximize(likelihood, zero, "the probit of the agreement", progress)?.point;
            if index.constant.is_some() {
                point[0] = level;
            }
            slopes.push(point);
        }
        let flat = |index: &Index| {
            let mut point = vec![0.0; index.parameters()];
            if index.constant.is_some() {
                point[0] = level;
            }
            point
        };
        let (of_customer, of_firm) = (flat(&customer), flat(&firm));
        let pairs = [
            ("slopes on both sides", [&slopes[0], &slopes[1]]),
            ("the customer's slopes", [&slopes[0], &of_firm]),
            ("the firm's slopes", [&of_customer, &slopes[1]]),
        ];
        let correlations: &[f64] = if self.independent {
            &[0.0]
        } else {
            &[0.0, -0.5, 0.5]
        };
        let mut starts = Vec::new();
        for (name, parts) in pairs {
            for rho in correlations {
                let mut point = parts.map(Vec::as_slice).concat();
                if !self.independent {
                    point.push(rho.atanh());
                }
                starts.push(Start {
                    name: format!("{name}, ρ = {rho}"),
                    point,
                });
            }
        }
        likelihood.model = Arc::new(BothRows);
        likelihood.indices = vec![customer, firm];
        if !self.independent {
            likelihood.indices.push(Index::parameter("atanh_rho"));
        }
        Ok(starts)
    }
}

options_builder!(MutualAcceptance);

/// Each side must have a variable that the other has not.
fn check_shifters(customer: &Index, firm: &Index) -> Result<()> {
    let own = |a: &Index, b: &Index| {
        let others: Vec<&str> = b.regressors().collect();
        a.regressors().filter(|name| !others.contains(name)).count()
    };
    mutual_shifters(own(customer, firm), own(firm, customer))
}

/// Rows with outcome A and indices (z_c, z_f) or (z_c, z_f, atanh ρ): `ln Φ₂`, or `ln (1 − Φ₂)`.
#[derive(Clone, Copy, Debug)]
struct BothRows;

impl RowModel for BothRows {
    fn evaluate(&self, rows: &Inputs<'_>, order: Order, out: &mut Derivatives) {
        let free = rows.indices.len();
        for i in 0..rows.len {
            let (c, f) = (rows.indices[0][i], rows.indices[1][i]);
            let t = rows.indices.get(2).map_or(0.0, |t| t[i]);
            let yes = rows.outcomes[0][i] > 0.5;
            if !yes && f64::min(c, f) < NEVER {
                out.clear(i);
                continue;
            }
            let not = |both: f64| match both.exp() {
                likely if likely > LIKELY => normal::cdf(-c) + bivariate_cdf(c, -f, -t.tanh()),
                both => 1.0 - both,
            };
            if order == Order::Value {
                let both = ln_bivariate_cdf(c, f, t);
                out.value[i] = if yes { both } else { not(both).ln() };
                continue;
            }
            let both = LogCdf::at(c, f, t);
            // With ℓ = ln Φ₂: d ln(1 − e^ℓ)/dℓ = −odds, and its derivative −odds/(1 − e^ℓ).
            let (value, slope, curvature) = if yes {
                (both.value, 1.0, 0.0)
            } else {
                let not = not(both.value);
                let odds = both.value.exp() / not;
                (not.ln(), -odds, -odds / not)
            };
            out.value[i] = value;
            for a in 0..free {
                out.gradient[a][i] = slope * both.gradient[a];
                for b in 0..=a {
                    let at = packed_index(a, b);
                    let square = both.gradient[a] * both.gradient[b];
                    out.hessian[at][i] = slope * both.hessian[at] + curvature * square;
                }
            }
        }
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        let (c, f) = (*indices.first()?, *indices.get(1)?);
        let t = indices.get(2).copied().unwrap_or(0.0);
        match what {
            Quantity::Linear => Some(c),
            Quantity::Mean => Some(ln_bivariate_cdf(c, f, t).exp()),
            Quantity::Probability(side) if side < 0.5 => Some(normal::cdf(c)),
            Quantity::Probability(side) if side < 1.5 => Some(normal::cdf(f)),
            Quantity::Probability(_) => None,
        }
    }
}

/// What [`MutualAcceptanceFit::predict`] gives for each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MutualAcceptancePrediction {
    /// `Φ₂(z_c, z_f; ρ)`: both agree.
    Both,
    /// `Φ(z_c)`: the customer agrees, whatever the firm does.
    Customer,
    /// `Φ(z_f)`.
    Firm,
}

impl MutualAcceptancePrediction {
    fn quantity(self) -> Quantity {
        match self {
            Self::Both => Quantity::Mean,
            Self::Customer => Quantity::Probability(0.0),
            Self::Firm => Quantity::Probability(1.0),
        }
    }
}

/// A fitted [`MutualAcceptance`]. It answers the verbs of [`Inference`] with the normal distribution and prints as a table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MutualAcceptanceFit {
    fit: LikelihoodFit,
    optima: Optima,
    independent: bool,
}

impl MutualAcceptanceFit {
    /// The correlation ρ of the errors, by the delta method.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`] when ρ was fixed.
    pub fn rho(&self) -> Result<Estimate> {
        self.fit.nonlinear("rho", &["atanh_rho"], |p| p[0].tanh())
    }

    /// Where the searches from several starts led.
    pub fn optima(&self) -> &Optima {
        &self.optima
    }

    /// Probabilities for the rows of a frame, which may be another than that of the fit; NaN where a regressor is missing.
    ///
    /// # Errors
    /// Those of [`LikelihoodFit::predict`].
    pub fn predict(&self, frame: &Frame, what: MutualAcceptancePrediction) -> Result<Vec<f64>> {
        self.fit.predict(frame, what.quantity())
    }

    /// Probabilities with standard errors by the delta method, and intervals on the scale of log odds.
    ///
    /// # Errors
    /// Those of [`LikelihoodFit::predict_interval`].
    pub fn predict_interval(
        &self,
        frame: &Frame,
        what: MutualAcceptancePrediction,
        level: f64,
    ) -> Result<Predictions> {
        let found = self.fit.predict_interval(frame, what.quantity(), level)?;
        Ok(within_unit(found))
    }

    /// Marginal effects on a probability, with standard errors.
    ///
    /// # Errors
    /// Those of [`LikelihoodFit::marginal_effects`].
    pub fn marginal_effects(
        &self,
        margins: &Margins,
        what: MutualAcceptancePrediction,
    ) -> Result<MarginalEffects> {
        let margins = margins.clone().quantity(what.quantity());
        self.fit.marginal_effects(&margins)
    }

    fn dress(&self, mut table: Table) -> Table {
        if let Ok(rho) = self.rho() {
            table = table.note(rho.to_string());
        }
        if self.independent {
            table = table.note("ρ is fixed at zero");
        }
        table.note(self.optima.note())
    }

    fn more_footer(&self) -> Vec<(String, Cell)> {
        let rho = self.rho().ok();
        rho.map(|rho| ("ρ".to_owned(), Cell::fixed(rho.estimate, 3)))
            .into_iter()
            .collect()
    }
}

delegate_to_likelihood!(MutualAcceptanceFit);
