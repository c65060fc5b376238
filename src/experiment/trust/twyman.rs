//! Twyman's law: any figure that looks interesting or different is usually wrong.

use crate::error::{Error, Result};
use crate::inference::Estimate;
use crate::numeric::special::normal;
use crate::report::shown;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// Probability under past experience below which an effect is called implausible.
const IMPLAUSIBLE: f64 = 0.01;

/// Effects against the experience of past ones. If true effects vary as `N(μ, τ²)` and the estimate has error `s`, it comes from
/// `N(μ, τ² + s²)`; an estimate far out in this distribution is more often a bug (double counting, a broken log, a mismatch) than a discovery. The
/// posterior `N((x/s² + μ/τ²)/(1/s² + 1/τ²), 1/(1/s² + 1/τ²))` is what to expect of the effect when nothing is broken.
///
/// `from_past` estimates μ and τ from the estimates of past experiments by the method of moments of DerSimonian & Laird. With a share π of ideas that
/// work, the false-positive risk of a significant result is `α(1 − π)/(α(1 − π) + power·π)`.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `success_share` | none | share of past ideas that worked | (0, 1) |
/// | `power` | 0.8 | power against an effect worth finding | (0, 1) |
/// | `alpha` | 0.05 | two-sided level; half of it lies on the side of gains | (0, 1) |
/// | `implausible` | 0.01 | probability under experience below which an effect is marked | (0, 1) |
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range, fewer than three past effects, or a standard error that is not positive.
///
/// # References
/// Kohavi, R., Deng, A. & Vermeer, L. (2022). A/B testing intuition busters. *KDD*, 3168–3177. doi:10.1145/3534678.3539160. DerSimonian & Laird
/// (1986), *Controlled Clinical Trials* 7(3), doi:10.1016/0197-2456(86)90046-2.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// // Past lifts of conversion had a standard deviation of half a per cent; somebody found eight.
/// let found = Estimate { name: "new checkout".into(), estimate: 0.08, std_error: 0.02, degrees_of_freedom: f64::INFINITY };
/// let fit = Twyman::new(0.0, 0.005).success_share(0.1).fit(&[found])?;
/// assert!(fit.effects[0].implausible && fit.effects[0].posterior_mean < 0.006);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Twyman {
    mean: f64,
    sd: f64,
    success_share: Option<f64>,
    power: f64,
    alpha: f64,
    implausible: f64,
}

/// One effect against experience.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlausibleEffect {
    /// The estimate.
    pub effect: Estimate,
    /// Its distance from past effects, in standard deviations of what estimates would be.
    pub surprise: f64,
    /// Two-sided probability of such an estimate under experience.
    pub probability: f64,
    /// What to expect of the effect.
    pub posterior_mean: f64,
    /// How well that is known.
    pub posterior_sd: f64,
    /// Whether the probability is below the limit.
    pub implausible: bool,
}

/// What [`Twyman`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TwymanFit {
    /// The effects.
    pub effects: Vec<PlausibleEffect>,
    /// Mean of past effects.
    pub prior_mean: f64,
    /// Standard deviation of past effects.
    pub prior_sd: f64,
    /// Risk that a significant gain is none, when a share of successes was given.
    pub false_positive_risk: Option<f64>,
}

impl Twyman {
    /// Experience as mean and standard deviation of past true effects.
    pub fn new(mean: f64, sd: f64) -> Self {
        const POWER: f64 = 0.8;
        const ALPHA: f64 = 0.05;
        Self {
            mean,
            sd,
            success_share: None,
            power: POWER,
            alpha: ALPHA,
            implausible: IMPLAUSIBLE,
        }
    }

