//! Effects that differ between customers who cannot be made to take what they are offered.

use super::closed::{flag, not_negative, process, seeded, share};
use super::draws::Draws;
use super::generate::{Field, data, generate, oracle, oracle_flag, summed};
use super::oracle::{Oracle, Simulated};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use serde::{Deserialize, Serialize};

/// Features that the baseline reads, after those of the effect.
const NUISANCE_FEATURES: usize = 2;

/// Customers who are encouraged at random and take part or not by what the researcher does not see: the design of instrumental forests.
///
/// With `X ~ N(0, I)`, `ε ~ N(0, 1)`, an encouragement `Z` of probability `encouraged`, and `Q` true with probability `1/(1 + exp(−ω ε))`,
///
/// `W = Z Q`, `Y = (W − ½) τ(X) + μ(X) + ε`,
///
/// where `τ = Σ_{j ≤ κ} max(0, x_j)` and `μ = α Σ max(0, x_j)` over the next two features, or, not additive, `τ = max(0, Σ_{j ≤ κ} x_j)` and
/// `μ = α max(0, Σ x_j)`. Nobody takes part without encouragement; Q are the compliers, and for ω > 0 their outcomes are higher anyway, so that only
/// the instrument identifies the effect.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `customers` | 2 000 | the paper has 1 000 and 2 000 |
/// | `features` | 10 | at least κ + 2; the paper has 10 and 20 |
/// | `confounding` | 1 | ω; the paper has 0 and 1 |
/// | `effect_features` | 2 | κ; the paper has 2 and 4 |
/// | `nuisance` | 3 | α; the paper has 0 and 3 |
/// | `additive` | true | whether features act one by one |
/// | `encouraged` | 2/3 | Pr(Z = 1), as in the authors' scripts |
///
/// **Data**: `x1` …, `z`, `w`, `y`. **Oracle**: `effect`, `mean_0`, `mean_1`, `complier`; effects over this sample: `ate`, `late` (mean effect of
/// compliers), `share_compliers`.
///
/// # Errors
/// [`Error::SeedRequired`], [`Error::InvalidOption`].
///
/// # References
/// Athey, S., Tibshirani, J. & Wager, S. (2019). Generalized random forests. *Annals of Statistics* 47(2), 1148–1178, section 6,
/// doi:10.1214/18-AOS1709; details from the authors' scripts (grf, experiments/aos19).
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let made = InstrumentedEffects::new().customers(4_000).seed(7).simulate()?;
/// // The effect has mean 2 φ(0) = 0.798 for two features.
/// assert!((made.oracle.effect("late")? - 0.798).abs() < 0.1);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstrumentedEffects {
    /// How many customers.
    pub customers: usize,
    /// How many features.
    pub features: usize,
    /// ω.
    pub confounding: f64,
    /// κ.
    pub effect_features: usize,
    /// α.
    pub nuisance: f64,
    /// Whether features act one by one.
    pub additive: bool,
    /// Pr(Z = 1).
    pub encouraged: f64,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for InstrumentedEffects {
    fn default() -> Self {
        Self {
            customers: 2_000,
            features: 10,
            confounding: 1.0,
            effect_features: 2,
            nuisance: 3.0,
            additive: true,
            encouraged: 2.0 / 3.0,
            keep_oracle: true,
            seed: None,
        }
    }
}

process!(InstrumentedEffects, customers, "customers");

impl InstrumentedEffects {
    /// The design at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many features.
    pub fn features(mut self, features: usize) -> Self {
        self.features = features;
        self
    }

