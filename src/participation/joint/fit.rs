//! The fitted joint model.

use super::beliefs::{Prior, SignalKind, Told};
use super::rows::JointRows;
use crate::error::{Error, Result};
use crate::inference::{Estimate, Inference};
use crate::participation::identification::Identification;
use crate::participation::optima::Optima;
use crate::regression::LikelihoodFit;
use crate::regression::delegate::delegate_to_likelihood;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// A fitted [`JointWillingness`](super::JointWillingness). It answers the verbs of [`Inference`] with the normal distribution and prints as a table.
///
/// Names: `ability.…` and `overconfidence.…` (in units of task noise), `success.…`, `choice.…` with `choice.belief` (θ) and `choice.uncertainty` (λ), in units
/// of the taste shock; `ln_sd_ability`, `ln_sd_belief`, `atanh_rho`, `ln_ratio` (of v_0/σ_s²), `ln_sd_report` or `ln_sd_rating`, `rating.…`, `ln_sd_signal`; of each
/// item `….intercept` and `….discrimination`. With guarantees `choice.risk_aversion` (r); with effort `effort.…`, `effort.belief` (κ), `ln_sd_effort` and
/// `success.effort` (γ).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JointWillingnessFit {
    fit: LikelihoodFit,
    optima: Optima,
    identification: Identification,
    variance: PriorVariance,
    money: Option<String>,
    signals: SignalKind,
    /// The column of the number of signals, and that of guarantees.
    counted: Option<String>,
    #[serde(default)]
    guaranteed: Option<String>,
}

/// What the parameters say of customers beside the equations, for counterfactuals.
#[derive(Clone, Copy, Debug)]
pub(in crate::participation) struct Structure {
    /// θ and λ of the choice, and the coefficient of money.
    pub(in crate::participation) taste: f64,
    pub(in crate::participation) uncertainty: Option<f64>,
    /// r, where guarantees identify it.
    pub(in crate::participation) risk_aversion: Option<f64>,
    pub(in crate::participation) money: f64,
    pub(in crate::participation) sd_ability: f64,
    pub(in crate::participation) sd_belief: f64,
    pub(in crate::participation) rho: f64,
    /// v_0.
    pub(in crate::participation) prior_variance: f64,
    /// σ_s²; none without signals.
    pub(in crate::participation) signal_variance: Option<f64>,
}

/// Where the variance of beliefs before signals comes from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum PriorVariance {
    Known(f64),
    /// The ratio times the known variance of a signal.
    TimesRatio(f64),
    /// The ratio times the estimated variance of a signal.
    TimesRatioOfSeen,
    /// σ_a²(1 − ρ²), with σ_a estimated.
    Calibrated,
    /// The same with σ_a = 1.
    CalibratedUnit,
}

impl JointWillingnessFit {
    pub(super) fn new(
        fit: LikelihoodFit,
        optima: Optima,
        identification: Identification,
        rows: &JointRows,
        money: Option<String>,
        counted: Option<String>,
        guaranteed: Option<String>,
    ) -> Self {
        let unit = !fit.names().iter().any(|name| name == "ln_sd_ability");
        let variance = match (rows.prior, rows.signals) {
            (Prior::Known(variance), _) => PriorVariance::Known(variance),
            (Prior::Free, SignalKind::Known(variance)) => PriorVariance::TimesRatio(variance),
            (Prior::Free, _) => PriorVariance::TimesRatioOfSeen,
            (Prior::Calibrated, _) if unit => PriorVariance::CalibratedUnit,
            (Prior::Calibrated, _) => PriorVariance::Calibrated,
        };
        debug_assert!(rows.told != Told::Rating || rows.prior == Prior::Calibrated);
        Self {
            fit,
            optima,
            identification,
            variance,
            money,
            signals: rows.signals,
            counted,
            guaranteed,
        }
    }

    /// The parameters beside the equations that [`structure`](Self::structure) reads.
    pub(in crate::participation) const STRUCTURE: [&'static str; 8] = [
        "choice.risk_aversion",
        "choice.belief",
        "choice.uncertainty",
        "ln_sd_ability",
        "ln_sd_belief",
        "atanh_rho",
        "ln_ratio",
        "ln_sd_signal",
    ];

