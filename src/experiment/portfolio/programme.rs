//! How many ideas to test with the units there are: many small tests, or few big ones.

use super::prior::{EffectPrior, good_and_above};
use crate::error::{Error, Result};
use crate::numeric::optimize::brent_root;
use crate::numeric::special::normal;
use crate::report::{Cell, Figure, LinePlot, Table, shown};
use serde::{Deserialize, Serialize};

/// When a tested idea is shipped.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum ShippingRule {
    /// When its posterior mean under the prior is positive: what the firm earns most with.
    #[default]
    PosteriorPositive,
    /// When its z statistic is above this value.
    Significant(f64),
}

/// Compares programmes that split the same units among different numbers of tests. A test of n units, half in each arm, has the
/// standard error `s = 2σ/√n`; of an idea with effect `θ ~ G`, shipped when its estimate `x ~ N(θ, s²)` passes t, the firm earns
///
/// `f(n) = E[θ 1(x > t)] = Σ_k w_k {μ_k Φ(a_k) + τ_k²/√(τ_k² + s²) φ(a_k)}`, `a_k = (μ_k − t)/√(τ_k² + s²)`,
///
/// over the normals of the prior. With thin tails f first rises slowly and few big tests are best; with fat ones the first units are worth most and many
/// small tests are (Azevedo et al.). Ideas are taken to be equally good before they are tested, and effects to add up.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `tests` | 1, 2, 5, 10, …, 1 000 | numbers of tests compared | at least 1 each |
/// | `rule` | [`ShippingRule::PosteriorPositive`] | when an idea is shipped | |
/// | `cost` | 0 | of one more test, in the unit of effects | ≥ 0 |
///
/// # Errors
/// [`Error::InvalidOption`].
///
/// # References
/// Azevedo, Deng, Montiel Olea, Rao & Weyl (2020). A/B testing with fat tails. *Journal of Political Economy* 128(12), 4614–4672. doi:10.1086/710607
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let thin = EffectPrior::normal(-0.0005, 0.001)?; // most ideas harm a little
/// let fat = EffectPrior::mixture([(0.98, -0.0005, 0.0002), (0.02, -0.0005, 0.007)])?; // the same mean and deviation
/// let best = |prior: &EffectPrior| Ok::<usize, Error>(TestingProgramme::new(prior.clone(), 1e6, 0.5).plan()?.best().tests);
/// assert!(best(&fat)? > best(&thin)?);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestingProgramme {
    prior: EffectPrior,
    units: f64,
    deviation: f64,
    tests: Vec<usize>,
    rule: ShippingRule,
    cost: f64,
}

/// One way to split the units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgrammeOption {
    /// Tests.
    pub tests: usize,
    /// Units in each test, both arms.
    pub units_per_test: f64,
    /// Standard error of each.
    pub std_error: f64,
    /// The estimate from which an idea is shipped.
    pub threshold: f64,
    /// Share of ideas that are shipped.
    pub shipped: f64,
    /// P(shipped | effect > 0), the power of the programme.
    pub found: f64,
    /// P(effect ≤ 0 | shipped).
    pub falsely_shipped: f64,
    /// Expected effect of all shipped ideas, less the cost of the tests.
    pub lift: f64,
    /// Expected sum of the estimates of shipped ideas, which the winner's curse makes larger than the effect.
    pub measured: f64,
}

/// What [`TestingProgramme`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgrammePlan {
    /// The ways compared.
    pub options: Vec<ProgrammeOption>,
    rule: ShippingRule,
    best: usize,
}

impl TestingProgramme {
    /// For ideas with effects from this prior, units in all (both arms), and the standard deviation of the outcome over units.
    pub fn new(prior: EffectPrior, units: f64, deviation: f64) -> Self {
        Self {
            prior,
            units,
            deviation,
            tests: vec![1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000],
            rule: ShippingRule::default(),
            cost: 0.0,
        }
    }

    /// The numbers of tests that are compared.
    pub fn tests(mut self, tests: impl IntoIterator<Item = usize>) -> Self {
        self.tests = tests.into_iter().collect();
        self
    }

    /// When an idea is shipped.
    pub fn rule(mut self, rule: ShippingRule) -> Self {
        self.rule = rule;
        self
    }

    /// What each test costs, in the unit of effects.
    pub fn cost(mut self, cost: f64) -> Self {
        self.cost = cost;
        self
    }

