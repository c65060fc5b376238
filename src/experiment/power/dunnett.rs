//! Power of the comparison of several arms with one control, by Dunnett's test.

use super::planner::{Planner, Setting};
use super::rejection::{Claim, Tested, planned, positive, tested};
use crate::error::{Error, Result};
use crate::inference::Alternative;
use crate::numeric::optimize::brent_root;
use crate::numeric::quadrature::gauss_legendre;
use crate::numeric::special::{chi_squared, noncentral, normal, student_t};
use serde::{Deserialize, Serialize};

/// What counts as success among several comparisons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DunnettSuccess {
    /// The first arm differs from control.
    #[default]
    First,
    /// At least one arm does (disjunctive power).
    Any,
    /// All arms do (conjunctive power).
    All,
}

/// Power of Dunnett's test of k arms against one control, whose critical value holds the family-wise error.
///
/// `T_i = (λ_i Z₀ + √(1 − λ_i²) Z_i + δ_i/se_i)/S` with `λ_i² = n_i/(n_i + n₀)`. The power of one arm is non-central t at Dunnett's critical
/// value; that of any or all is integrated over Z₀ and S.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `arms` | | treatments, control not counted | ≥ 1 |
/// | `sd` | | within arms | > 0 |
/// | `effect` | none | difference from control | |
/// | `pattern` | all 1 | effects of the arms as multiples of `effect` | finite |
/// | `control_ratio` | 1 | control units per unit of a treatment; √k is best | > 0 |
/// | `success` | first | see [`DunnettSuccess`] | |
///
/// ```
/// use cocreate::prelude::*;
/// let equal = DunnettPower::new(3, 1.0).effect(0.3).power(400.0)?;
/// let better = DunnettPower::new(3, 1.0).control_ratio(3f64.sqrt()).effect(0.3).power(400.0)?;
/// assert!(better.power > equal.power);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
///
/// # References
/// Dunnett (1955), doi:10.2307/2281208.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DunnettPower {
    pattern: Vec<f64>,
    sd: f64,
    control_ratio: f64,
    success: DunnettSuccess,
    tested: Tested,
}

tested!(DunnettPower);

impl DunnettPower {
    /// Arms of equal size with equal effects.
    pub fn new(arms: usize, sd: f64) -> Self {
        Self {
            pattern: vec![1.0; arms],
            sd,
            control_ratio: 1.0,
            success: DunnettSuccess::First,
            tested: Tested::default(),
        }
    }

    /// The effects of the arms as multiples of `effect`.
    pub fn pattern(mut self, multiples: &[f64]) -> Self {
        self.pattern = multiples.to_vec();
        self
    }

    /// Control units per unit of a treatment.
    pub fn control_ratio(mut self, ratio: f64) -> Self {
        self.control_ratio = ratio;
        self
    }

    /// Sets what counts as success.
    pub fn success(mut self, success: DunnettSuccess) -> Self {
        self.success = success;
        self
    }

    fn side(&self) -> Alternative {
        match self.tested.claim {
            Claim::Difference(side) => side,
            Claim::NotWorse(_) | Claim::Equivalent(..) => Alternative::TwoSided,
        }
    }
}

impl Planner for DunnettPower {
    planned!();

    fn check(&self) -> Result<()> {
        positive("standard deviation", self.sd)?;
        positive("control_ratio", self.control_ratio)?;
        if self.pattern.is_empty()
            || !self.pattern.iter().all(|m| m.is_finite())
            || self.pattern.iter().all(|m| m.abs() <= 0.0)
        {
            return Err(Error::invalid_option(
                "pattern",
                format!("{:?}", self.pattern),
                "one finite multiple for each of at least one arm, not all zero",
            ));
        }
        self.tested.check()
    }

