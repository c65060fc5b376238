//! Treatment effects that differ between customers: the designs on which estimators of such effects are compared.

use super::closed::{flag, not_negative, process, seeded};
use super::draws::Draws;
use super::generate::{Field, data, generate, oracle, summed};
use super::oracle::{Oracle, Simulated};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Features that some design reads.
const FEWEST_FEATURES: usize = 5;

/// A published design: baseline b, propensity e and effect τ as functions of the features.
///
/// | design | features | b(x) | e(x) | τ(x) |
/// |---|---|---|---|---|
/// | `NieWagerA` | U(0, 1) | sin(π x₁x₂) + 2(x₃ − ½)² + x₄ + x₅/2 | sin(π x₁x₂) within \[.1, .9\] | (x₁ + x₂)/2 |
/// | `NieWagerB` | N(0, 1) | max(0, x₁ + x₂, x₃) + max(0, x₄ + x₅) | ½ | x₁ + log(1 + exp x₂) |
/// | `NieWagerC` | N(0, 1) | 2 log(1 + exp(x₁ + x₂ + x₃)) | 1/(1 + exp(x₂ + x₃)) | 1 |
/// | `NieWagerD` | N(0, 1) | (max(0, x₁ + x₂ + x₃) + max(0, x₄ + x₅))/2 | 1/(1 + exp(−x₁) + exp(−x₂)) | max(0, x₁ + x₂ + x₃) − max(0, x₄ + x₅) |
/// | `WagerAtheyConfounded` | U(0, 1) | 2x₁ − 1 | (1 + β₂,₄(x₁))/4 | 0 |
/// | `WagerAtheySmooth` | U(0, 1) | 0 | ½ | ς(x₁) ς(x₂), ς(x) = 1 + 1/(1 + exp(−20(x − ⅓))) |
/// | `WagerAtheySharp` | U(0, 1) | 0 | ½ | ς(x₁) ς(x₂), ς(x) = 2/(1 + exp(−12(x − ½))) |
///
/// β₂,₄ is the density of the beta distribution, 20 x (1 − x)³. The outcome is `b + (W − ½) τ + σ ε`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EffectDesign {
    /// Difficult nuisances, an easy effect.
    NieWagerA,
    /// A randomised trial.
    NieWagerB,
    /// An easy propensity, a difficult baseline, the same effect for all.
    NieWagerC,
    /// Treated and untreated have nothing in common.
    NieWagerD,
    /// Confounding without an effect (Wager & Athey's first).
    WagerAtheyConfounded,
    /// A smooth effect in a trial (their second).
    WagerAtheySmooth,
    /// A sharper effect in a trial (their third).
    WagerAtheySharp,
}

/// Baseline, propensity and effect at a point.
struct Surfaces {
    baseline: f64,
    propensity: f64,
    effect: f64,
}

impl EffectDesign {
    /// Whether features are uniform (else standard normal).
    fn is_uniform(self) -> bool {
        !matches!(self, Self::NieWagerB | Self::NieWagerC | Self::NieWagerD)
    }

    fn at(self, x: &[f64]) -> Surfaces {
        let softplus = |v: f64| v.exp().ln_1p();
        let product = |slope: f64, middle: f64, low: f64, height: f64| {
            let one = |v: f64| low + height / (1.0 + (-slope * (v - middle)).exp());
            one(x[0]) * one(x[1])
        };
        let (baseline, propensity, effect) = match self {
            Self::NieWagerA => {
                let wave = (PI * x[0] * x[1]).sin();
                (
                    wave + 2.0 * (x[2] - 0.5).powi(2) + x[3] + 0.5 * x[4],
                    wave.clamp(0.1, 0.9),
                    0.5 * (x[0] + x[1]),
                )
            }
            Self::NieWagerB => (
                (x[0] + x[1]).max(x[2]).max(0.0) + (x[3] + x[4]).max(0.0),
                0.5,
                x[0] + softplus(x[1]),
            ),
            Self::NieWagerC => (
                2.0 * softplus(x[0] + x[1] + x[2]),
                1.0 / (1.0 + (x[1] + x[2]).exp()),
                1.0,
            ),
            Self::NieWagerD => {
                let (one, other) = ((x[0] + x[1] + x[2]).max(0.0), (x[3] + x[4]).max(0.0));
                (
                    0.5 * (one + other),
                    1.0 / (1.0 + (-x[0]).exp() + (-x[1]).exp()),
                    one - other,
                )
            }
            Self::WagerAtheyConfounded => (
                2.0 * x[0] - 1.0,
                0.25 * (1.0 + 20.0 * x[0] * (1.0 - x[0]).powi(3)),
                0.0,
            ),
            Self::WagerAtheySmooth => (0.0, 0.5, product(20.0, 1.0 / 3.0, 1.0, 1.0)),
            Self::WagerAtheySharp => (0.0, 0.5, product(12.0, 0.5, 0.0, 2.0)),
        };
        Surfaces {
            baseline,
            propensity,
            effect,
        }
    }
}