    /// Works out every option.
    ///
    /// # Errors
    /// See [`TestingProgramme`].
    pub fn plan(&self) -> Result<ProgrammePlan> {
        for (name, value, sound) in [
            ("units", self.units, self.units > 0.0),
            ("deviation", self.deviation, self.deviation > 0.0),
            ("cost", self.cost, self.cost >= 0.0),
        ] {
            if !(sound && value.is_finite()) {
                return Err(Error::invalid_option(
                    name,
                    value,
                    "a positive finite number (the cost may be zero)",
                ));
            }
        }
        if self.tests.is_empty() || self.tests.contains(&0) {
            return Err(Error::invalid_option(
                "tests",
                format!("{:?}", self.tests),
                "one or more numbers of at least 1",
            ));
        }
        let options = self
            .tests
            .iter()
            .map(|tests| self.option(*tests))
            .collect::<Result<Vec<_>>>()?;
        let best = (0..options.len()).fold(0, |b, i| {
            if options[i].lift > options[b].lift {
                i
            } else {
                b
            }
        });
        Ok(ProgrammePlan {
            options,
            rule: self.rule,
            best,
        })
    }

    fn option(&self, tests: usize) -> Result<ProgrammeOption> {
        let units_per_test = self.units / tests as f64;
        let s = 2.0 * self.deviation / units_per_test.sqrt();
        let threshold = match self.rule {
            ShippingRule::Significant(z) => z * s,
            ShippingRule::PosteriorPositive => self.indifferent(s)?,
        };
        let (mut shipped, mut good, mut lift, mut measured) = (0.0, 0.0, 0.0, 0.0);
        for c in self.prior.components() {
            let total = c.deviation.hypot(s);
            let a = (c.mean - threshold) / total;
            let (mass, density) = (normal::cdf(a), normal::pdf(a));
            shipped += c.weight * mass;
            lift += c.weight * (c.mean * mass + c.deviation.powi(2) / total * density);
            measured += c.weight * (c.mean * mass + total * density);
            good += c.weight * good_and_above(c, s, threshold);
        }
        let positive = self.prior.probability_above(0.0);
        let count = tests as f64;
        Ok(ProgrammeOption {
            tests,
            units_per_test,
            std_error: s,
            threshold,
            shipped,
            found: if positive > 0.0 { good / positive } else { 0.0 },
            falsely_shipped: if shipped > 0.0 {
                (1.0 - good / shipped).max(0.0)
            } else {
                0.0
            },
            lift: count * (lift - self.cost),
            measured: count * measured,
        })
    }

    /// The estimate at which the posterior mean, which rises with it, is zero; infinite when none is.
    fn indifferent(&self, s: f64) -> Result<f64> {
        let mean = |x: f64| self.prior.updated(x, s).mean();
        let far = 40.0 * s.hypot(self.prior.deviation()) + self.prior.mean().abs();
        if mean(far) <= 0.0 {
            return Ok(f64::INFINITY);
        }
        if mean(-far) >= 0.0 {
            return Ok(f64::NEG_INFINITY);
        }
        Ok(brent_root(mean, -far, far, 0.0)?.point)
    }
}

impl ProgrammePlan {
    /// The option with the largest expected lift.
    pub fn best(&self) -> &ProgrammeOption {
        &self.options[self.best]
    }

    /// One row an option.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Many small tests or few big ones").columns([
            "Tests",
            "Units each",
            "Std. error",
            "Shipped",
            "Good ones found",
            "Falsely shipped",
            "Expected lift",
            "As measured",
        ]);
        for o in &self.options {
            table = table.row([
                Cell::count(o.tests),
                Cell::significant(o.units_per_test, 4),
                Cell::significant(o.std_error, 3),
                Cell::percent(o.shipped, 1),
                Cell::percent(o.found, 1),
                Cell::percent(o.falsely_shipped, 1),
                Cell::significant(o.lift, 4),
                Cell::significant(o.measured, 4),
            ]);
        }
        table.note(format!(
            "Shipped when {}; best: {} tests",
            match self.rule {
                ShippingRule::PosteriorPositive => "the posterior mean is positive".to_owned(),
                ShippingRule::Significant(z) => format!("z > {z}"),
            },
            self.best().tests
        ))
    }

    /// The expected lift against the logarithm of the number of tests.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn figure(&self) -> Result<Figure> {
        let mut order: Vec<&ProgrammeOption> = self.options.iter().collect();
        order.sort_by_key(|o| o.tests);
        let x: Vec<f64> = order.iter().map(|o| (o.tests as f64).log10()).collect();
        let lift: Vec<f64> = order.iter().map(|o| o.lift).collect();
        let measured: Vec<f64> = order.iter().map(|o| o.measured).collect();
        LinePlot::new()
            .title("Many small tests or few big ones")
            .x_title("Tests (powers of ten)")
            .y_title("Effect of what is shipped")
            .line("expected", &x, &lift)
            .line("as measured", &x, &measured)
            .draw()
    }
}

shown!(ProgrammePlan);
