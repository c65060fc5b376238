//! Ability, belief, choice and success of the same customers, estimated together.

mod beliefs;
mod beyond;
mod blocks;
mod bounds;
mod fit;
mod integral;
#[cfg(test)]
mod integral_tests;
mod nodes;
mod pieces;
mod prepare;
mod rows;
mod starts;

pub use fit::JointWillingnessFit;

use super::optima::highest;
use crate::data::{Formula, Frame};
use crate::error::{Error, Result};
use crate::inference::Covariance;
use crate::numeric::Progress;
use crate::regression::likelihood::{Estimation, maximize_unless};
use crate::regression::linear::Weights;
use beliefs::{Prior, SignalKind, Told};
use integral::Rules;
use serde::Serialize;

/// The joint model of willingness to participate: items × told belief × choice × success, by maximum likelihood.
///
/// A customer has ability `a = x'β + σ_a ζ` and, before any signal, a belief of mean `m_0 = x'β + b(x) + σ_m ω` with normal ζ, ω of
/// correlation ρ, and of variance v_0. Signals, n of them with variance σ_s², leave `m_n = m_0 + K(s̄ − m_0)`, `v_n = v_0(1 − K)` with
/// `K = n v_0/(n v_0 + σ_s²)`, s̄ following ability (not the customer's forecast). What is seen of a customer is
///
/// | block | contribution | buys |
/// |---|---|---|
/// | items | `Λ(c_k + D_k a)` | ability apart from success: its spread, and that the selection of participants is known |
/// | report of the chance of success | Φ⁻¹ of it is `m_0/√(1 + v_0)` plus a normal error, rounded to a grid | m_0 in units of ability: overconfidence b(x), σ_m, ρ |
/// | rating on a free scale | `τ_0 + τ_1 m_0` plus a normal error | how well customers know themselves, but not b(x) |
/// | choice | `Φ(w'γ + θ m_n + λ v_n)` | what beliefs and their variance count |
/// | success of those who take part | `Φ(a + w_s'δ)` | zero and unit of ability |
/// | number of signals, randomised | through K | v_0/σ_s²; with σ_s² known or the signals seen v_0 and λ |
/// | guarantee, randomised | G paid on failure adds `γ_p D(m_n, v_n)` to the choice | r over the noise of the task |
/// | effort of those who take part | `ln(1 + e)` is normal around its best value, zero below zero | κ, what a belief of ability saves in effort, and its cost apart from ability |
///
/// and the likelihood is the integral of their product over ability and belief, by adaptive Gauss–Hermite quadrature, with analytic gradient and
/// Hessian. Every block but the choice is optional. θ and λ are in units of the taste shock; with [`money`](Self::money) a coupon's coefficient is its
/// inverse in money, and [`JointWillingnessFit::ambiguity_aversion`] is `α = −2 λ γ_p/θ²` of value form 4 (of form 3 it is r).
///
/// # Guarantees and effort
/// With a guarantee G a choice is worth, in money, what value form 4 says of quality plus payment: `D(m, v) = −(1/α) ln E exp(−α g(Y))` over
/// `Y ~ N(m + w_s'δ − αΘv, v)`, `g(y) = −(1/r) ln[1 − (1 − e^{−rG}) Φ(rΘ − y)]`, Θ = θ/γ_p. α is −2λγ_p/θ², or r (form 3, closed in v) where numbers of signals do not
/// differ. Customers know what moves success (w_s'δ). A guarantee is in the choice through D alone; where it should lower effort let it stand in the formula of success.
///
/// With effort e the index of success gains `γ ln(1 + e)`, and customers who take part choose `ln(1 + e*) = max(0, w_e'ζ + κ m_n − κ²v_n/2)`: the best where effort costs
/// `c_m e exp(−κa)` as anticipated, so that `exp(w_e'ζ) = Θγ/c_m`, and a tool that takes a share of the cost away adds `−ln(1 − c_T)`. The choice gains
/// `θγ ψ(ln(1 + e*))`, `ψ(l) = l − 1 + e^{−l}`. Effort that is seen misses the best by a normal error of deviation σ_e in `ln(1 + e)`, of which customers learn after the
/// choice; its density is that of `ln(1 + e)`. The anticipated cost is a certainty to the customer: exact where r = α = 0 or κ = 0.
///
/// Both blocks at once are refused. A guarantee pays for failure, which lowers effort (moral hazard): with the gain l* of the line above, the best effort solves
/// `l = l* + ln[1 + D_m(m + γl, v)/Θ]`, D_m ≤ 0. Where γ·D_mm > Θ + D_m somewhere, as with large guarantees, it has several roots, between which customers jump at some belief, and where
/// D_m < −Θ there is none above zero: the likelihood then has kinks in the parameters and in the belief, which neither its quadrature nor its Newton steps allow. Estimate r from customers whose
/// effort is not asked for, and put guarantees into the formula of success ([`success`](Self::success)) to see what they do to it.
///
/// # Identification
/// Noise of the task has variance one, which fixes the unit of ability where success is seen; without success ability is N(x'β, 1) with no constant. Choices
/// depend on a through m alone. Success is seen for participants: a shifter of participation that leaves ability alone (a coupon, not
/// education) should be in the choice and not in success; without one a warning says so. *Free* beliefs (the default) need success, a report on the scale of
/// success, and a source of v_0: signals of known variance, signals seen, or [`prior_variance`](Self::prior_variance). *Calibrated* beliefs
/// ([`calibrated`](Self::calibrated)) assume m_0 = E(a | what the customer knows), so that σ_m = |ρ|σ_a, v_0 = σ_a²(1 − ρ²) and b = 0; then a free rating, or none,
/// will do. λ is in the model where the number of signals varies. r needs at least two positive guarantees, a coupon and success; γ needs effort that differs between
/// participants of one ability, which σ_e and what moves the cost give. What is missing is [`Error::Unidentified`]; see
/// [`JointWillingnessFit::identification`].
///
/// Education may do more than inform: let its arm stand in the formula of success (productivity) and in that of the choice (persuasion, which is what remains of
/// its coefficient, over θ, beyond productivity).
///
/// | name | default | meaning |
/// |---|---|---|
/// | `ability` | constant | right-hand side of ability's mean |
/// | `overconfidence` | constant | right-hand side of b(x), free beliefs only |
/// | `items` | none | columns of answers, 0 and 1, missing where not answered |
/// | `reported` / `rated` | none | column of the told belief (before signals) |
/// | `signals`, `signals_seen`, `signals_counted` | none | number of signals |
/// | `success` | none | column, or formula with what moves success beside ability |
/// | `report_error` | estimated | the deviation of told beliefs; zero for beliefs told without error |
/// | `guarantee` | none | column of what is paid on failure, in money |
/// | `effort` | none | column, or formula with what moves the cost of effort beside the belief |
/// | `nodes` | 11 × 9 | of ability and belief |
/// | `covariance` | `Covariance::Hc1` | sandwich; cluster-robust; classical |
///
/// # Errors
/// [`Error::Unidentified`], also where a spread or correlation runs to the bound of its range: the error of reports, when it is small beside their grid, which
/// [`report_error`](Self::report_error) then holds at what is known of it;
/// [`Error::OutOfRange`] with the row for answers, choices and successes other than 0 and 1, success of non-participants where not
/// everybody's is seen, reports off the grid, a negative number of signals, a negative guarantee, effort of those who do not take part; [`Error::InvalidOption`] for blocks that contradict each other; those of the formulas and
/// the covariance; [`Error::NotConverged`], [`Error::Cancelled`].
///
/// # References
/// Manski, C. F. (2004). Measuring expectations. doi:10.1111/j.1468-0262.2004.00537.x
///
/// Louis, T. A. (1982). Finding the observed information matrix when using the EM algorithm. *Journal of the Royal Statistical Society B* 44(2), 226–233.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// use cocreate::simulate::JointParticipation;
/// let made = JointParticipation::new().customers(1_500).seed(7).simulate()?;
/// let fit = JointWillingness::new("participates ~ coupon + tool")
///     .ability("x")
///     .items(["item_1", "item_2", "item_3", "item_4", "item_5", "item_6"])
///     .reported("report", 0.05)
///     .signals("signals", 0.5)
///     .success("success")
///     .money("coupon")
///     .fit(&made.data)?;
/// // Customers think too well of themselves.
/// assert!(fit.coefficient("overconfidence.(Intercept)")?.estimate > 0.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JointWillingness {
    choice: Formula,
    ability: String,
    overconfidence: String,
    items: Vec<String>,
    told: Option<(String, Scale)>,
    signals: Option<(String, Information)>,
    success: Option<String>,
    beliefs: Beliefs,
    report_error: Option<f64>,
    money: Option<String>,
    guarantee: Option<String>,
    effort: Option<String>,
    nodes: [usize; 2],
    covariance: Covariance,
    weights: Option<Weights>,
}