    fn setting(&self) -> Setting {
        let k = self.pattern.len() as f64;
        let whole = k + self.control_ratio;
        let arms = std::iter::once(("control".to_owned(), self.control_ratio / whole))
            .chain((1..=self.pattern.len()).map(|i| (format!("arm {i}"), 1.0 / whole)));
        let smallest = 2.0 * whole * f64::max(1.0, 1.0 / self.control_ratio);
        let success = match self.success {
            DunnettSuccess::First => "the first arm differs from control",
            DunnettSuccess::Any => "at least one arm differs from control",
            DunnettSuccess::All => "all arms differ from control",
        };
        let setting = Setting::new(
            "Several arms against one control, Dunnett's test",
            "units",
            "Difference from control",
            smallest,
        )
        .arms(arms)
        .assume("Standard deviation", self.sd)
        .assume("Effects as multiples", format!("{:?}", self.pattern))
        .assume("Success", success);
        self.tested.place(setting)
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let k = self.pattern.len();
        let n = size / (k as f64 + self.control_ratio);
        let n0 = self.control_ratio * n;
        let df = size - k as f64 - 1.0;
        let side = self.side();
        let sign = if side == Alternative::Less { -1.0 } else { 1.0 };
        let se = self.sd * (1.0 / n + 1.0 / n0).sqrt();
        let shifts: Vec<f64> = self
            .pattern
            .iter()
            .map(|m| sign * m * effect / se)
            .collect();
        let two_sided = side == Alternative::TwoSided;
        let loading = (n / (n + n0)).sqrt();
        let critical = critical_value(k, loading, df, self.tested.alpha, two_sided)?;
        if self.success == DunnettSuccess::First {
            let upper = noncentral::t_sf(critical, df, shifts[0]);
            let lower = if two_sided {
                noncentral::t_sf(critical, df, -shifts[0])
            } else {
                0.0
            };
            return Ok(upper + lower);
        }
        let joint = Joint {
            critical,
            loading,
            shifts,
            two_sided,
        };
        joint.integrate(df, self.success == DunnettSuccess::All)
    }
}

/// Dunnett's critical value, which lies between that of one t test and Bonferroni's. The searches need it a hundred times; the
/// quadrature here is coarser than that of [`ManyToOne`](crate::inference::ManyToOne), and as exact where sizes are planned.
fn critical_value(k: usize, loading: f64, df: f64, alpha: f64, two_sided: bool) -> Result<f64> {
    let tail = if two_sided { 0.5 * alpha } else { alpha };
    let low = student_t::upper_quantile(tail, df);
    if k == 1 {
        return Ok(low);
    }
    let high = student_t::upper_quantile(tail / k as f64, df);
    let mut joint = Joint {
        critical: low,
        loading,
        shifts: vec![0.0; k],
        two_sided,
    };
    let mut failure = None;
    let gap = |c: f64| {
        joint.critical = c;
        match joint.integrate(df, false) {
            Ok(p) => (p / alpha).ln(),
            Err(error) => {
                failure = Some(error);
                f64::NAN
            }
        }
    };
    let found = brent_root(gap, low, high, 0.0);
    match failure {
        Some(error) => Err(error),
        None => Ok(found?.point),
    }
}

/// The joint distribution of the comparisons at given effects.
struct Joint {
    critical: f64,
    loading: f64,
    shifts: Vec<f64>,
    two_sided: bool,
}

impl Joint {
    /// P(all reject), or P(at least one rejects).
    fn integrate(&self, df: f64, all: bool) -> Result<f64> {
        /// Beyond this the normal density is below 1e-17 of its peak.
        const EDGE: f64 = 8.6;
        const TAIL: f64 = 1e-15;
        const PANELS: usize = 4;
        /// With few degrees of freedom the scale is far from normal.
        const FEW: f64 = 30.0;
        const PANELS_IF_FEW: usize = 16;
        let low = (chi_squared::quantile(TAIL, df) / df).sqrt();
        let high = (chi_squared::upper_quantile(TAIL, df) / df).sqrt();
        let panels = if df < FEW { PANELS_IF_FEW } else { PANELS };
        let scale = nodes(low, high, panels)?;
        let shared = nodes(-EDGE, EDGE, PANELS)?;
        let own = (1.0 - self.loading * self.loading).sqrt();
        let mut total = 0.0;
        for (s, w) in &scale {
            let density = w * chi_squared::pdf(df * s * s, df) * 2.0 * df * s;
            let mut given = 0.0;
            for (z, v) in &shared {
                let reject = self.shifts.iter().map(|shift| {
                    let centre = self.loading * z + shift;
                    let above = normal::sf((self.critical * s - centre) / own);
                    let below = if self.two_sided {
                        normal::cdf((-self.critical * s - centre) / own)
                    } else {
                        0.0
                    };
                    above + below
                });
                let probability: f64 = if all {
                    reject.product()
                } else {
                    -reject.map(|r| (-r).ln_1p()).sum::<f64>().exp_m1()
                };
                given += v * normal::pdf(*z) * probability;
            }
            total += density * given;
        }
        Ok(total.clamp(0.0, 1.0))
    }
}

