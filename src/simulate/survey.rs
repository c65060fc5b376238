//! A voice-of-customer survey: satisfaction behind Likert items, answers that depend on it, and a classifier's labels.

use super::closed::{flag, not_negative, over_normal, process, seeded, seen_if, share};
use super::generate::{Field, data, generate, oracle, oracle_flag, summed};
use super::oracle::{Oracle, Simulated};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// An assumption that the survey breaks.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SurveyFlaw {
    /// The classifier errs more often on the unhappy: its sensitivity falls by .2 for those below the mean, so that
    /// its errors are not independent of the outcome given the truth.
    DifferentialError,
}

/// Customers of satisfaction s ~ N(0, 1) who may answer a survey.
///
/// Item k is the number of thresholds below `loading·s + √(1 − loading²)·ε_k`. The probability of answering is `Φ(c +
/// response_slope·s)`, c solved for the response rate. The text of every answer is a complaint with probability
/// `Φ(complaint_c − s)`; a classifier labels it with the given sensitivity and specificity. Spending next year is
/// `spend + effect·complaint + N(0, 1)`.
///
/// Sensitivity .85 and specificity .90 are the page's; all other levels are **assumed**.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `customers` | 10,000 | |
/// | `items` | 4 | |
/// | `thresholds` | −1.5, −.5, .5, 1.5 | answers 0 … 4 |
/// | `loading` | .8 | |
/// | `response`, `response_slope` | .3, .5 | rate and slope |
/// | `sensitivity`, `specificity` | .85, .90 | |
/// | `complaints` | .3 | share of complaints |
/// | `effect` | −.5 | of a complaint on spending |
///
/// **Data**: `responds`, `item_1` … (NaN without answer), `label` (of respondents), `spend`. **Oracle**:
/// `satisfaction`, `complaint`, `response_probability`; effects: `mean_satisfaction`, `nonresponse_bias` (mean
/// satisfaction of respondents in expectation), `complaints_of_respondents`, `label_share` (expected, of
/// respondents), `naive_label_effect` (what a regression of spending on the label estimates among respondents, in
/// expectation), `effect`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CustomerSurvey {
    /// How many customers.
    pub customers: usize,
    /// How many items.
    pub items: usize,
    /// Thresholds of the answers, ascending.
    pub thresholds: Vec<f64>,
    /// Correlation of an item with satisfaction.
    pub loading: f64,
    /// Response rate.
    pub response: f64,
    /// What satisfaction adds to the index of answering.
    pub response_slope: f64,
    /// Pr(label | complaint).
    pub sensitivity: f64,
    /// Pr(no label | no complaint).
    pub specificity: f64,
    /// Share of complaints.
    pub complaints: f64,
    /// Effect of a complaint on spending.
    pub effect: f64,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The assumption that is broken.
    pub flaw: Option<SurveyFlaw>,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for CustomerSurvey {
    fn default() -> Self {
        Self {
            customers: 10_000,
            items: 4,
            thresholds: vec![-1.5, -0.5, 0.5, 1.5],
            loading: 0.8,
            response: 0.3,
            response_slope: 0.5,
            sensitivity: 0.85,
            specificity: 0.90,
            complaints: 0.3,
            effect: -0.5,
            keep_oracle: true,
            flaw: None,
            seed: None,
        }
    }
}

process!(CustomerSurvey, customers, "customers");

impl CustomerSurvey {
    /// The survey at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Breaks one assumption.
    pub fn misspecify(mut self, flaw: SurveyFlaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// Draws customers and answers.
    ///
    /// # Errors
    /// [`Error::SeedRequired`], [`Error::InvalidOption`].
    pub fn simulate(&self) -> Result<Simulated> {
        /// What [`SurveyFlaw::DifferentialError`] takes from the sensitivity.
        const LESS: f64 = 0.2;
        const SPEND: f64 = 5.0;
        let seed = seeded(self.seed, "the customer survey")?.child("customer survey");
        self.checked()?;
        let constant = (1.0 + self.response_slope.powi(2)).sqrt() * normal::quantile(self.response);
        // Pr(c − s − ε > 0) = Φ(c/√2)
        let complain = std::f64::consts::SQRT_2 * normal::quantile(self.complaints);
        let mut fields: Vec<Field> = vec![super::generate::data_flag("responds")];
        fields.extend((1..=self.items).map(|k| data(format!("item_{k}"))));
        fields.extend([data("label"), data("spend")]);
        fields.extend([oracle("satisfaction"), oracle_flag("complaint")]);
        fields.extend([
            oracle("response_probability"),
            summed("responder_complaint"),
        ]);
        let unique = (1.0 - self.loading * self.loading).sqrt();
        let made = generate(
            self.customers,
            seed,
            &fields,
            self.keep_oracle,
            |draws, _, out| {
                let s = draws.normal();
                let p = normal::cdf(constant + self.response_slope * s);
                let responds = flag(draws.chance(p));
                out[0] = responds;
                for item in &mut out[1..=self.items] {
                    let latent = self.loading * s + unique * draws.normal();
                    let answer = self.thresholds.partition_point(|t| *t < latent) as f64;
                    *item = seen_if(responds, answer);
                }
                let complaint = flag(complain - s - draws.normal() > 0.0);
                let mut sensitivity = self.sensitivity;
                if self.flaw == Some(SurveyFlaw::DifferentialError) && s < 0.0 {
                    sensitivity -= LESS;
                }
                let labelled = if complaint > 0.5 {
                    sensitivity
                } else {
                    1.0 - self.specificity
                };
                let label = flag(draws.chance(labelled));
                let spend = SPEND + self.effect * complaint + draws.normal();
                out[1 + self.items..].copy_from_slice(&[
                    seen_if(responds, label),
                    spend,
                    s,
                    complaint,
                    p,
                    responds * complaint,
                ]);
            },
        )?;
        let of_respondents = |f: &dyn Fn(f64) -> f64| {
            over_normal(|s| f(s) * normal::cdf(constant + self.response_slope * s)) / self.response
        };
        let share = of_respondents(&|s| normal::cdf(complain - s));
        let label = share * self.sensitivity + (1.0 - share) * (1.0 - self.specificity);
        // Cov(L, C)/Var(L), since given C the label says nothing of spending.
        let slope = (self.sensitivity + self.specificity - 1.0) * share * (1.0 - share)
            / (label * (1.0 - label));
        let truths = [
            ("mean_satisfaction", made.mean("satisfaction")),
            ("nonresponse_bias", of_respondents(&|s| s)),
            ("complaints_of_respondents", share),
            ("label_share", label),
            ("naive_label_effect", self.effect * slope),
            ("effect", self.effect),
        ];
        let oracle =
            (truths.into_iter()).fold(Oracle::new(made.oracle), |o, (name, v)| o.with(name, v));
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }

    fn checked(&self) -> Result<()> {
        for (name, value) in [
            ("response", self.response),
            ("sensitivity", self.sensitivity),
            ("specificity", self.specificity),
            ("complaints", self.complaints),
        ] {
            share(name, value)?;
        }
        not_negative("1 − |loading|", 1.0 - self.loading.abs())?;
        let ascending = self.thresholds.windows(2).all(|w| w[0] < w[1]);
        if !ascending || !self.response_slope.is_finite() || !self.effect.is_finite() {
            return Err(Error::invalid_option(
                "thresholds, response_slope, effect",
                format!(
                    "{:?}, {}, {}",
                    self.thresholds, self.response_slope, self.effect
                ),
                "ascending thresholds and finite numbers",
            ));
        }
        Ok(())
    }
}
