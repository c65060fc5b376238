//! What is left of an estimate that is reported because it is large: the winner's curse.

use super::records::check_level;
use super::{Alternative, Estimate, Inference, Interval};
use crate::error::{Error, Result};
use crate::numeric::optimize::brent_root;
use crate::numeric::special::{normal, truncated_normal};
use crate::report::{Cell, Table, shown};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// The share of the error of hybrid intervals that is spent on the simultaneous interval around them (Andrews et al.).
const PROJECTION_SHARE: f64 = 0.1;

/// What the lead over the runner-up or the threshold must be, in standard errors: the conditional law of an estimate that
/// passed by less lies so far away that rounding decides on it.
const LEAST_LEAD: f64 = 1e-6;

/// An estimate that was selected, with the effect of the selection taken out. Reported as it is, the best of several arms, or the one
/// that passed a threshold, is too large on average and its interval covers too rarely.
///
/// With `X ~ N(μ, σ²)` and selection when X falls in a set that the data fix (above the runner-up, beyond ±cσ), the law of X given the
/// selection is a truncated normal with distribution function `F(x; μ)`, which falls in μ. Then
///
/// - the median-unbiased estimate solves `F(x; μ) = 1/2`;
/// - the conditional interval has the ends `F(x; μ) = 1 − α/2` and `α/2`. It covers with probability 1 − α *given* the selection, and can be very long when X
///   passed by little;
/// - the hybrid interval (best of several only) conditions on μ lying in a simultaneous interval of level 1 − α/10 around all estimates as well. It
///   covers at least 1 − α, and is never longer than that interval.
///
/// Estimates are taken as normal with known standard errors. Arms that share a control are correlated: use
/// [`SelectedEstimate::best_coefficient`], which takes the covariance of the fit.
///
/// # References
/// Andrews, I., Kitagawa, T. & McCloskey, A. (2024). Inference on winners. *Quarterly Journal of Economics* 139(1), 305–358.
/// doi:10.1093/qje/qjad043. For a threshold: Zhong & Prentice (2008), *Biostatistics* 9, 621–634. doi:10.1093/biostatistics/kxn001
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let arm = |name: &str, estimate: f64| Estimate { name: name.into(), estimate, std_error: 1.0, degrees_of_freedom: f64::INFINITY };
/// let best = SelectedEstimate::best_of(&[arm("tool", 2.4), arm("lesson", 2.2), arm("coupon", 0.3)], 0.95)?;
/// assert_eq!(best.naive.name, "tool");
/// assert!(best.median_unbiased < 1.5); // won by little: most of it may be luck
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectedEstimate {
    /// The estimate as it came.
    pub naive: Estimate,
    /// The estimate that is as often too large as too small, given the selection.
    pub median_unbiased: f64,
    /// The conditional interval.
    pub interval: Interval,
    /// The hybrid interval, for the best of several.
    pub hybrid: Option<Interval>,
    /// The estimate in the middle of the hybrid law, within the simultaneous interval, for the best of several.
    pub hybrid_estimate: Option<f64>,
    /// How it was selected.
    pub rule: String,
}

/// Where the estimate had to fall to be selected.
#[derive(Clone, Copy, Debug)]
enum Region {
    Between(f64, f64),
    Beyond(f64),
}

/// An estimate and where it had to fall.
struct Law {
    x: f64,
    sigma: f64,
    region: Region,
    /// Half the width of the simultaneous interval that is conditioned on, in standard errors.
    around: Option<f64>,
}

