//! Power of a rerandomised experiment.

use super::planner::{Planner, Setting};
use super::rejection::{Claim, Tested, planned, positive, r_squared, tested};
use crate::error::{Error, Result};
use crate::inference::Alternative;
use crate::numeric::optimize::brent_root;
use crate::numeric::quadrature::gauss_legendre;
use crate::numeric::special::{chi_squared, normal};
use serde::{Deserialize, Serialize};
use std::f64::consts::FRAC_PI_2;

/// Power of the difference of two means when assignments were drawn until K covariates were balanced
/// ([`Randomization::balanced_on`](crate::experiment::design::Randomization::balanced_on)).
///
/// With a share `R²` of the outcome's variance explained by the covariates and acceptance when Mahalanobis' distance is at most a,
/// `P(χ²_K ≤ a) = acceptance`, the difference in means over its standard error `se = σ√(1/n₀ + 1/n₁)` without balancing is in large samples
///
/// `Q = √(1 − R²) ε + √R² L`,  ε ~ N(0, 1), L the first of K standard normals given that their squares sum to at most a,
///
/// with variance `1 − (1 − v)R²`, `v = P(χ²_{K+2} ≤ a)/P(χ²_K ≤ a)`. A test under the design — the randomisation test, or quantiles of Q — rejects beyond
/// the quantile of |Q|; the usual test (`ignoring_the_design`) beyond the normal one, which is cautious: it gives away what balance has won.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `sd` | | standard deviation of the outcome within an arm | > 0 |
/// | `covariates` | | K, balanced together | ≥ 1 |
/// | `r_squared` | | R² of the outcome on them | [0, 1) |
/// | `acceptance` | 0.01 | share of assignments that are accepted | (0, 1) |
/// | `ratio` | 1 | treated units per control unit | > 0 |
/// | `ignoring_the_design` | off | plan for the usual test | |
/// | `effect` | none | difference of the means | |
///
/// ```
/// use cocreate::prelude::*;
/// let plain = MeanPower::new(30.0).effect(3.0).sample_size(0.8)?;
/// let balanced = RerandomizedPower::new(30.0, 3, 0.5).effect(3.0).sample_size(0.8)?;
/// assert!(balanced.size < 0.56 * plain.size);
/// let ignored = RerandomizedPower::new(30.0, 3, 0.5).ignoring_the_design().effect(3.0).power(balanced.size)?;
/// assert!(ignored.power < 0.6); // the usual test does not know how small the error has become
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
///
/// # References
/// Morgan & Rubin (2012), doi:10.1214/12-AOS1008; Li, Ding & Rubin (2018), doi:10.1073/pnas.1808191115.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RerandomizedPower {
    sd: f64,
    covariates: usize,
    r_squared: f64,
    acceptance: f64,
    ratio: f64,
    ignoring: bool,
    tested: Tested,
}

tested!(RerandomizedPower);

impl RerandomizedPower {
    /// Outcomes of this spread, of which so many balanced covariates explain this share.
    pub fn new(sd: f64, covariates: usize, r_squared: f64) -> Self {
        /// The share of accepted assignments that Li, Ding & Rubin and Morgan & Rubin work with lies at 0.001 to 0.1.
        const ACCEPTANCE: f64 = 0.01;
        Self {
            sd,
            covariates,
            r_squared,
            acceptance: ACCEPTANCE,
            ratio: 1.0,
            ignoring: false,
            tested: Tested::default(),
        }
    }

    /// Share of assignments that are accepted.
    pub fn acceptance(mut self, acceptance: f64) -> Self {
        self.acceptance = acceptance;
        self
    }

    /// Treated units per control unit.
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// Plans for the usual test, whose standard error does not know of the balance.
    pub fn ignoring_the_design(mut self) -> Self {
        self.ignoring = true;
        self
    }

    /// By what the variance of the difference in means is multiplied: `1 − (1 − v)R²`.
    pub fn variance_factor(&self) -> f64 {
        let df = self.covariates as f64;
        let v = chi_squared::cdf(self.threshold(), df + 2.0) / self.acceptance;
        1.0 - (1.0 - v) * self.r_squared
    }

    fn threshold(&self) -> f64 {
        chi_squared::quantile(self.acceptance, self.covariates as f64)
    }