/// Composite Gauss–Legendre.
fn nodes(low: f64, high: f64, panels: usize) -> Result<Vec<(f64, f64)>> {
    const NODES: usize = 16;
    let width = (high - low) / panels as f64;
    let mut out = Vec::with_capacity(panels * NODES);
    for panel in 0..panels {
        let from = low + width * panel as f64;
        let rule = gauss_legendre(NODES, from, from + width)?;
        out.extend(
            rule.nodes()
                .iter()
                .copied()
                .zip(rule.weights().iter().copied()),
        );
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::power::MeanPower;
    use crate::inference::ManyToOne;

    #[test]
    fn one_arm_is_a_t_test() {
        for success in [
            DunnettSuccess::First,
            DunnettSuccess::Any,
            DunnettSuccess::All,
        ] {
            for side in [
                Alternative::TwoSided,
                Alternative::Greater,
                Alternative::Less,
            ] {
                let one = DunnettPower::new(1, 2.0)
                    .success(success)
                    .alternative(side)
                    .control_ratio(2.0)
                    .effect(0.5);
                let t = MeanPower::new(2.0).ratio(0.5).alternative(side).effect(0.5);
                let gap = one.power(150.0).unwrap().power - t.power(150.0).unwrap().power;
                assert!(gap.abs() < 1e-10, "{success:?} {side:?} {gap}");
            }
        }
    }

    #[test]
    fn critical_values_are_those_of_dunnetts_test() {
        for (k, n, n0, df) in [
            (2, 5.0, 5.0, 12.0),
            (4, 30.0, 60.0, 175.0),
            (3, 900.0, 900.0, 3596.0),
        ] {
            for two_sided in [true, false] {
                let side = if two_sided {
                    Alternative::TwoSided
                } else {
                    Alternative::Greater
                };
                let want = ManyToOne::new(df, &vec![n; k], n0).unwrap();
                let want = want.critical_value(0.95, side).unwrap();
                let got = critical_value(k, (n / (n + n0)).sqrt(), df, 0.05, two_sided).unwrap();
                assert!((got - want).abs() < 1e-10, "{k} {df} {got} {want}");
            }
        }
    }

    #[test]
    fn any_one_and_all_are_ordered_and_start_at_the_level() {
        let of = |success, effect: f64| {
            let planner = DunnettPower::new(3, 1.0).success(success).effect(effect);
            planner.power(200.0).unwrap().power
        };
        let [any, first, all] = [
            DunnettSuccess::Any,
            DunnettSuccess::First,
            DunnettSuccess::All,
        ]
        .map(|s| of(s, 0.4));
        assert!(any > first && first > all);
        assert!((of(DunnettSuccess::Any, 1e-9) - 0.05).abs() < 1e-9);
    }

    #[test]
    fn the_three_questions_invert_each_other() {
        let planner = DunnettPower::new(2, 1.0)
            .pattern(&[1.0, 0.5])
            .success(DunnettSuccess::Any)
            .effect(-0.3);
        let plan = planner.sample_size(0.8).unwrap();
        assert!((planner.power(plan.size).unwrap().power - 0.8).abs() < 1e-11);
        assert!((planner.mde(plan.size, 0.8).unwrap().effect + 0.3).abs() < 1e-9);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(DunnettPower::new(0, 1.0).effect(0.2).power(50.0).is_err());
        assert!(DunnettPower::new(2, 0.0).effect(0.2).power(50.0).is_err());
        assert!(
            DunnettPower::new(2, 1.0)
                .control_ratio(-1.0)
                .effect(0.2)
                .power(50.0)
                .is_err()
        );
        assert!(
            DunnettPower::new(2, 1.0)
                .pattern(&[0.0, 0.0])
                .effect(0.2)
                .power(50.0)
                .is_err()
        );
    }
}
