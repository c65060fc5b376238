//! Power for contrasts of several means, and for the effects of a factorial experiment.

use super::planner::{Planner, Setting};
use super::rejection::{Precision, Tested, margins, planned, positive, shares, tested};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Power for a contrast `ψ = Σ c_a μ_a` of arm means, with variance `Σ c_a² σ_a²/n_a`.
///
/// With one standard deviation the test is Student's with n − k degrees of freedom; with one for each arm it is Welch's, its degrees of
/// freedom Satterthwaite's at the assumed variances.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `coefficients` | | c_a, one an arm | sum to 0, not all 0 |
/// | `sd` | | within arms | > 0 |
/// | `sds` | equal | one an arm | > 0 |
/// | `shares` | equal | of the arms | sum to 1 |
/// | `effect` | none | ψ | |
///
/// ```
/// use cocreate::prelude::*;
/// // The mean of two treatments against control.
/// let plan = ContrastPower::new(&[-1.0, 0.5, 0.5], 1.0).effect(0.2).sample_size(0.8)?;
/// let optimal = ContrastPower::new(&[-1.0, 0.5, 0.5], 1.0).shares(&[0.5, 0.25, 0.25]).effect(0.2).sample_size(0.8)?;
/// assert!(optimal.size < plan.size);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
///
/// # References
/// Welch (1951), doi:10.1093/biomet/38.3-4.330.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContrastPower {
    coefficients: Vec<f64>,
    sds: Vec<f64>,
    welch: bool,
    shares: Vec<f64>,
    tested: Tested,
}

tested!(ContrastPower);
margins!(ContrastPower);

impl ContrastPower {
    /// A contrast of arms of equal size and spread.
    pub fn new(coefficients: &[f64], sd: f64) -> Self {
        let arms = coefficients.len();
        Self {
            coefficients: coefficients.to_vec(),
            sds: vec![sd; arms],
            welch: false,
            shares: vec![1.0 / arms as f64; arms],
            tested: Tested::default(),
        }
    }

    /// A standard deviation for each arm, and Welch's test.
    pub fn sds(mut self, sds: &[f64]) -> Self {
        self.sds = sds.to_vec();
        self.welch = true;
        self
    }

    /// The shares of the arms.
    pub fn shares(mut self, shares: &[f64]) -> Self {
        self.shares = shares.to_vec();
        self
    }
}

impl Planner for ContrastPower {
    planned!();

    fn check(&self) -> Result<()> {
        let arms = self.coefficients.len();
        if arms < 2 || self.sds.len() != arms || self.shares.len() != arms {
            return Err(Error::invalid_option(
                "coefficients, sds and shares",
                format!("{arms}, {} and {}", self.sds.len(), self.shares.len()),
                "one number for each of at least two arms",
            ));
        }
        let largest = self
            .coefficients
            .iter()
            .fold(0.0_f64, |m, c| m.max(c.abs()));
        let sum: f64 = self.coefficients.iter().sum();
        let rounding = largest * arms as f64 * f64::EPSILON;
        if largest <= 0.0 || !largest.is_finite() || sum.abs() > 4.0 * rounding {
            return Err(Error::invalid_option(
                "coefficients",
                format!("{:?} with sum {sum}", self.coefficients),
                "finite numbers that sum to 0 and are not all 0",
            ));
        }
        shares("shares", &self.shares)?;
        for sd in &self.sds {
            positive("standard deviation", *sd)?;
        }
        self.tested.check()
    }

    fn setting(&self) -> Setting {
        let arms = self.coefficients.len();
        let least = self.shares.iter().fold(1.0_f64, |m, s| m.min(*s));
        let test = if self.welch {
            "Contrast of means, Welch's t test"
        } else {
            "Contrast of means, t test"
        };
        let names = (0..arms).map(|i| format!("arm {}", i + 1));
        let setting = Setting::new(test, "units", "Contrast", 2.0 / least)
            .arms(names.zip(self.shares.iter().copied()))
            .assume("Coefficients", format!("{:?}", self.coefficients))
            .assume("Standard deviations", format!("{:?}", self.sds));
        self.tested.place(setting)
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let (mut variance, mut denominator) = (0.0, 0.0);
        for ((c, sd), share) in self.coefficients.iter().zip(&self.sds).zip(&self.shares) {
            let part = (c * sd).powi(2) / (share * size);
            variance += part;
            denominator += part * part / (share * size - 1.0);
        }
        let df = if self.welch {
            variance * variance / denominator
        } else {
            size - self.sds.len() as f64
        };
        self.tested
            .power(effect, Precision::new(variance.sqrt(), df))
    }
}

/// Power for an effect in a balanced 2^k factorial.
///
/// A main effect is the mean at the high level less that at the low one: variance `4σ²/n`, as if the whole sample were for this factor
/// alone. An interaction of order m is the change of an effect when another factor changes, `4^m σ²/n`: to find a two-way
/// interaction as large as a main effect takes four times the sample, and half as large sixteen times.
///
/// A fraction of `2^(k − p)` cells ([`FractionalFactorial`](crate::experiment::design::FractionalFactorial)) has the power of a full design in `k − p`
/// factors, for what an effect and its aliases are together.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `factors` | | k | 1 to 20 |
/// | `sd` | | within cells | > 0 |
/// | `order` | 1 | 1 a main effect, 2 a two-way interaction, … | ≤ k |
/// | `effect` | none | as defined above | |
///
/// ```
/// use cocreate::prelude::*;
/// let main = FactorialPower::new(3, 1.0).effect(0.2).sample_size(0.8)?;
/// let two_way = FactorialPower::new(3, 1.0).order(2).effect(0.1).sample_size(0.8)?;
/// assert!((two_way.size / main.size - 16.0).abs() < 0.1);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactorialPower {
    factors: usize,
    order: usize,
    sd: f64,
    tested: Tested,
}