    /// Draws the customers.
    ///
    /// # Errors
    /// As on the type.
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "instrumented effects")?.child("instrumented effects");
        not_negative("confounding", self.confounding)?;
        not_negative("nuisance", self.nuisance)?;
        share("encouraged", self.encouraged)?;
        let fewest = self.effect_features + NUISANCE_FEATURES;
        if self.features < fewest || self.effect_features == 0 {
            return Err(Error::invalid_option(
                "features",
                self.features,
                format!(
                    "at least {fewest}: effect_features, at least 1, and {NUISANCE_FEATURES} more"
                ),
            ));
        }
        let mut fields: Vec<Field> = (1..=self.features).map(|j| data(format!("x{j}"))).collect();
        fields.extend(["z", "w", "y"].map(data));
        fields.extend(["effect", "mean_0", "mean_1"].map(oracle));
        fields.extend([oracle_flag("complier"), summed("complier effect")]);
        let made = generate(
            self.customers,
            seed,
            &fields,
            self.keep_oracle,
            |draws, _, out| self.row(draws, out),
        )?;
        let mut oracle = Oracle::new(made.oracle.clone()).with("ate", made.mean("effect"));
        if made.sum("complier") > 0.0 {
            oracle = oracle.with("late", made.ratio("complier effect", "complier"));
        }
        let oracle = oracle.with("share_compliers", made.mean("complier"));
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }

    /// One customer.
    fn row(&self, draws: &mut Draws, out: &mut [f64]) {
        let (x, rest) = out.split_at_mut(self.features);
        x.fill_with(|| draws.normal());
        let surface = |x: &[f64]| {
            if self.additive {
                x.iter().map(|v| v.max(0.0)).sum::<f64>()
            } else {
                x.iter().sum::<f64>().max(0.0)
            }
        };
        let (reading, others) = x.split_at(self.effect_features);
        let effect = surface(reading);
        let middle = self.nuisance * surface(&others[..NUISANCE_FEATURES]);
        let error = draws.normal();
        let z = flag(draws.chance(self.encouraged));
        let complier = flag(draws.chance(1.0 / (1.0 + (-self.confounding * error).exp())));
        let w = z * complier;
        rest.copy_from_slice(&[
            z,
            w,
            (w - 0.5) * effect + middle + error,
            effect,
            middle - 0.5 * effect,
            middle + 0.5 * effect,
            complier,
            complier * effect,
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instrument_identifies_what_the_treated_do_not() {
        let process = InstrumentedEffects {
            nuisance: 0.0,
            ..InstrumentedEffects::new()
        };
        let made = process.customers(60_000).seed(3).simulate().unwrap();
        let column = |name: &str| made.data.real(name).unwrap();
        let (z, w, y) = (column("z"), column("w"), column("y"));
        let n = z.len() as f64;
        let mean = |values: &[f64], arm: &[f64], of: f64| {
            let kept = values.iter().zip(arm).filter(|(_, a)| **a == of);
            let (count, sum) = kept.fold((0.0, 0.0), |(c, s), (v, _)| (c + 1.0, s + v));
            sum / count
        };
        let contrast =
            |values: &[f64], arm: &[f64]| mean(values, arm, 1.0) - mean(values, arm, 0.0);
        let wald = contrast(y, z) / contrast(w, z);
        let late = made.oracle.effect("late").unwrap();
        // The ratio's error is about σ/(share · √(n · ⅔ · ⅓)).
        assert!((wald - late).abs() < 4.0 * 1.3 / (0.5 * (n * 2.0 / 9.0).sqrt()));
        assert!(contrast(y, w) > late + 0.2);
        assert!((made.oracle.effect("share_compliers").unwrap() - 0.5).abs() < 0.01);
        assert!(w.iter().zip(z).all(|(w, z)| w <= z));
    }

    #[test]
    fn the_surface_is_that_of_the_paper() {
        let mut process = InstrumentedEffects::new().customers(50).seed(1);
        process.additive = false;
        let made = process.simulate().unwrap();
        let x = |j: usize, row: usize| made.data.real(&format!("x{j}")).unwrap()[row];
        let effect = made.oracle.real("effect").unwrap();
        let (zero, one) = (
            made.oracle.real("mean_0").unwrap(),
            made.oracle.real("mean_1").unwrap(),
        );
        for row in 0..50 {
            let tau = (x(1, row) + x(2, row)).max(0.0);
            let mu = 3.0 * (x(3, row) + x(4, row)).max(0.0);
            assert_eq!(effect[row], tau);
            assert!((f64::midpoint(zero[row], one[row]) - mu).abs() < 1e-12);
        }
        assert!(process.clone().features(3).simulate().is_err());
        process.encouraged = 1.0;
        assert!(process.simulate().is_err());
    }
}
