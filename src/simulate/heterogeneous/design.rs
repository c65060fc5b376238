//! The designs: features, baseline, propensity and effect.

use super::kunzel::{self, Coefficients, correlation_root};
use super::powers::{self, Scenario};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::simulate::draws::Draws;
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Features that the designs of Nie & Wager read.
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
/// | `AtheyTibshiraniWager` | U(0, 1) | 2x₁ − 1 + τ(x)/2 | (1 + β₂,₄(x₁))/4 | that of `WagerAtheySmooth` |
///
/// β₂,₄ is the density of the beta distribution, 20 x (1 − x)³. The outcome is `b + (W − ½) τ + σ ε`.
///
/// **`Kunzel(1)` to `Kunzel(6)`** are the simulations of Künzel et al.; features are N(0, Σ) with a random correlation matrix Σ, in
/// the sixth U(0, 1). With `b = μ₀ + τ/2`:
///
/// | number | μ₀(x) | e(x) | τ(x) | coefficients |
/// |---|---|---|---|---|
/// | 1, unbalanced | x'β + 5·1(x₁ > .5) | .01 | 8·1(x₂ > .1) | U(−5, 5) |
/// | 2, linear, nothing in common | x'β₀ | ½ | x'β₁ − x'β₀ | U(1, 30) |
/// | 3, nonlinear | −τ(x)/2 | ½ | that of `WagerAtheySharp` | |
/// | 4, no effect, linear | x'β | ½ | 0 | U(1, 30) |
/// | 5, no effect, piecewise linear | x'β over features 1–5 where x₂₀ < −.4, 6–10 up to .4, 11–15 above | ½ | 0 | U(−15, 15) |
/// | 6, confounded | 2x₁ − 1 | (1 + β₂,₄(x₁))/4 | 0 | |
///
/// **`Powers(1)` to `Powers(16)`** are the scenarios of Powers et al.: odd features are N(0, 1), even ones 0 or 1 with probability ½, and b and τ are
/// two of
/// f₁ = 0; f₂ = 5·1(x₁ > 1) − 5; f₃ = 2x₁ − 4; f₄ = 1 to 8 by the eight outcomes of (x₂, x₄, x₆), from heads, heads, heads to tails, tails,
/// tails; f₅ = x₁ + x₃ + x₅ + x₇ + x₈ + x₉ − 2; f₆ = 4·1(x₁ > 1)·1(x₃ > 0) + 4·1(x₅ > 1)·1(x₇ > 0) + 2x₈x₉;
/// f₇ = (x₁² + x₂ + x₃² + x₄ + x₅² + x₆ + x₇² + x₈ + x₉² − 11)/2; f₈ = (f₄ + f₅)/√2. In scenario k the effect is f_k, and
///
/// | scenario | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 |
/// |---|---|---|---|---|---|---|---|---|
/// | rows, features | 200, 400 | 200, 400 | 300, 300 | 300, 300 | 400, 200 | 400, 200 | 1000, 100 | 1000, 100 |
/// | b | f₈ | f₅ | f₄ | f₇ | f₃ | f₁ | f₂ | f₆ |
/// | σ² | 1 | ¼ | 1 | ¼ | 1 | 1 | 4 | 4 |
///
/// Treatment is a fair coin; scenarios 9 to 16 are the same without randomisation, `e(x) = 1/(1 + exp(τ(x)/2 − b(x)))`.
///
/// `AtheyTibshiraniWager` is the design with confounding and heterogeneity in the authors' scripts (their tables' second design is
/// `WagerAtheyConfounded`, the first `WagerAtheySmooth`). Künzel's are those of the authors' R package causalToolbox, not of the supplement itself,
/// which was not at hand; in the fifth the package uses five coefficients three times, here there are fifteen. The functions and sizes of Powers
/// et al. were taken from a public replication.
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
    /// The smooth effect with the confounding.
    AtheyTibshiraniWager,
    /// Künzel, Sekhon, Bickel & Yu's simulations 1 to 6.
    Kunzel(u8),
    /// Powers et al.'s scenarios 1 to 16.
    Powers(u8),
}