    /// P(Q > q). The density of L at x is `φ(x) P(χ²_{K−1} ≤ a − x²)/P(χ²_K ≤ a)`; with x = √a sin θ the integrand is smooth to its ends.
    fn beyond(&self, q: f64) -> Result<f64> {
        const PANELS: usize = 6;
        const NODES: usize = 16;
        let end = self.threshold().sqrt();
        let (explained, rest) = (self.r_squared.sqrt(), (1.0 - self.r_squared).sqrt());
        let others = self.covariates as f64 - 1.0;
        let width = 2.0 * FRAC_PI_2 / PANELS as f64;
        let mut total = 0.0;
        for panel in 0..PANELS {
            let start = -FRAC_PI_2 + width * panel as f64;
            let rule = gauss_legendre(NODES, start, start + width)?;
            for (theta, weight) in rule.nodes().iter().zip(rule.weights()) {
                let (sin, cos) = theta.sin_cos();
                let x = end * sin;
                let within = if others > 0.0 {
                    chi_squared::cdf((end * cos).powi(2), others)
                } else {
                    1.0
                };
                let density = normal::pdf(x) * within * end * cos / self.acceptance;
                total += weight * density * normal::sf((q - explained * x) / rest);
            }
        }
        Ok(total)
    }

    /// The q that Q exceeds with this probability.
    fn quantile_beyond(&self, tail: f64) -> Result<f64> {
        /// |Q| is at most a normal in the order of its tails.
        const SLACK: f64 = 1e-9;
        if self.r_squared <= 0.0 {
            return Ok(normal::upper_quantile(tail));
        }
        let far = normal::upper_quantile(tail).abs() + SLACK;
        let mut failure = None;
        let gap = |q: f64| match self.beyond(q) {
            Ok(p) => p - tail,
            Err(error) => {
                failure = Some(error);
                f64::NAN
            }
        };
        let found = brent_root(gap, -far, far, 0.0);
        match failure {
            Some(error) => Err(error),
            None => Ok(found?.point),
        }
    }
}

impl Planner for RerandomizedPower {
    planned!();

    fn check(&self) -> Result<()> {
        positive("standard deviation", self.sd)?;
        positive("ratio", self.ratio)?;
        r_squared("r_squared", self.r_squared)?;
        if self.covariates == 0 {
            return Err(Error::invalid_option(
                "covariates",
                0,
                "at least 1; without balanced covariates plan with `MeanPower`",
            ));
        }
        if !(self.acceptance > 0.0 && self.acceptance < 1.0) {
            return Err(Error::invalid_option(
                "acceptance",
                self.acceptance,
                "between 0 and 1: the share of assignments that are balanced enough",
            ));
        }
        self.tested.check()
    }