/// On what scale beliefs are told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
enum Scale {
    /// Chances of success, rounded to this grid.
    Probability(f64),
    Free,
}

/// What is known of signals.
#[derive(Clone, Debug, PartialEq, Serialize)]
enum Information {
    Variance(f64),
    Seen(String),
    Counted,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
enum Beliefs {
    Free,
    Variance(f64),
    Calibrated,
}

impl JointWillingness {
    /// The model of a choice, 1 or 0, by what moves it besides beliefs.
    pub fn new(choice: impl Into<Formula>) -> Self {
        Self {
            choice: choice.into(),
            ability: "1".to_owned(),
            overconfidence: "1".to_owned(),
            items: vec![],
            told: None,
            signals: None,
            success: None,
            beliefs: Beliefs::Free,
            report_error: None,
            money: None,
            guarantee: None,
            effort: None,
            nodes: [11, 9],
            covariance: Covariance::default(),
            weights: None,
        }
    }

    /// What ability depends on: the right-hand side of a formula.
    pub fn ability(mut self, regressors: impl Into<String>) -> Self {
        self.ability = regressors.into();
        self
    }

    /// What overconfidence depends on: the right-hand side of a formula.
    pub fn overconfidence(mut self, regressors: impl Into<String>) -> Self {
        self.overconfidence = regressors.into();
        self
    }

