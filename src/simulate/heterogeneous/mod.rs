//! Treatment effects that differ between customers: the designs on which estimators of such effects are compared.

mod design;
mod kunzel;
mod powers;

pub use design::EffectDesign;

use super::closed::{flag, not_negative, process, seeded};
use super::draws::Draws;
use super::generate::{Field, data, generate, oracle, summed};
use super::oracle::{Oracle, Simulated};
use crate::error::Result;
use crate::numeric::Seed;
use design::{Ground, Surfaces};
use serde::{Deserialize, Serialize};

/// Customers whose response to a treatment differs, by one of the published [`EffectDesign`]s.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `design` | given | the surfaces |
/// | `customers` | 2 000, or the paper's one number | |
/// | `features` | 10, or the paper's one number | at least those that the design reads (5, 2, 9, 20); the others are noise |
/// | `noise` | 1, or the paper's | σ |
/// | `surface_seed` | 1 | of random coefficients and correlations, which belong to the design: samples of other seeds share them |
///
/// **Data**: `x1` …, `w` (0 or 1), `y`. **Oracle**: `effect`, `propensity`, `mean_0`, `mean_1`; effects over this sample: `ate`, `att` (over the
/// treated), `overlap` (weights e(1 − e)), and `effect_variance`.
///
/// # References
/// Nie, X. & Wager, S. (2021). Quasi-oracle estimation of heterogeneous treatment effects. *Biometrika* 108(2), 299–319, section 6,
/// doi:10.1093/biomet/asaa076. Wager, S. & Athey, S. (2018), doi:10.1080/01621459.2017.1319839, section 5 (equations 27 and 28 and the
/// supplement's sharper effect). Athey, S., Tibshirani, J. & Wager, S. (2019), doi:10.1214/18-AOS1709, section 6. Künzel, S. R., Sekhon, J. S.,
/// Bickel, P. J. & Yu, B. (2019), *PNAS* 116(10), doi:10.1073/pnas.1804597116, supplement. Powers, S. et al. (2018). Some methods for
/// heterogeneous treatment effect estimation in high dimensions. *Statistics in Medicine* 37(11), doi:10.1002/sim.7623. Lewandowski, D., Kurowicka, D. &
/// Joe, H. (2009), *Journal of Multivariate Analysis* 100(9), doi:10.1016/j.jmva.2009.04.008 (the correlation matrices).
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
    /// The seed of what is random in the surfaces.
    pub surface_seed: Seed,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

process!(HeterogeneousEffects, customers, "customers");

impl HeterogeneousEffects {
    /// A design at its defaults.
    pub fn new(design: EffectDesign) -> Self {
        let sizes = design.sizes();
        Self {
            design,
            customers: sizes.customers,
            features: sizes.features,
            noise: sizes.noise,
            surface_seed: Seed::new(1),
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

    /// The seed of the coefficients and correlations of designs that draw them.
    pub fn surface_seed(mut self, seed: impl Into<Seed>) -> Self {
        self.surface_seed = seed.into();
        self
    }

    /// Draws the customers.
    ///
    /// # Errors
    /// [`Error::SeedRequired`](crate::Error::SeedRequired), [`Error::InvalidOption`](crate::Error::InvalidOption).
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "heterogeneous effects")?.child("heterogeneous effects");
        not_negative("noise", self.noise)?;
        let ground = self.design.ground(self.features, self.surface_seed)?;
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
            |draws, _, out| self.row(&ground, draws, out),
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
    fn row(&self, ground: &Ground, draws: &mut Draws, out: &mut [f64]) {
        let (x, rest) = out.split_at_mut(self.features);
        ground.draw(draws, x);
        let Surfaces {
            baseline,
            propensity,
            effect,
        } = ground.at(x);
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
    use crate::error::Error;
    use std::f64::consts::PI;

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