    fn setting(&self) -> Setting {
        let test = if self.ignoring {
            "Two means, rerandomised, test that ignores the design"
        } else {
            "Two means, rerandomised, test under the design"
        };
        let arms = 2.0 * (1.0 + self.ratio) * f64::max(1.0, 1.0 / self.ratio);
        let smallest = arms.max(self.covariates as f64 + 2.0);
        let setting = Setting::new(test, "units", "Difference of the means", smallest)
            .two_arms(self.ratio)
            .assume("Standard deviation within an arm", self.sd)
            .assume(
                "Covariates balanced",
                format!("{} with R² = {}", self.covariates, self.r_squared),
            )
            .assume("Share of assignments accepted", self.acceptance)
            .assume(
                "Variance factor of the design",
                format!("{:.4}", self.variance_factor()),
            );
        self.tested.place(setting)
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let control = size / (1.0 + self.ratio);
        let shift = effect / (self.sd * (1.0 / control + 1.0 / (size - control)).sqrt());
        let critical = |tail: f64| {
            if self.ignoring {
                Ok(normal::upper_quantile(tail))
            } else {
                self.quantile_beyond(tail)
            }
        };
        let above = |shift: f64, tail: f64| self.beyond(critical(tail)? - shift);
        let half = 0.5 * self.tested.alpha;
        let power = match self.tested.claim {
            Claim::Difference(Alternative::Greater) => above(shift, self.tested.alpha)?,
            Claim::Difference(Alternative::Less) => above(-shift, self.tested.alpha)?,
            _ => above(shift, half)? + above(-shift, half)?,
        };
        Ok(power.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MeanPower, MeanTest};
    use super::*;
    use crate::data::Frame;
    use crate::experiment::design::Randomization;
    use crate::numeric::Seed;
    use crate::numeric::permutation::open_unit;
    use rand::Rng;

    #[test]
    fn covariates_that_say_nothing_leave_the_normal_test_and_q_has_its_variance() {
        let plain = MeanPower::new(2.0)
            .test(MeanTest::Normal)
            .effect(0.4)
            .ratio(2.0);
        for k in [1, 2, 5] {
            let mine = RerandomizedPower::new(2.0, k, 0.0).effect(0.4).ratio(2.0);
            let (a, b) = (mine.power(500.0).unwrap(), plain.power(500.0).unwrap());
            assert!(
                (a.power - b.power).abs() < 1e-10,
                "{k}: {} {}",
                a.power,
                b.power
            );
        }
        // E Q² = ∫ 2q P(|Q| > q) dq, by the trapezoidal rule, to which it converges fast.
        for (k, r2, acceptance) in [
            (1, 0.3, 0.1),
            (2, 0.7, 0.01),
            (8, 0.5, 0.001),
            (3, 0.9, 0.5),
        ] {
            let mine = RerandomizedPower::new(1.0, k, r2).acceptance(acceptance);
            let step = 0.02;
            let second: f64 = (0..500)
                .map(|i| f64::from(i) * step)
                .map(|q| step * 4.0 * q * mine.beyond(q).unwrap())
                .sum();
            let want = mine.variance_factor();
            assert!((second - want).abs() < 2e-4, "{k}: {second} {want}");
        }
    }

    #[test]
    fn the_three_questions_invert_each_other_and_nonsense_is_refused() {
        let planner = RerandomizedPower::new(1.0, 2, 0.6).effect(-0.3);
        let plan = planner.sample_size(0.8).unwrap();
        assert!((planner.power(plan.size).unwrap().power - 0.8).abs() < 1e-10);
        assert!((planner.mde(plan.size, 0.8).unwrap().effect + 0.3).abs() < 1e-8);
        let level = planner.clone().effect(0.0).power(100.0).unwrap().power;
        assert!((level - 0.05).abs() < 1e-10, "{level}");
        assert!(
            RerandomizedPower::new(1.0, 0, 0.5)
                .effect(0.1)
                .power(99.0)
                .is_err()
        );
        assert!(
            RerandomizedPower::new(1.0, 2, 1.0)
                .effect(0.1)
                .power(99.0)
                .is_err()
        );
        let all = RerandomizedPower::new(1.0, 2, 0.5).acceptance(1.0);
        assert!(all.effect(0.1).power(99.0).is_err());
    }

    #[test]
    fn simulated_assignments_reject_as_often_as_planned() {
        const UNITS: usize = 200;
        const RUNS: usize = 800;
        let mut random = Seed::new(5).stream(0);
        let mut z = || normal::quantile(open_unit(random.next_u64()));
        let (mut one, mut two, mut y) = (vec![], vec![], vec![]);
        for _ in 0..UNITS {
            let (a, b) = (z(), z());
            y.push(a + b + z());
            one.push(a);
            two.push(b);
        }
        // R² and σ of these units: the randomisation is what is random here.
        let columns: [&[f64]; 3] = [&one, &two, &y];
        let covariance = crate::summary::Moments::of(&columns, None)
            .unwrap()
            .covariance(1.0);
        let (s11, s22, s12) = (covariance[(0, 0)], covariance[(1, 1)], covariance[(0, 1)]);
        let (c1, c2, total) = (covariance[(0, 2)], covariance[(1, 2)], covariance[(2, 2)]);
        let explained =
            (c1 * c1 * s22 - 2.0 * c1 * c2 * s12 + c2 * c2 * s11) / (s11 * s22 - s12 * s12);
        let planner = RerandomizedPower::new(total.sqrt(), 2, explained / total).acceptance(0.05);
        let effect = 0.45;
        let frame = Frame::new()
            .with("one", one)
            .unwrap()
            .with("two", two)
            .unwrap();
        let se = total.sqrt() * (4.0 / UNITS as f64).sqrt();
        let cuts = [
            planner.quantile_beyond(0.025).unwrap(),
            normal::upper_quantile(0.025),
        ];
        let mut rejected = [0.0; 2];
        for run in 0..RUNS {
            let assigned = Randomization::new(["control", "treated"])
                .balanced_on(["one", "two"], 0.05)
                .seed(run as u64)
                .assign(&frame)
                .unwrap();
            let half = UNITS as f64 / 2.0;
            let gap: f64 = (assigned.codes().iter().zip(&y))
                .map(|(arm, y)| if *arm == 1 { y / half } else { -y / half })
                .sum();
            for (share, cut) in rejected.iter_mut().zip(cuts) {
                *share += f64::from(u8::from((gap + effect).abs() > cut * se)) / RUNS as f64;
            }
        }
        let planned = [planner.clone(), planner.ignoring_the_design()]
            .map(|p| p.effect(effect).power(UNITS as f64).unwrap().power);
        for (share, power) in rejected.iter().zip(planned) {
            let error = (power * (1.0 - power) / RUNS as f64).sqrt();
            assert!((share - power).abs() < 3.5 * error, "{share} {power}");
        }
        assert!(planned[0] > planned[1] + 0.1, "{planned:?}");
    }
}