impl Law {
    /// ln of the odds of F(x; μ), which fall in μ.
    fn log_odds(&self, mu: f64) -> f64 {
        let z = |v: f64| (v - mu) / self.sigma;
        let x = z(self.x);
        match self.region {
            Region::Between(low, high) => {
                let (mut low, mut high) = (z(low), z(high));
                if let Some(c) = self.around {
                    low = low.max(-c);
                    high = high.min(c);
                }
                truncated_normal::ln_mass(low, x) - truncated_normal::ln_mass(x, high)
            }
            Region::Beyond(c) => {
                let (below, above) = (z(-c), z(c));
                // The part beyond on the other side belongs to the tail it lies in.
                if self.x > 0.0 {
                    let left = normal::cdf(below) + truncated_normal::mass(above, x);
                    left.ln() - normal::ln_sf(x)
                } else {
                    let right = truncated_normal::mass(x, below) + normal::sf(above);
                    normal::ln_cdf(x) - right.ln()
                }
            }
        }
    }

    /// The μ at which F(x; μ) is p.
    fn at(&self, p: f64) -> Result<f64> {
        let target = p.ln() - (-p).ln_1p();
        let gap = |mu: f64| {
            let odds = self.log_odds(mu);
            // Beyond the ends of what is conditioned on the odds are those of a sure event.
            if odds.is_nan() {
                if mu > self.x { f64::MIN } else { f64::MAX }
            } else {
                (odds - target).clamp(f64::MIN, f64::MAX)
            }
        };
        if let Some(c) = self.around {
            let reach = c * self.sigma;
            return Ok(brent_root(gap, self.x - reach, self.x + reach, 0.0)?.point);
        }
        let mut step = self.sigma;
        let (mut low, mut high) = (self.x - step, self.x + step);
        while gap(low) < 0.0 {
            step *= 2.0;
            low = self.x - step;
        }
        step = self.sigma;
        while gap(high) > 0.0 {
            step *= 2.0;
            high = self.x + step;
        }
        Ok(brent_root(gap, low, high, 0.0)?.point)
    }

    fn interval(&self, name: &str, level: f64, error: f64) -> Result<Interval> {
        Ok(Interval {
            name: name.to_owned(),
            level,
            lower: self.at(1.0 - 0.5 * error)?,
            upper: self.at(0.5 * error)?,
        })
    }
}

impl SelectedEstimate {
    /// The largest of independent estimates.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for fewer than two estimates, one without a positive standard error, ties for the largest (leads below a millionth of its standard error), or a level outside (0, 1).
    pub fn best_of(estimates: &[Estimate], level: f64) -> Result<Self> {
        let values = DVector::from_iterator(estimates.len(), estimates.iter().map(|e| e.estimate));
        let variances = DVector::from_iterator(
            estimates.len(),
            estimates.iter().map(|e| e.std_error.powi(2)),
        );
        let names: Vec<&str> = estimates.iter().map(|e| e.name.as_str()).collect();
        Self::best(&names, &values, &DMatrix::from_diagonal(&variances), level)
    }

    /// The largest of the named coefficients of a fit, with their covariance.
    ///
    /// # Errors
    /// As [`SelectedEstimate::best_of`]; [`Error::UnknownCoefficient`].
    pub fn best_coefficient(fit: &impl Inference, names: &[&str], level: f64) -> Result<Self> {
        let at = names
            .iter()
            .map(|name| fit.position(name))
            .collect::<Result<Vec<usize>>>()?;
        let values = DVector::from_iterator(at.len(), at.iter().map(|i| fit.estimates()[*i]));
        let covariance =
            DMatrix::from_fn(at.len(), at.len(), |i, j| fit.covariance()[(at[i], at[j])]);
        Self::best(names, &values, &covariance, level)
    }

