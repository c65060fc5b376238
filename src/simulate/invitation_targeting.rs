//! Whom to invite to co-create: a trial of invitations in which the best policy is known.

use super::closed::{flag, not_negative, process, seeded, share};
use super::draws::Draws;
use super::generate::{data, data_flag, generate, oracle, summed};
use super::oracle::{Oracle, Simulated};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// A trial of invitations to design one's own product. Those who finish spend more; those who begin and fail may not come back. Who begins is
/// decided by confidence, who finishes by ability, so that the confident without ability should not be invited.
///
/// With observed experience and visits, both N(0, 1), and ability `a = ½ experience + √¾ ζ`, customers report their confidence
/// `m = ρ a + √(1 − ρ²) η`. Without invitation they buy the standard product with probability `q = Φ(c₀ + 0.3 visits)` and leave a `margin`.
/// Invited ones
///
/// * begin with probability `Φ(c₁ + m + 0.3 visits)`,
/// * finish, having begun, with probability `Φ(c₂ + λ a)` and leave a `premium` more,
/// * or fail, and then stay away with probability `frustration`, what they would have bought being lost.
///
/// Ability given the observed is normal with a mean `μ(x)` and a variance `s²`, so that the effect of an invitation on profit has a closed form,
///
/// `τ(x) = Φ(c₁ + m + 0.3 visits) (p premium − (1 − p) frustration · q margin)`, `p = Φ((c₂ + λ μ(x))/√(1 + λ² s²))`.
///
/// The best policy invites where `τ(x)` is more than the `cost` of an invitation. All levels are **assumed**.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `customers` | 10 000 | |
/// | `invited` | ½ | share invited at random |
/// | `cost` | 0.5 | of an invitation, not in `profit` |
/// | `constants` | −1, −0.3, 0 | c₀, c₁, c₂ |
/// | `calibration` | .5 | ρ, how much confidence knows of ability |
/// | `loading` | 1.5 | λ |
/// | `margin`, `premium` | 20, 5 | money |
/// | `frustration` | .8 | |
/// | `noise_features` | 3 | columns `u1` …, N(0, 1), that matter for nothing |
///
/// **Data**: `experience`, `visits`, `confidence`, `u1` …, `invited`, `begins`, `finishes`, `profit`. **Oracle**: `effect` (τ), `net_effect` (less the
/// cost), `individual_effect` (the difference of the customer's own two outcomes), `profit_0`, `profit_1`, `ability`; truths over this sample: `ate`,
/// and, against inviting nobody, `value_all`, `value_best` and `share_best` of inviting all and the best, in profit less cost a customer.
///
/// # Errors
/// [`Error::SeedRequired`], [`Error::InvalidOption`].
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let made = InvitationTargeting::new().seed(7).simulate()?;
/// assert!(made.oracle.effect("value_best")? > made.oracle.effect("value_all")? + 0.2);
/// let share = made.oracle.effect("share_best")?;
/// assert!(share > 0.2 && share < 0.8);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvitationTargeting {
    /// How many customers.
    pub customers: usize,
    /// Share invited.
    pub invited: f64,
    /// Cost of an invitation.
    pub cost: f64,
    /// c₀, c₁, c₂.
    pub constants: [f64; 3],
    /// ρ.
    pub calibration: f64,
    /// λ.
    pub loading: f64,
    /// What a standard sale leaves.
    pub margin: f64,
    /// What a finished design adds.
    pub premium: f64,
    /// Probability that a failure keeps a customer away.
    pub frustration: f64,
    /// Features that matter for nothing.
    pub noise_features: usize,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for InvitationTargeting {
    fn default() -> Self {
        Self {
            customers: 10_000,
            invited: 0.5,
            cost: 0.5,
            constants: [-1.0, -0.3, 0.0],
            calibration: 0.5,
            loading: 1.5,
            margin: 20.0,
            premium: 5.0,
            frustration: 0.8,
            noise_features: 3,
            keep_oracle: true,
            seed: None,
        }
    }
}

process!(InvitationTargeting, customers, "customers");

/// What experience does to ability, and visits to buying and beginning.
const EXPERIENCE: f64 = 0.5;
const VISITS: f64 = 0.3;

/// Probabilities of one customer.
struct Chances {
    buys: f64,
    begins: f64,
    /// Given the observed, not ability.
    finishes: f64,
}