    /// The columns of items that measure ability.
    pub fn items<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.items = columns.into_iter().map(Into::into).collect();
        self
    }

    /// The column of reported chances of success, rounded to multiples of `grid`, told before any signal.
    pub fn reported(mut self, column: impl Into<String>, grid: f64) -> Self {
        self.told = Some((column.into(), Scale::Probability(grid)));
        self
    }

    /// The column of ratings of oneself on a free scale, told before any signal.
    pub fn rated(mut self, column: impl Into<String>) -> Self {
        self.told = Some((column.into(), Scale::Free));
        self
    }

    /// The column of the number of signals, each of this variance in units of ability; what they said is not seen.
    pub fn signals(mut self, column: impl Into<String>, variance: f64) -> Self {
        self.signals = Some((column.into(), Information::Variance(variance)));
        self
    }

    /// The column of the number of signals and that of their average; their variance is estimated.
    pub fn signals_seen(mut self, column: impl Into<String>, average: impl Into<String>) -> Self {
        self.signals = Some((column.into(), Information::Seen(average.into())));
        self
    }

    /// The column of the number of signals, of whose variance nothing is known: with calibrated beliefs.
    pub fn signals_counted(mut self, column: impl Into<String>) -> Self {
        self.signals = Some((column.into(), Information::Counted));
        self
    }

    /// The column of success, or a formula: what moves it beside ability.
    pub fn success(mut self, outcome: impl Into<String>) -> Self {
        self.success = Some(outcome.into());
        self
    }

    /// Assumes that beliefs are the best forecasts of ability from what customers know.
    pub fn calibrated(mut self) -> Self {
        self.beliefs = Beliefs::Calibrated;
        self
    }

    /// Gives v_0, the variance of beliefs before signals.
    pub fn prior_variance(mut self, variance: f64) -> Self {
        self.beliefs = Beliefs::Variance(variance);
        self
    }

    /// The regressor of the choice whose coefficient is what a unit of money counts: a coupon.
    pub fn money(mut self, column: impl Into<String>) -> Self {
        self.money = Some(column.into());
        self
    }

    /// Holds the deviation of the error of told beliefs at this value, on the scale on which they are told (of probabilities on that of the probit). Zero, with
    /// ratings or with probabilities told to the digit (a grid of zero): m_0 is told without error, the limit in which ability is the only integral.
    pub fn report_error(mut self, deviation: f64) -> Self {
        self.report_error = Some(deviation);
        self
    }

    /// The column of what is paid to the customer on failure, in money: it identifies r where at least two positive amounts were randomised.
    pub fn guarantee(mut self, column: impl Into<String>) -> Self {
        self.guarantee = Some(column.into());
        self
    }