/// Sizes and noise of a design as published.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) customers: usize,
    pub(super) features: usize,
    pub(super) noise: f64,
}

/// Baseline, propensity and effect at a point.
pub(super) struct Surfaces {
    pub(super) baseline: f64,
    pub(super) propensity: f64,
    pub(super) effect: f64,
}

/// How features are drawn.
enum Law {
    Uniform,
    Normal,
    /// Normals with this root of their correlations.
    Correlated(DMatrix<f64>),
    /// Normals and fair coins by turns.
    NormalsAndCoins,
}

/// What a point's surfaces are computed from.
enum Kind {
    Closed(EffectDesign),
    Kunzel(Coefficients),
    Powers(Scenario),
}

/// A design with all that is random in its surfaces drawn.
pub(super) struct Ground {
    law: Law,
    kind: Kind,
}

impl EffectDesign {
    /// Sizes and noise as published; 2 000 rows, 10 features and σ = 1 where papers have several.
    pub(super) fn sizes(self) -> Sizes {
        let plain = Sizes {
            customers: 2_000,
            features: 10,
            noise: 1.0,
        };
        match self {
            // One row in a hundred is treated.
            Self::Kunzel(1) => Sizes {
                customers: 20_000,
                features: 20,
                ..plain
            },
            Self::Kunzel(4) => Sizes {
                features: 5,
                ..plain
            },
            Self::Kunzel(_) => Sizes {
                features: 20,
                ..plain
            },
            Self::Powers(number) => Scenario::numbered(number).map_or(plain, |s| Sizes {
                customers: s.customers,
                features: s.features,
                noise: s.variance.sqrt(),
            }),
            _ => plain,
        }
    }

    /// Features that the surfaces read.
    fn fewest_features(self) -> usize {
        match self {
            Self::Kunzel(5) => 20,
            Self::Kunzel(_) => 2,
            Self::Powers(_) => powers::FEWEST_FEATURES,
            _ => FEWEST_FEATURES,
        }
    }

    /// Draws what is random in the surfaces.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a number that no simulation has, or too few features.
    pub(super) fn ground(self, features: usize, seed: Seed) -> Result<Ground> {
        let no_such =
            |what: &str, expected: String| Err(Error::invalid_option("design", what, expected));
        let kind = match self {
            Self::Kunzel(number) if (1..=kunzel::SIMULATIONS).contains(&number) => {
                Kind::Kunzel(Coefficients::draw(number, features, seed))
            }
            Self::Kunzel(_) => {
                return no_such(
                    &format!("{self:?}"),
                    format!("a simulation from 1 to {}", kunzel::SIMULATIONS),
                );
            }
            Self::Powers(number) => match Scenario::numbered(number) {
                Some(scenario) => Kind::Powers(scenario),
                None => {
                    return no_such(
                        &format!("{self:?}"),
                        format!("a scenario from 1 to {}", powers::SCENARIOS),
                    );
                }
            },
            closed => Kind::Closed(closed),
        };
        if features < self.fewest_features() {
            return Err(Error::invalid_option(
                "features",
                features,
                format!("at least {}", self.fewest_features()),
            ));
        }
        let law = match self {
            Self::NieWagerB | Self::NieWagerC | Self::NieWagerD => Law::Normal,
            Self::Kunzel(number) if number < kunzel::SIMULATIONS => {
                Law::Correlated(correlation_root(features, seed))
            }
            Self::Powers(_) => Law::NormalsAndCoins,
            _ => Law::Uniform,
        };
        Ok(Ground { law, kind })
    }