    fn best(
        names: &[&str],
        values: &DVector<f64>,
        covariance: &DMatrix<f64>,
        level: f64,
    ) -> Result<Self> {
        check_level(level)?;
        let sound = |i: usize| {
            values[i].is_finite() && covariance[(i, i)] > 0.0 && covariance[(i, i)].is_finite()
        };
        if names.len() < 2 || !(0..names.len()).all(sound) {
            let bad = (0..names.len()).find(|i| !sound(*i));
            return Err(Error::invalid_option(
                "estimates",
                bad.map_or_else(
                    || names.len().to_string(),
                    |i| {
                        format!(
                            "`{}` with {} and variance {}",
                            names[i],
                            values[i],
                            covariance[(i, i)]
                        )
                    },
                ),
                "two or more finite estimates with positive standard errors",
            ));
        }
        let best = (0..names.len()).fold(0, |b, i| if values[i] > values[b] { i } else { b });
        let (x, variance) = (values[best], covariance[(best, best)]);
        // What does not move with the winner fixes where it wins: X ≥ Z_j + r_j X for all others.
        let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
        for j in (0..names.len()).filter(|j| *j != best) {
            let free = 1.0 - covariance[(j, best)] / variance;
            let lead = x - values[j];
            if lead <= 0.0 || lead / free.abs() < LEAST_LEAD * variance.sqrt() {
                return Err(Error::invalid_option(
                    "estimates",
                    format!(
                        "`{}` with {x} and `{}` with {}",
                        names[best], names[j], values[j]
                    ),
                    "one largest estimate, by a millionth of its standard error or more: with a tie there is no winner",
                ));
            }
            if free > 0.0 {
                low = low.max(x - lead / free);
            } else if free < 0.0 {
                high = high.min(x - lead / free);
            }
        }
        let error = 1.0 - level;
        let mut law = Law {
            x,
            sigma: variance.sqrt(),
            region: Region::Between(low, high),
            around: None,
        };
        let name = names[best];
        let interval = law.interval(name, level, error)?;
        let median_unbiased = law.at(0.5)?;
        let around = PROJECTION_SHARE * error;
        // Šidák's bound holds whatever the correlations.
        law.around = Some(normal::quantile(
            0.5 + 0.5 * (1.0 - around).powf(1.0 / names.len() as f64),
        ));
        let hybrid = law.interval(name, level, (error - around) / (1.0 - around))?;
        Ok(Self {
            naive: Estimate {
                name: name.to_owned(),
                estimate: x,
                std_error: law.sigma,
                degrees_of_freedom: f64::INFINITY,
            },
            median_unbiased,
            interval,
            hybrid: Some(hybrid),
            hybrid_estimate: Some(law.at(0.5)?),
            rule: format!("the largest of {}", names.len()),
        })
    }

    /// An estimate that is looked at because its z statistic passed a critical value: with `Greater`, `X/σ > critical`; with
    /// `Less`, `X/σ < −critical`; with `TwoSided`, `|X/σ| > critical`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when it did not pass (on one side, by a millionth of its standard error or more), for a standard error or a two-sided critical value that is not positive, or a level outside (0, 1).
    pub fn significant(
        estimate: &Estimate,
        critical: f64,
        alternative: Alternative,
        level: f64,
    ) -> Result<Self> {
        check_level(level)?;
        let sigma = estimate.std_error;
        let z = estimate.estimate / sigma;
        // On two sides the law stays near: the other tail takes the mass.
        let lead = if alternative == Alternative::TwoSided {
            0.0
        } else {
            LEAST_LEAD
        };
        let passed = alternative.extremeness(z) > critical + lead;
        let sound = sigma > 0.0 && sigma.is_finite() && z.is_finite() && critical.is_finite();
        if !(sound && passed && (critical > 0.0 || alternative != Alternative::TwoSided)) {
            return Err(Error::invalid_option(
                "estimate",
                format!("{estimate} against {critical}"),
                "a finite estimate with a positive standard error whose statistic passed the critical value (above 0 on two sides)",
            ));
        }
        let (region, rule) = match alternative {
            Alternative::Greater => (
                Region::Between(critical * sigma, f64::INFINITY),
                format!("z > {critical}"),
            ),
            Alternative::Less => (
                Region::Between(f64::NEG_INFINITY, -critical * sigma),
                format!("z < {}", -critical),
            ),
            Alternative::TwoSided => (
                Region::Beyond(critical * sigma),
                format!("|z| > {critical}"),
            ),
        };
        let law = Law {
            x: estimate.estimate,
            sigma,
            region,
            around: None,
        };
        Ok(Self {
            median_unbiased: law.at(0.5)?,
            interval: law.interval(&estimate.name, level, 1.0 - level)?,
            hybrid: None,
            hybrid_estimate: None,
            naive: estimate.clone(),
            rule,
        })
    }