    /// The column of the effort of those who take part, zero or more (hours), or a formula: what moves the cost of effort beside the belief.
    pub fn effort(mut self, outcome: impl Into<String>) -> Self {
        self.effort = Some(outcome.into());
        self
    }

    /// Nodes of the quadrature for ability and for the belief.
    pub fn nodes(mut self, ability: usize, belief: usize) -> Self {
        self.nodes = [ability, belief];
        self
    }

    /// Sets the covariance estimator.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// Weights of the rows in the log-likelihood (sampling or precision weights).
    pub fn weights(mut self, column: impl Into<String>) -> Self {
        self.weights = Some(Weights::Analytic(column.into()));
        self
    }

    /// Frequency weights: each row stands for that many equal rows.
    pub fn frequency_weights(mut self, column: impl Into<String>) -> Self {
        self.weights = Some(Weights::Frequency(column.into()));
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`JointWillingness`].
    pub fn fit(&self, frame: &Frame) -> Result<JointWillingnessFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`JointWillingness`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<JointWillingnessFit> {
        let mut prepared = self.prepare(frame)?;
        let starts = prepared.starts(progress)?;
        let free = prepared.rows.free.clone();
        let ranges = prepared.likelihood.ranges();
        let most = prepared.most_guaranteed;
        let refuse = |point: &[f64]| {
            let of = |s: usize| {
                let at = free.iter().position(|f| *f == s)?;
                Some(point[ranges[at].start])
            };
            bounds::at_bound(of, most)
        };
        let parameters = prepared.likelihood.parameters();
        if prepared.likelihood.observations() <= parameters as f64 {
            return Err(Error::TooFewRows {
                rows: prepared.likelihood.observations() as usize,
                parameters,
            });
        }
        let what = "the likelihood of joint willingness";
        // The searches make do with few nodes; what they find is improved with all.
        let rules = prepared.use_rules(Rules::new(self.nodes[0].min(7), self.nodes[1].min(5))?);
        prepared.place_nodes(&starts[0].point);
        let (mut found, optima) = highest(
            &prepared.likelihood,
            starts,
            what,
            refuse,
            &mut prepared.warnings,
            progress,
        )?;
        prepared.use_rules(rules);
        for _ in 0..MOST_PLACES {
            let before = found.sums.value;
            prepared.place_nodes(&found.point);
            found = maximize_unless(&prepared.likelihood, found.point, what, refuse, progress)?;
            if (found.sums.value - before).abs() < SETTLED {
                break;
            }
        }
        let estimation = Estimation {
            title: "Joint willingness to participate",
            formulas: prepared.formulas,
            formula: prepared.formula,
            likelihood: prepared.likelihood,
            start: found.point.clone(),
            warnings: prepared.warnings,
            covariance: &self.covariance,
            frame,
        };
        let fit = estimation.finish(found, None)?;
        Ok(JointWillingnessFit::new(
            fit,
            optima,
            prepared.identification,
            &prepared.rows,
            self.money.as_ref().map(|name| format!("choice.{name}")),
            self.signals.as_ref().map(|(column, _)| column.clone()),
            self.guarantee.clone(),
        ))
    }

    fn told_kind(&self) -> Told {
        match &self.told {
            None => Told::Nothing,
            Some((_, Scale::Probability(_))) => Told::Probability,
            Some((_, Scale::Free)) => Told::Rating,
        }
    }

    fn signal_kind(&self) -> SignalKind {
        match &self.signals {
            None => SignalKind::None,
            Some((_, Information::Variance(variance))) => SignalKind::Known(*variance),
            Some((_, Information::Seen(_))) => SignalKind::Seen,
            Some((_, Information::Counted)) => SignalKind::Counted,
        }
    }

    /// Whether m_0 is told without error.
    fn is_exact(&self) -> bool {
        self.told.is_some() && self.report_error.is_some_and(|error| error <= 0.0)
    }

    fn prior(&self) -> Prior {
        match self.beliefs {
            Beliefs::Free => Prior::Free,
            Beliefs::Variance(variance) => Prior::Known(variance),
            Beliefs::Calibrated => Prior::Calibrated,
        }
    }
}

/// The nodes lie where the integrands are at the start of the search, and are moved to where they are at its end this often at most.
const MOST_PLACES: usize = 3;

/// A move of the nodes that changes the log-likelihood by less than this is the last.
const SETTLED: f64 = 1e-5;