impl InvitationTargeting {
    /// The trial at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Draws the customers.
    ///
    /// # Errors
    /// As on the type.
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "a trial of invitations")?.child("invitation targeting");
        self.check()?;
        let mut fields = ["experience", "visits", "confidence"].map(data).to_vec();
        fields.extend((1..=self.noise_features).map(|j| data(format!("u{j}"))));
        fields.extend(["invited", "begins", "finishes"].map(data_flag));
        fields.push(data("profit"));
        fields.extend(["effect", "net_effect", "individual_effect"].map(oracle));
        fields.extend(["profit_0", "profit_1", "ability"].map(oracle));
        fields.extend(["gain", "chosen"].map(summed));
        let made = generate(
            self.customers,
            seed,
            &fields,
            self.keep_oracle,
            |draws, _, out| self.row(draws, out),
        )?;
        let oracle = Oracle::new(made.oracle.clone())
            .with("ate", made.mean("effect"))
            .with("value_all", made.mean("net_effect"))
            .with("value_best", made.mean("gain"))
            .with("share_best", made.mean("chosen"));
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }

    fn check(&self) -> Result<()> {
        share("invited", self.invited)?;
        not_negative("cost", self.cost)?;
        not_negative("margin", self.margin)?;
        not_negative("premium", self.premium)?;
        not_negative("loading", self.loading)?;
        for (name, value) in [
            ("calibration", self.calibration),
            ("frustration", self.frustration),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::invalid_option(name, value, "between 0 and 1"));
            }
        }
        match self.constants.iter().find(|c| !c.is_finite()) {
            Some(constant) => Err(Error::invalid_option(
                "constants",
                constant,
                "finite numbers",
            )),
            None => Ok(()),
        }
    }

    /// Given experience, visits and confidence.
    fn chances(&self, experience: f64, visits: f64, confidence: f64) -> Chances {
        let [buys, begins, finishes] = self.constants;
        // Ability given experience is N(½ experience, ¾); confidence then adds what it knows.
        let rho = self.calibration;
        let prior = (EXPERIENCE * experience, 1.0 - EXPERIENCE * EXPERIENCE);
        let gain = prior.1 * rho / (rho * rho * prior.1 + 1.0 - rho * rho);
        let mean = prior.0 + gain * (confidence - rho * prior.0);
        let variance = prior.1 * (1.0 - gain * rho);
        let index = finishes + self.loading * mean;
        Chances {
            buys: normal::cdf(buys + VISITS * visits),
            begins: normal::cdf(begins + confidence + VISITS * visits),
            finishes: normal::cdf(index / (1.0 + self.loading * self.loading * variance).sqrt()),
        }
    }

    /// One customer.
    fn row(&self, draws: &mut Draws, out: &mut [f64]) {
        let (experience, visits) = (draws.normal(), draws.normal());
        let ability =
            EXPERIENCE * experience + (1.0 - EXPERIENCE * EXPERIENCE).sqrt() * draws.normal();
        let rho = self.calibration;
        let confidence = rho * ability + (1.0 - rho * rho).sqrt() * draws.normal();
        let chances = self.chances(experience, visits, confidence);
        out[..3].copy_from_slice(&[experience, visits, confidence]);
        let rest = &mut out[3..];
        rest[..self.noise_features].fill_with(|| draws.normal());
        let rest = &mut rest[self.noise_features..];
        let buys = flag(draws.chance(chances.buys));
        let begins = flag(draws.chance(chances.begins));
        let index = self.constants[2] + self.loading * ability;
        let finishes = begins * flag(index > draws.normal());
        let away = flag(draws.chance(self.frustration));
        let lost = (begins - finishes) * away * buys * self.margin;
        let without = buys * self.margin;
        let with = without + finishes * self.premium - lost;
        let invited = flag(draws.chance(self.invited));
        let p = chances.finishes;
        let loss = (1.0 - p) * self.frustration * chances.buys * self.margin;
        let effect = chances.begins * (p * self.premium - loss);
        let net = effect - self.cost;
        rest.copy_from_slice(&[
            invited,
            invited * begins,
            invited * finishes,
            if invited > 0.5 { with } else { without },
            effect,
            net,
            with - without,
            without,
            with,
            ability,
            net.max(0.0),
            flag(net > 0.0),
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closed_form_is_the_mean_of_the_individual_effects() {
        let made = InvitationTargeting::new()
            .customers(200_000)
            .seed(5)
            .simulate()
            .unwrap();
        let (effect, own) = (
            made.oracle.real("effect").unwrap(),
            made.oracle.real("individual_effect").unwrap(),
        );
        let confidence = made.data.real("confidence").unwrap();
        let experience = made.data.real("experience").unwrap();
        // In any part of the observed, not only on average.
        for part in 0..4 {
            let here = |i: &usize| {
                usize::from(confidence[*i] > 0.5) + 2 * usize::from(experience[*i] > 0.0) == part
            };
            let rows: Vec<usize> = (0..effect.len()).filter(here).collect();
            let n = rows.len() as f64;
            let gaps: Vec<f64> = rows.iter().map(|i| own[*i] - effect[*i]).collect();
            let mean = gaps.iter().sum::<f64>() / n;
            let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / n;
            assert!(mean.abs() < 4.0 * (variance / n).sqrt(), "{part}: {mean}");
        }
    }

    #[test]
    fn the_best_policy_is_worth_its_gains() {
        let trial = InvitationTargeting::new().customers(5_000).seed(2);
        let made = trial.simulate().unwrap();
        let net = made.oracle.real("net_effect").unwrap();
        let best = net.iter().map(|v| v.max(0.0)).sum::<f64>() / 5_000.0;
        assert!((made.oracle.effect("value_best").unwrap() - best).abs() < 1e-12);
        // A random half is invited; profit without is that of the others.
        let (invited, profit) = (
            made.data.flag("invited").unwrap(),
            made.data.real("profit").unwrap(),
        );
        let without = made.oracle.real("profit_0").unwrap();
        assert!((0..5_000).all(|i| invited[i] || profit[i] == without[i]));
        // Without frustration an invitation never harms, and at no cost all are invited.
        let kind = InvitationTargeting {
            frustration: 0.0,
            cost: 0.0,
            ..trial.clone()
        };
        assert_eq!(
            kind.simulate()
                .unwrap()
                .oracle
                .effect("share_best")
                .unwrap(),
            1.0
        );
        let wrong = InvitationTargeting {
            frustration: 1.2,
            ..trial
        };
        assert!(wrong.simulate().is_err());
    }
}