    /// What these values of the parameters say of customers.
    pub(in crate::participation) fn structure(&self, at: &[f64]) -> Result<Structure> {
        let money = self.money("what choices are worth in money")?;
        let of = |name: &str| {
            let position = self.fit.names().iter().position(|n| n == name);
            position.map(|k| at[k])
        };
        let sd_ability = of("ln_sd_ability").map_or(1.0, f64::exp);
        let rho = of("atanh_rho").map_or(0.0, f64::tanh);
        let (ratio, of_signal) = (of("ln_ratio"), of("ln_sd_signal").map(|s| (2.0 * s).exp()));
        let calibrated = sd_ability * sd_ability * (1.0 - rho * rho);
        let prior_variance = match self.variance {
            PriorVariance::Known(variance) => variance,
            PriorVariance::TimesRatio(signal) => signal * ratio.map_or(f64::NAN, f64::exp),
            PriorVariance::TimesRatioOfSeen => {
                of_signal.unwrap_or(f64::NAN) * ratio.map_or(f64::NAN, f64::exp)
            }
            PriorVariance::Calibrated | PriorVariance::CalibratedUnit => calibrated,
        };
        // Beliefs that are the best forecasts have the spread |ρ|σ_a and the correlation |ρ| with ability.
        let (sd_belief, rho) = match of("ln_sd_belief") {
            Some(ln_sd) => (ln_sd.exp(), rho),
            None => (rho.abs() * sd_ability, rho.abs()),
        };
        Ok(Structure {
            taste: of("choice.belief").unwrap_or(0.0),
            uncertainty: of("choice.uncertainty"),
            risk_aversion: of("choice.risk_aversion"),
            money: of(money).unwrap_or(f64::NAN),
            sd_ability,
            sd_belief,
            rho,
            prior_variance,
            signal_variance: match self.signals {
                SignalKind::None => None,
                SignalKind::Known(variance) => Some(variance),
                SignalKind::Seen => of_signal,
                SignalKind::Counted => ratio.map(|r| prior_variance / r.exp()),
            },
        })
    }

    /// The column of money in the choice.
    pub(in crate::participation) fn money_column(&self) -> Option<&str> {
        self.money
            .as_deref()
            .and_then(|name| name.strip_prefix("choice."))
    }

    /// The column of the number of signals.
    pub(in crate::participation) fn signals_column(&self) -> Option<&str> {
        self.counted.as_deref()
    }

    /// The column of guarantees.
    pub(in crate::participation) fn guarantee_column(&self) -> Option<&str> {
        self.guaranteed.as_deref()
    }

    /// The correlation ρ of ability and the first belief's mean, given x.
    ///
    /// # Errors
    /// Those of [`Inference::nonlinear`].
    pub fn rho(&self) -> Result<Estimate> {
        self.fit.nonlinear("rho", &["atanh_rho"], |p| p[0].tanh())
    }

    /// v_0, the variance of beliefs before signals, in squared units of ability.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when it was given, not estimated.
    pub fn prior_variance(&self) -> Result<Estimate> {
        let name = "prior variance v_0";
        match self.variance {
            PriorVariance::Known(variance) => Err(Error::invalid_option(
                "prior_variance",
                variance,
                "left out: it was given to the model",
            )),
            PriorVariance::TimesRatio(signal) => {
                (self.fit).nonlinear(name, &["ln_ratio"], |p| signal * p[0].exp())
            }
            PriorVariance::TimesRatioOfSeen => {
                let of = ["ln_ratio", "ln_sd_signal"];
                (self.fit).nonlinear(name, &of, |p| (p[0] + 2.0 * p[1]).exp())
            }
            PriorVariance::Calibrated => {
                let of = ["ln_sd_ability", "atanh_rho"];
                let f = |p: &[f64]| (2.0 * p[0]).exp() * (1.0 - p[1].tanh().powi(2));
                self.fit.nonlinear(name, &of, f)
            }
            PriorVariance::CalibratedUnit => {
                (self.fit).nonlinear(name, &["atanh_rho"], |p| 1.0 - p[0].tanh().powi(2))
            }
        }
    }

    /// The weight `K = nR/(1 + nR)` that beliefs give to so many signals, with R = v_0/σ_s² estimated.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`] where the ratio is not a parameter of the model.
    pub fn weight_of_signals(&self, signals: u32) -> Result<Estimate> {
        let n = f64::from(signals);
        let f = |p: &[f64]| n * p[0].exp() / (1.0 + n * p[0].exp());
        self.fit.nonlinear("weight of signals K", &["ln_ratio"], f)
    }

    /// θ, what a unit of ability, as believed, is worth in money: the coefficient of the belief over that of money.
    ///
    /// # Errors
    /// [`Error::Unidentified`] unless [`JointWillingness::money`](super::JointWillingness::money) was named.
    pub fn taste(&self) -> Result<Estimate> {
        let money = self.money("the taste θ in money")?;
        let of = ["choice.belief", money];
        self.fit.nonlinear("taste θ", &of, |p| p[0] / p[1])
    }