    /// The surfaces of a design without random coefficients.
    fn at(self, x: &[f64]) -> Surfaces {
        let softplus = |v: f64| v.exp().ln_1p();
        let product = |slope: f64, middle: f64, low: f64, height: f64| {
            let one = |v: f64| low + height / (1.0 + (-slope * (v - middle)).exp());
            one(x[0]) * one(x[1])
        };
        let confounded = |v: f64| 0.25 * (1.0 + 20.0 * v * (1.0 - v).powi(3));
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
            Self::WagerAtheyConfounded => (2.0 * x[0] - 1.0, confounded(x[0]), 0.0),
            Self::WagerAtheySmooth => (0.0, 0.5, product(20.0, 1.0 / 3.0, 1.0, 1.0)),
            Self::AtheyTibshiraniWager => {
                let effect = product(20.0, 1.0 / 3.0, 1.0, 1.0);
                (2.0 * x[0] - 1.0 + 0.5 * effect, confounded(x[0]), effect)
            }
            // Those with random coefficients are not asked here.
            Self::WagerAtheySharp | Self::Kunzel(_) | Self::Powers(_) => {
                (0.0, 0.5, product(12.0, 0.5, 0.0, 2.0))
            }
        };
        Surfaces {
            baseline,
            propensity,
            effect,
        }
    }
}

impl Ground {
    /// Draws the features of a row.
    pub(super) fn draw(&self, draws: &mut Draws, x: &mut [f64]) {
        match &self.law {
            Law::Uniform => x.fill_with(|| draws.uniform()),
            Law::Normal => x.fill_with(|| draws.normal()),
            Law::Correlated(root) => {
                x.fill_with(|| draws.normal());
                // From the back, so that each sum finds its independent normals.
                for i in (0..x.len()).rev() {
                    x[i] = (0..=i).map(|j| root[(i, j)] * x[j]).sum();
                }
            }
            Law::NormalsAndCoins => {
                for (j, value) in x.iter_mut().enumerate() {
                    *value = if j % 2 == 0 {
                        draws.normal()
                    } else {
                        f64::from(u8::from(draws.chance(0.5)))
                    };
                }
            }
        }
    }

    /// The surfaces at a point.
    pub(super) fn at(&self, x: &[f64]) -> Surfaces {
        let [baseline, propensity, effect] = match &self.kind {
            Kind::Closed(design) => return design.at(x),
            Kind::Kunzel(coefficients) => coefficients.at(x),
            Kind::Powers(scenario) => scenario.at(x),
        };
        Surfaces {
            baseline,
            propensity,
            effect,
        }
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
        let (b, e, tau) = at(
            EffectDesign::AtheyTibshiraniWager,
            [third, third, 0.0, 0.0, 0.0],
        );
        // 20 · ⅓ · 8/27 = 160/81.
        assert!((tau - 2.25).abs() < 1e-12 && (e - 241.0 / 324.0).abs() < 1e-12);
        assert!((b - 1.125 + third).abs() < 1e-12);
    }

    #[test]
    fn numbers_that_no_paper_has_are_refused() {
        let ground = |design: EffectDesign, features| design.ground(features, Seed::new(1));
        for design in [
            EffectDesign::Kunzel(0),
            EffectDesign::Kunzel(7),
            EffectDesign::Powers(0),
            EffectDesign::Powers(17),
        ] {
            assert!(matches!(
                ground(design, 50),
                Err(Error::InvalidOption { .. })
            ));
        }
        assert!(ground(EffectDesign::Kunzel(5), 19).is_err());
        assert!(ground(EffectDesign::Powers(3), 8).is_err());
        assert!(ground(EffectDesign::Kunzel(6), 2).is_ok());
    }

    #[test]
    fn correlated_features_have_their_correlations() {
        let design = EffectDesign::Kunzel(2);
        let ground = design.ground(4, Seed::new(9)).unwrap();
        let Law::Correlated(root) = &ground.law else {
            panic!("correlated normals");
        };
        let want = root * root.transpose();
        let mut draws = Draws::new(Seed::new(1), 0);
        let n = 40_000;
        let mut sums = DMatrix::<f64>::zeros(4, 4);
        let mut x = [0.0; 4];
        for _ in 0..n {
            ground.draw(&mut draws, &mut x);
            for i in 0..4 {
                for j in 0..4 {
                    sums[(i, j)] += x[i] * x[j] / f64::from(n);
                }
            }
        }
        assert!((sums - want).abs().max() < 4.0 * (2.0 / f64::from(n)).sqrt());
    }
}