    /// The estimate as it came, and with the selection taken out.
    pub fn table(&self) -> Table {
        let level = self.interval.level;
        let plain = self.naive.confidence_interval(level);
        let (low, high) = plain.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
        let percent = format!("{} % from", level * 100.0);
        let mut table = Table::new(format!("{}, selected as {}", self.naive.name, self.rule))
            .columns(["", "Effect", percent.as_str(), "to"])
            .note("The interval given the selection covers whoever is selected, a hybrid one on average over selections; as it came it covers in neither sense");
        let mut add = |name: &str, value: f64, low: f64, high: f64| {
            let numbers = [value, low, high].map(|v| Cell::significant(v, 4));
            table =
                std::mem::take(&mut table).row(std::iter::once(Cell::from(name)).chain(numbers));
        };
        add("as it came", self.naive.estimate, low, high);
        add(
            "given the selection",
            self.median_unbiased,
            self.interval.lower,
            self.interval.upper,
        );
        if let (Some(hybrid), Some(estimate)) = (&self.hybrid, self.hybrid_estimate) {
            add("hybrid", estimate, hybrid.lower, hybrid.upper);
        }
        table
    }
}

shown!(SelectedEstimate);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;
    use crate::numeric::permutation::open_unit;
    use rand::Rng;

    fn arm(estimate: f64, std_error: f64) -> Estimate {
        Estimate {
            name: "arm".to_owned(),
            estimate,
            std_error,
            degrees_of_freedom: f64::INFINITY,
        }
    }

    #[test]
    fn intervals_of_winners_cover_and_the_naive_one_does_not() {
        let mut draws = Seed::new(5).stream(0);
        let mut z = || normal::quantile(open_unit(draws.next_u64()));
        let runs = 2_000;
        let (mut naive, mut conditional, mut hybrid, mut above) = (0, 0, 0, 0);
        for _ in 0..runs {
            // Ten arms without an effect, with standard errors that differ.
            let arms: Vec<Estimate> = (0..10)
                .map(|i| 1.0 + 0.1 * f64::from(i))
                .map(|s| arm(s * z(), s))
                .collect();
            let best = SelectedEstimate::best_of(&arms, 0.95).unwrap();
            let covers = |i: &Interval| i32::from(i.lower <= 0.0 && 0.0 <= i.upper);
            naive += covers(&best.naive.confidence_interval(0.95).unwrap());
            conditional += covers(&best.interval);
            hybrid += covers(best.hybrid.as_ref().unwrap());
            above += i32::from(best.median_unbiased > 0.0);
        }
        let share = |n: i32| f64::from(n) / f64::from(runs);
        // Monte Carlo errors: .005 of the coverage, .011 of the half.
        assert!(share(naive) < 0.85, "{}", share(naive));
        assert!(
            (share(conditional) - 0.95).abs() < 0.016,
            "{}",
            share(conditional)
        );
        assert!((share(hybrid) - 0.95).abs() < 0.016, "{}", share(hybrid));
        assert!((share(above) - 0.5).abs() < 0.035, "{}", share(above));
    }

    #[test]
    fn estimates_beyond_a_threshold_cover_given_that_they_passed() {
        let mut draws = Seed::new(6).stream(0);
        let mut z = || normal::quantile(open_unit(draws.next_u64()));
        for (mu, alternative) in [
            (0.5, Alternative::TwoSided),
            (1.5, Alternative::Greater),
            (-1.0, Alternative::Less),
        ] {
            let (mut passed, mut covered, mut below) = (0, 0, 0);
            while passed < 1_000 {
                let x = arm(2.0 * (mu + z()), 2.0);
                let Ok(found) = SelectedEstimate::significant(&x, 1.5, alternative, 0.9) else {
                    continue;
                };
                passed += 1;
                covered +=
                    i32::from(found.interval.lower <= 2.0 * mu && 2.0 * mu <= found.interval.upper);
                below += i32::from(found.median_unbiased < 2.0 * mu);
            }
            assert!(
                (f64::from(covered) / 1e3 - 0.9).abs() < 0.03,
                "{mu}: {covered}"
            );
            assert!((f64::from(below) / 1e3 - 0.5).abs() < 0.05, "{mu}: {below}");
        }
    }

    #[test]
    fn far_winners_keep_their_estimate_and_mirrors_mirror() {
        let best = SelectedEstimate::best_of(&[arm(20.0, 1.0), arm(0.0, 1.0)], 0.95).unwrap();
        assert!((best.median_unbiased - 20.0).abs() < 1e-9);
        assert!((best.interval.upper - 20.0 - 1.959_963_984_540_054).abs() < 1e-6);
        let up = SelectedEstimate::significant(&arm(2.2, 1.0), 1.96, Alternative::Greater, 0.95)
            .unwrap();
        let down =
            SelectedEstimate::significant(&arm(-2.2, 1.0), 1.96, Alternative::Less, 0.95).unwrap();
        assert!((up.median_unbiased + down.median_unbiased).abs() < 1e-9);
        assert!((up.interval.lower + down.interval.upper).abs() < 1e-6 * up.interval.lower.abs());
        // The truncated law at the estimate, directly.
        let mu = up.median_unbiased;
        assert!((normal::sf(2.2 - mu) / normal::sf(1.96 - mu) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn hybrid_estimates_lie_in_hybrid_intervals_and_near_ties_are_ties() {
        for lead in [2.0, 0.1, 1e-3, 1e-5] {
            let best =
                SelectedEstimate::best_of(&[arm(2.0, 1.0), arm(2.0 - lead, 1.0)], 0.95).unwrap();
            let (hybrid, estimate) = (best.hybrid.unwrap(), best.hybrid_estimate.unwrap());
            assert!(hybrid.lower < estimate && estimate < hybrid.upper, "{lead}");
            assert!(best.median_unbiased < estimate + 1e-9);
        }
        for lead in [1e-7, 1e-10, 1e-15] {
            assert!(
                SelectedEstimate::best_of(&[arm(2.0, 1.0), arm(2.0 - lead, 1.0)], 0.95).is_err()
            );
            let passed = arm(1.96 + lead, 1.0);
            let at = |side| SelectedEstimate::significant(&passed, 1.96, side, 0.95);
            assert!(at(Alternative::Greater).is_err());
            // On two sides the law of what passed by little is symmetric around zero.
            assert!(at(Alternative::TwoSided).unwrap().median_unbiased.abs() < 1e-6);
        }
    }

    #[test]
    fn bad_input_is_refused() {
        assert!(SelectedEstimate::best_of(&[arm(1.0, 1.0)], 0.95).is_err());
        assert!(SelectedEstimate::best_of(&[arm(1.0, 1.0), arm(1.0, 1.0)], 0.95).is_err());
        assert!(SelectedEstimate::best_of(&[arm(1.0, 1.0), arm(2.0, 0.0)], 0.95).is_err());
        assert!(
            SelectedEstimate::significant(&arm(1.0, 1.0), 1.96, Alternative::TwoSided, 0.95)
                .is_err()
        );
        assert!(
            SelectedEstimate::significant(&arm(3.0, 1.0), 1.96, Alternative::TwoSided, 1.0)
                .is_err()
        );
        assert!(
            SelectedEstimate::significant(&arm(f64::NAN, 1.0), 1.96, Alternative::Greater, 0.9)
                .is_err()
        );
    }
}