    /// α of value form 4 (r of form 3), per unit of money: `−2 λ γ_p/θ²` with θ and λ of the choice and γ_p of money.
    ///
    /// # Errors
    /// [`Error::Unidentified`] without [`money`](super::JointWillingness::money), or where the number of signals does not vary.
    pub fn ambiguity_aversion(&self) -> Result<Estimate> {
        const NAME: &str = "choice.uncertainty";
        let money = self.money("the ambiguity aversion α")?;
        if !self.fit.names().iter().any(|name| name == NAME) {
            return Err(Error::Unidentified {
                what: "the ambiguity aversion α".to_owned(),
                needs: "a randomised number of signals".to_owned(),
            });
        }
        let of = [NAME, money, "choice.belief"];
        let f = |p: &[f64]| -2.0 * p[0] * p[1] / (p[2] * p[2]);
        self.fit.nonlinear("ambiguity aversion α", &of, f)
    }

    /// r over the noise of the task, per unit of money.
    ///
    /// # Errors
    /// [`Error::Unidentified`] without [`guarantee`](super::JointWillingness::guarantee).
    pub fn risk_aversion(&self) -> Result<Estimate> {
        if self.guaranteed.is_none() {
            return Err(Error::Unidentified {
                what: "the risk aversion r".to_owned(),
                needs: "two randomised positive guarantees (JointWillingness::guarantee)"
                    .to_owned(),
            });
        }
        self.fit.coefficient("choice.risk_aversion")
    }

    /// `−λ v_0`, what the belief's variance takes off the choice before signals, in units of the taste shock. v_0 is often known badly, and λ is what is known of
    /// their product over it: this product is estimated nearly without skew where λ is not. (Of the 200 samples of 5,000 customers in the library's study, with v_0
    /// known to a factor of e^±.4, λ is biased by −.21 of its standard deviation and has a skew of −2.0, its median by +.03; ln(−λ) by +.03, the product by −.04; each
    /// of these is known to ±.07.)
    ///
    /// # Errors
    /// [`Error::Unidentified`] where the number of signals does not vary.
    pub fn uncertainty_premium(&self) -> Result<Estimate> {
        const NAME: &str = "choice.uncertainty";
        if !self.fit.names().iter().any(|name| name == NAME) {
            return Err(Error::Unidentified {
                what: "the premium of uncertainty −λ v_0".to_owned(),
                needs: "a randomised number of signals".to_owned(),
            });
        }
        let name = "premium −λ v_0";
        match self.variance {
            PriorVariance::Known(v) => self.fit.nonlinear(name, &[NAME], |p| -p[0] * v),
            PriorVariance::TimesRatio(signal) => {
                let f = |p: &[f64]| -p[0] * signal * p[1].exp();
                self.fit.nonlinear(name, &[NAME, "ln_ratio"], f)
            }
            PriorVariance::TimesRatioOfSeen => {
                let of = [NAME, "ln_ratio", "ln_sd_signal"];
                let f = |p: &[f64]| -p[0] * (p[1] + 2.0 * p[2]).exp();
                self.fit.nonlinear(name, &of, f)
            }
            PriorVariance::Calibrated => {
                let of = [NAME, "ln_sd_ability", "atanh_rho"];
                let f = |p: &[f64]| -p[0] * (2.0 * p[1]).exp() * (1.0 - p[2].tanh().powi(2));
                self.fit.nonlinear(name, &of, f)
            }
            PriorVariance::CalibratedUnit => {
                let f = |p: &[f64]| -p[0] * (1.0 - p[1].tanh().powi(2));
                self.fit.nonlinear(name, &[NAME, "atanh_rho"], f)
            }
        }
    }

    fn money(&self, what: &str) -> Result<&str> {
        self.money.as_deref().ok_or_else(|| Error::Unidentified {
            what: what.to_owned(),
            needs: "a regressor in money (JointWillingness::money)".to_owned(),
        })
    }

    /// What the blocks of these data identify, and what would identify the rest.
    pub fn identification(&self) -> &Identification {
        &self.identification
    }

    /// Where the searches from several starts led; they integrate with at most 7 × 5 nodes, so that their log-likelihoods are not quite that of the fit.
    pub fn optima(&self) -> &Optima {
        &self.optima
    }

    fn dress(&self, mut table: Table) -> Table {
        let derived = [
            self.rho(),
            self.prior_variance(),
            self.taste(),
            self.ambiguity_aversion(),
        ];
        for estimate in derived.into_iter().flatten() {
            table = table.note(estimate.to_string());
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

delegate_to_likelihood!(JointWillingnessFit);