    /// Experience from the estimates of past experiments, freed of their sampling error.
    ///
    /// # Errors
    /// See [`Twyman`].
    pub fn from_past(past: &[Estimate]) -> Result<Self> {
        const FEWEST: usize = 3;
        if past.len() < FEWEST {
            return Err(Error::invalid_option(
                "past effects",
                past.len(),
                format!("at least {FEWEST}: a spread cannot be seen in fewer"),
            ));
        }
        past.iter().try_for_each(checked)?;
        let (mut w, mut wy, mut ww) = (0.0, 0.0, 0.0);
        for e in past {
            let weight = e.std_error.powi(-2);
            w += weight;
            wy += weight * e.estimate;
            ww += weight * weight;
        }
        let center = wy / w;
        let q: f64 = (past.iter())
            .map(|e| ((e.estimate - center) / e.std_error).powi(2))
            .sum();
        let variance = ((q - (past.len() as f64 - 1.0)) / (w - ww / w)).max(0.0);
        let (mut w, mut wy) = (0.0, 0.0);
        for e in past {
            let weight = 1.0 / (e.std_error.powi(2) + variance);
            w += weight;
            wy += weight * e.estimate;
        }
        Ok(Self::new(wy / w, variance.sqrt()))
    }

    /// The share of past ideas that worked.
    pub fn success_share(mut self, share: f64) -> Self {
        self.success_share = Some(share);
        self
    }

    /// The power of experiments.
    pub fn power(mut self, power: f64) -> Self {
        self.power = power;
        self
    }

    /// Their level.
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// The probability below which an effect is marked.
    pub fn implausible(mut self, probability: f64) -> Self {
        self.implausible = probability;
        self
    }

    /// Holds effects against experience.
    ///
    /// # Errors
    /// See [`Twyman`].
    pub fn fit(&self, effects: &[Estimate]) -> Result<TwymanFit> {
        let share = |name: &str, value: f64| {
            if value > 0.0 && value < 1.0 {
                return Ok(());
            }
            Err(Error::invalid_option(name, value, "between 0 and 1"))
        };
        share("power", self.power)?;
        share("alpha", self.alpha)?;
        share("implausible", self.implausible)?;
        self.success_share
            .map_or(Ok(()), |s| share("success_share", s))?;
        if !(self.sd >= 0.0 && self.sd.is_finite() && self.mean.is_finite()) {
            return Err(Error::invalid_option(
                "prior",
                format!("mean {}, standard deviation {}", self.mean, self.sd),
                "finite, with a standard deviation of zero or more",
            ));
        }
        effects.iter().try_for_each(checked)?;
        let effects = effects
            .iter()
            .map(|effect| {
                let (own, prior) = (effect.std_error.powi(2), self.sd.powi(2));
                let surprise = (effect.estimate - self.mean) / (own + prior).sqrt();
                let probability = 2.0 * normal::sf(surprise.abs());
                PlausibleEffect {
                    effect: effect.clone(),
                    surprise,
                    probability,
                    // Written so that a prior without spread gives its mean.
                    posterior_mean: (effect.estimate * prior + self.mean * own) / (own + prior),
                    posterior_sd: (own * prior / (own + prior)).sqrt(),
                    implausible: probability < self.implausible,
                }
            })
            .collect();
        Ok(TwymanFit {
            effects,
            prior_mean: self.mean,
            prior_sd: self.sd,
            false_positive_risk: self.success_share.map(|worked| {
                let false_gains = self.alpha / 2.0 * (1.0 - worked);
                false_gains / (false_gains + self.power * worked)
            }),
        })
    }
}

fn checked(effect: &Estimate) -> Result<()> {
    if effect.estimate.is_finite() && effect.std_error > 0.0 && effect.std_error.is_finite() {
        return Ok(());
    }
    Err(Error::invalid_option(
        "effect",
        effect,
        "a finite estimate with a positive standard error",
    ))
}

impl TwymanFit {
    /// Whether some effect is implausible.
    pub fn has_implausible(&self) -> bool {
        self.effects.iter().any(|e| e.implausible)
    }