/// Customers whose response to a treatment differs, by one of the published [`EffectDesign`]s.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `design` | given | the surfaces |
/// | `customers` | 2 000 | |
/// | `features` | 10 | at least 5; the designs read the first few, the others are noise |
/// | `noise` | 1 | σ |
///
/// **Data**: `x1` …, `w` (0 or 1), `y`. **Oracle**: `effect`, `propensity`, `mean_0`, `mean_1`; effects over this sample: `ate`, `att` (over the
/// treated), `overlap` (weights e(1 − e)), and `effect_variance`.
///
/// # References
/// Nie, X. & Wager, S. (2021). Quasi-oracle estimation of heterogeneous treatment effects. *Biometrika* 108(2), 299–319, section 6,
/// doi:10.1093/biomet/asaa076. Wager, S. & Athey, S. (2018), doi:10.1080/01621459.2017.1319839, section 5 (equations 27 and 28 and the
/// supplement's sharper effect).
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let made = HeterogeneousEffects::new(EffectDesign::NieWagerC).customers(500).seed(7).simulate()?;
/// assert_eq!(made.oracle.effect("ate")?, 1.0);
/// assert_eq!(made.data.columns(), 12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeterogeneousEffects {
    /// The surfaces.
    pub design: EffectDesign,
    /// How many customers.
    pub customers: usize,
    /// How many features.
    pub features: usize,
    /// Standard deviation of the outcome given features and treatment.
    pub noise: f64,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

process!(HeterogeneousEffects, customers, "customers");

impl HeterogeneousEffects {
    /// A design at its defaults.
    pub fn new(design: EffectDesign) -> Self {
        Self {
            design,
            customers: 2_000,
            features: 10,
            noise: 1.0,
            keep_oracle: true,
            seed: None,
        }
    }

    /// How many features.
    pub fn features(mut self, features: usize) -> Self {
        self.features = features;
        self
    }

    /// Standard deviation of the noise.
    pub fn noise(mut self, noise: f64) -> Self {
        self.noise = noise;
        self
    }