tested!(FactorialPower);
margins!(FactorialPower);

impl FactorialPower {
    /// A main effect among `factors` factors of two levels.
    pub fn new(factors: usize, sd: f64) -> Self {
        Self {
            factors,
            order: 1,
            sd,
            tested: Tested::default(),
        }
    }

    /// The number of factors in the effect: 2 is a two-way interaction.
    pub fn order(mut self, order: usize) -> Self {
        self.order = order;
        self
    }
}

impl Planner for FactorialPower {
    planned!();

    fn check(&self) -> Result<()> {
        const MOST_FACTORS: usize = 20;
        if !(1..=MOST_FACTORS).contains(&self.factors) {
            return Err(Error::invalid_option(
                "factors",
                self.factors,
                format!("from 1 to {MOST_FACTORS}"),
            ));
        }
        if !(1..=self.factors).contains(&self.order) {
            return Err(Error::invalid_option(
                "order",
                self.order,
                format!(
                    "from 1 (a main effect) to the number of factors, {}",
                    self.factors
                ),
            ));
        }
        positive("standard deviation", self.sd)?;
        self.tested.check()
    }

    fn setting(&self) -> Setting {
        let cells = f64::from(1_u32 << self.factors);
        let name = match self.order {
            1 => "Main effect".to_owned(),
            order => format!("{order}-way interaction"),
        };
        let setting = Setting::new("Factorial experiment, t test", "units", name, cells + 1.0)
            .assume("Factors of two levels", self.factors)
            .assume("Units a cell", "equal; all interactions in the model")
            .assume("Standard deviation within cells", self.sd);
        self.tested.place(setting)
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let se = f64::from(1_u32 << self.order) * self.sd / size.sqrt();
        let df = size - f64::from(1_u32 << self.factors);
        self.tested.power(effect, Precision::new(se, df))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::power::{MeanPower, MeanTest};

    #[test]
    fn two_arms_are_the_test_of_two_means() {
        let student = ContrastPower::new(&[-1.0, 1.0], 2.0)
            .effect(0.5)
            .shares(&[0.4, 0.6]);
        let plain = MeanPower::new(2.0).effect(0.5).ratio(1.5);
        let welch = ContrastPower::new(&[-1.0, 1.0], 1.0)
            .sds(&[1.0, 3.0])
            .effect(0.5);
        let two = MeanPower::new(1.0)
            .sds(1.0, 3.0)
            .test(MeanTest::Welch)
            .effect(0.5);
        for n in [50.0, 300.0] {
            let gap = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
            gap(
                student.power(n).unwrap().power,
                plain.power(n).unwrap().power,
            );
            gap(welch.power(n).unwrap().power, two.power(n).unwrap().power);
        }
    }

    #[test]
    fn a_factorial_is_a_contrast_of_its_cells() {
        // A 2 × 2: the two-way interaction is (μ₁₁ − μ₀₁) − (μ₁₀ − μ₀₀).
        let cells = ContrastPower::new(&[1.0, -1.0, -1.0, 1.0], 1.0).effect(0.6);
        let design = FactorialPower::new(2, 1.0).order(2).effect(0.6);
        let main = ContrastPower::new(&[-0.5, -0.5, 0.5, 0.5], 1.0).effect(0.3);
        let effect = FactorialPower::new(2, 1.0).effect(0.3);
        for n in [40.0, 200.0] {
            let gap = cells.power(n).unwrap().power - design.power(n).unwrap().power;
            assert!(gap.abs() < 1e-12);
            let gap = main.power(n).unwrap().power - effect.power(n).unwrap().power;
            assert!(gap.abs() < 1e-12);
        }
    }

    #[test]
    fn the_three_questions_invert_each_other() {
        let planner = ContrastPower::new(&[-1.0, 0.25, 0.75], 1.0)
            .sds(&[1.0, 2.0, 0.5])
            .effect(-0.3);
        let plan = planner.sample_size(0.8).unwrap();
        assert!((planner.power(plan.size).unwrap().power - 0.8).abs() < 1e-12);
        assert!((planner.mde(plan.size, 0.8).unwrap().effect + 0.3).abs() < 1e-9);
        let planner = FactorialPower::new(4, 1.5).order(3).effect(0.8);
        let plan = planner.sample_size(0.8).unwrap();
        assert!((planner.mde(plan.size, 0.8).unwrap().effect - 0.8).abs() < 1e-9);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(
            ContrastPower::new(&[1.0, 1.0], 1.0)
                .effect(0.2)
                .power(50.0)
                .is_err()
        );
        assert!(
            ContrastPower::new(&[0.0, 0.0], 1.0)
                .effect(0.2)
                .power(50.0)
                .is_err()
        );
        assert!(
            ContrastPower::new(&[1.0], 1.0)
                .effect(0.2)
                .power(50.0)
                .is_err()
        );
        assert!(
            FactorialPower::new(2, 1.0)
                .order(3)
                .effect(0.2)
                .power(50.0)
                .is_err()
        );
        assert!(FactorialPower::new(0, 1.0).effect(0.2).power(50.0).is_err());
    }
}