    /// Effects with what experience makes of them.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Twyman's law: effects against experience").columns([
            "",
            "Estimate",
            "Std. error",
            "Surprise",
            "Probability",
            "To expect",
            "±",
        ]);
        for e in &self.effects {
            table = table.row([
                Cell::from(e.effect.name.as_str()),
                Cell::significant(e.effect.estimate, 4),
                Cell::significant(e.effect.std_error, 3),
                Cell::fixed(e.surprise, 2),
                Cell::p_value(e.probability).stars(u8::from(e.implausible)),
                Cell::significant(e.posterior_mean, 4),
                Cell::significant(e.posterior_sd, 3),
            ]);
        }
        table = table.note(format!(
            "Past effects: mean {}, standard deviation {}",
            Cell::significant(self.prior_mean, 4),
            Cell::significant(self.prior_sd, 4)
        ));
        if let Some(risk) = self.false_positive_risk {
            table = table.note(format!(
                "False-positive risk of a significant gain: {}",
                Cell::percent(risk, 1)
            ));
        }
        if self.has_implausible() {
            table = table.note(
                "* implausible: look for a bug in logging or analysis, then repeat the experiment",
            );
        }
        table
    }
}

shown!(TwymanFit);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;
    use crate::numeric::permutation::open_unit;
    use rand::Rng;

    fn effect(estimate: f64, std_error: f64) -> Estimate {
        Estimate {
            name: "x".to_owned(),
            estimate,
            std_error,
            degrees_of_freedom: f64::INFINITY,
        }
    }

    #[test]
    fn kohavis_false_positive_risk() {
        // Kohavi, Deng & Vermeer (2022), table 2: 10 % success, 80 % power, α/2 = 0.025 gives 22 %; Bing's 15 % gives 15 %, 33 % gives 5.9 %.
        for (share, risk) in [(0.10, 0.220), (0.15, 0.150), (0.33, 0.059)] {
            let fit = Twyman::new(0.0, 1.0).success_share(share).fit(&[]).unwrap();
            assert!((fit.false_positive_risk.unwrap() - risk).abs() < 1e-3);
        }
    }

    #[test]
    fn experience_is_recovered_from_past_estimates_and_holds_its_size() {
        let mut draws = Seed::new(5).stream(0);
        let mut z = || normal::quantile(open_unit(draws.next_u64()));
        let past: Vec<Estimate> = (0..4000)
            .map(|i| {
                let s = 0.5 + f64::from(i % 3);
                effect(0.3 + 1.2 * z() + s * z(), s)
            })
            .collect();
        let prior = Twyman::from_past(&past).unwrap().implausible(0.05);
        assert!(
            (prior.mean - 0.3).abs() < 0.1 && (prior.sd - 1.2).abs() < 0.12,
            "{prior:?}"
        );
        let fit = prior.fit(&past).unwrap();
        let marked = fit.effects.iter().filter(|e| e.implausible).count() as f64 / 4000.0;
        assert!((marked - 0.05).abs() < 0.012, "{marked}");
        assert!(fit.has_implausible() && fit.to_string().contains("implausible"));
    }

    #[test]
    fn no_experience_is_refused_and_a_certain_prior_stays() {
        assert!(Twyman::from_past(&[effect(1.0, 1.0), effect(2.0, 1.0)]).is_err());
        assert!(
            Twyman::from_past(&[effect(1.0, 0.0), effect(1.0, 1.0), effect(2.0, 1.0)]).is_err()
        );
        assert!(Twyman::new(0.0, -1.0).fit(&[]).is_err());
        assert!(Twyman::new(0.0, 1.0).success_share(1.0).fit(&[]).is_err());
        let same =
            Twyman::from_past(&[effect(1.0, 1.0), effect(1.0, 1.0), effect(1.0, 1.0)]).unwrap();
        let fit = same.fit(&[effect(9.0, 1.0)]).unwrap();
        assert!((fit.effects[0].posterior_mean - 1.0).abs() < 1e-12 && fit.effects[0].implausible);
    }
}