    /// Draws the customers.
    ///
    /// # Errors
    /// [`Error::SeedRequired`], [`Error::InvalidOption`].
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "heterogeneous effects")?.child("heterogeneous effects");
        not_negative("noise", self.noise)?;
        if self.features < FEWEST_FEATURES {
            return Err(Error::invalid_option(
                "features",
                self.features,
                format!("at least {FEWEST_FEATURES}"),
            ));
        }
        let p = self.features;
        let mut fields: Vec<Field> = (1..=p).map(|j| data(format!("x{j}"))).collect();
        fields.extend([data("w"), data("y")]);
        fields.extend(["effect", "propensity", "mean_0", "mean_1"].map(oracle));
        fields.extend(["treated effect", "overlap", "overlap effect", "effect²"].map(summed));
        let made = generate(
            self.customers,
            seed,
            &fields,
            self.keep_oracle,
            |draws, _, out| self.row(draws, out),
        )?;
        let (ate, treated) = (made.mean("effect"), made.sum("w"));
        let mut oracle = Oracle::new(made.oracle.clone()).with("ate", ate);
        if treated > 0.0 {
            oracle = oracle.with("att", made.ratio("treated effect", "w"));
        }
        let oracle = oracle
            .with("overlap", made.ratio("overlap effect", "overlap"))
            .with(
                "effect_variance",
                (made.mean("effect²") - ate * ate).max(0.0),
            );
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }

    /// One customer.
    fn row(&self, draws: &mut Draws, out: &mut [f64]) {
        let (x, rest) = out.split_at_mut(self.features);
        for value in x.iter_mut() {
            *value = if self.design.is_uniform() {
                draws.uniform()
            } else {
                draws.normal()
            };
        }
        let Surfaces {
            baseline,
            propensity,
            effect,
        } = self.design.at(x);
        let w = flag(draws.chance(propensity));
        let y = baseline + (w - 0.5) * effect + self.noise * draws.normal();
        let overlap = propensity * (1.0 - propensity);
        rest.copy_from_slice(&[
            w,
            y,
            effect,
            propensity,
            baseline - 0.5 * effect,
            baseline + 0.5 * effect,
            w * effect,
            overlap,
            overlap * effect,
            effect * effect,
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surfaces_are_those_of_the_papers() {
        let at = |design: EffectDesign, x: [f64; 5]| {
            let s = design.at(&x);
            (s.baseline, s.propensity, s.effect)
        };
        // Worked out by hand at x = (½, 1, 0, 1, 2), where sin(π/2) = 1 and the propensity is cut.
        let (b, e, tau) = at(EffectDesign::NieWagerA, [0.5, 1.0, 0.0, 1.0, 2.0]);
        assert!((b - 3.5).abs() < 1e-12 && (e, tau) == (0.9, 0.75));
        let (b, e, tau) = at(EffectDesign::NieWagerB, [1.0, 0.0, 3.0, -1.0, 2.0]);
        assert!((b, e) == (4.0, 0.5) && (tau - 1.0 - 2.0_f64.ln()).abs() < 1e-12);
        let (b, e, tau) = at(EffectDesign::NieWagerC, [0.0; 5]);
        assert!((b - 2.0 * 2.0_f64.ln()).abs() < 1e-12 && (e, tau) == (0.5, 1.0));
        let (b, e, tau) = at(EffectDesign::NieWagerD, [0.0, 0.0, 1.0, 2.0, 1.0]);
        assert!((b, tau) == (2.0, -2.0) && (e - 1.0 / 3.0).abs() < 1e-12);
        // The beta density at ¼ is 20 · ¼ · 27/64 = 2.109375.
        let (b, e, tau) = at(
            EffectDesign::WagerAtheyConfounded,
            [0.25, 0.0, 0.0, 0.0, 0.0],
        );
        assert!((b, tau) == (-0.5, 0.0) && (e - 3.109_375 / 4.0).abs() < 1e-12);
        let third = 1.0 / 3.0;
        let (_, _, tau) = at(
            EffectDesign::WagerAtheySmooth,
            [third, third, 0.0, 0.0, 0.0],
        );
        assert!((tau - 2.25).abs() < 1e-12);
        let (_, _, tau) = at(EffectDesign::WagerAtheySharp, [0.5, 0.5, 0.0, 0.0, 0.0]);
        assert!((tau - 1.0).abs() < 1e-12);
    }

    #[test]
    fn data_follow_the_oracle() {
        let made = HeterogeneousEffects::new(EffectDesign::NieWagerD)
            .customers(40_000)
            .seed(3)
            .simulate()
            .unwrap();
        let column = |name: &str| made.data.real(name).unwrap();
        let hidden = |name: &str| made.oracle.real(name).unwrap();
        let (w, y, e) = (column("w"), column("y"), hidden("propensity"));
        let (zero, one) = (hidden("mean_0"), hidden("mean_1"));
        let n = w.len() as f64;
        let assigned: f64 = w.iter().zip(e).map(|(w, e)| w - e).sum();
        assert!(assigned.abs() < 4.0 * (0.25 * n).sqrt());
        let errors: Vec<f64> = (0..w.len())
            .map(|i| y[i] - if w[i] > 0.5 { one[i] } else { zero[i] })
            .collect();
        let variance = errors.iter().map(|v| v * v).sum::<f64>() / n;
        assert!((variance - 1.0).abs() < 4.0 * (2.0 / n).sqrt());
        // E max(0, N(0, 3)) − E max(0, N(0, 2)) = (√3 − √2)/√(2π)
        let ate = (3.0_f64.sqrt() - 2.0_f64.sqrt()) / (2.0 * PI).sqrt();
        assert!((made.oracle.effect("ate").unwrap() - ate).abs() < 4.0 * 1.5 / n.sqrt());
        let few = HeterogeneousEffects::new(EffectDesign::NieWagerA).seed(1);
        assert!(few.clone().features(4).simulate().is_err());
        assert!(few.clone().noise(-1.0).simulate().is_err());
        let unseeded = HeterogeneousEffects::new(EffectDesign::NieWagerA);
        assert!(matches!(
            unseeded.simulate(),
            Err(Error::SeedRequired { .. })
        ));
    }
}
