//! Anderson–Rubin tests and confidence sets.
//!
//! With the reduced forms `y = W π_y`, `d = W π_d`, the hypothesis γ = γ₀ says that the excluded instruments have coefficient
//! `π_y − γ₀ π_d = 0`. Its variance `V_yy − γ₀ (V_yd + V_dy) + γ₀² V_dd` needs three passes, after which the statistic is known for every γ₀.

use super::instrumental::Instrumental;
use crate::error::{Error, Result};
use crate::inference::covariance::{estimate, unrepaired};
use crate::inference::{
    ConfidenceSet, Covariance, Distribution, Segment, TestResult, check_level, quadratic_set,
    wald_statistic,
};
use crate::numeric::linalg::{Cholesky, nearest_semidefinite};
use crate::numeric::special::f;
use crate::regression::linear::Core;
use nalgebra::{DMatrix, DVector};

/// Points on which the statistic is evaluated, evenly spaced in the angle of γ₀, before roots are polished.
const GRID: usize = 4000;

/// Bisections of a root: enough for the last bit.
const BISECTIONS: usize = 200;

/// The test at given values of all endogenous coefficients.
pub(super) fn test(this: &Instrumental, core: &Core, values: &[f64]) -> Result<TestResult> {
    if values.len() != this.endogenous {
        return Err(Error::invalid_option(
            "values",
            values.len(),
            format!(
                "one value for each endogenous regressor: {}",
                this.endogenous_names().join(", ")
            ),
        ));
    }
    let alpha = DVector::from_iterator(values.len() + 1, values.iter().map(|v| -v).chain([1.0]));
    let (pi, estimated) = this.reduced_form(&alpha, &core.fitted.kind, core, estimate)?;
    let q = this.excluded;
    let (statistic, _) = wald_statistic(
        &pi,
        &this.of_excluded(&estimated.matrix),
        &DMatrix::identity(q, q),
        &DVector::zeros(q),
    )?;
    let distribution = Distribution::F {
        df1: q as f64,
        df2: estimated.fixed_df(this.observations),
    };
    Ok(TestResult::new(
        "Anderson–Rubin",
        statistic / q as f64,
        distribution,
    ))
}

/// All values that the test at `1 − level` does not reject.
pub(super) fn set(
    this: &Instrumental,
    core: &Core,
    name: &str,
    level: f64,
) -> Result<ConfidenceSet> {
    check_level(level)?;
    let quadratic = Quadratic::new(this, core)?;
    let q = this.excluded as f64;
    let critical = q * f::quantile(level, q, quadratic.df);
    let exact = this.excluded == 1 && !quadratic.repaired;
    let segments = if exact || core.fitted.kind == Covariance::Classical {
        quadratic.closed_form(critical)
    } else {
        quadratic.search(critical)
    };
    let back = quadratic.scale;
    Ok(ConfidenceSet {
        name: name.to_owned(),
        level,
        segments: segments
            .iter()
            .map(|s| Segment {
                lower: s.lower * back,
                upper: s.upper * back,
            })
            .collect(),
    })
}

/// The statistic as a function of γ, with y and d scaled to the same size.
struct Quadratic {
    y: DVector<f64>,
    d: DVector<f64>,
    /// Covariances of all reduced-form parameters; those of the excluded instruments come last.
    yy: DMatrix<f64>,
    cross: DMatrix<f64>,
    dd: DMatrix<f64>,
    /// Whether the estimator may need a repair, which depends on γ and is not quadratic in it.
    repaired: bool,
    df: f64,
    /// γ = scale · (scaled γ).
    scale: f64,
}

impl Quadratic {
    fn new(this: &Instrumental, core: &Core) -> Result<Self> {
        let last = this.gram.nrows() - 1;
        // Unit variation of both keeps the cross term from drowning.
        let size = |j: usize| match this.gram[(j, j)].sqrt() {
            size if size > 0.0 => size,
            _ => 1.0,
        };
        let (sy, sd) = (size(last), size(last - 1));
        let form = |d: f64, y: f64| {
            this.reduced_form(
                &DVector::from_vec(vec![d / sd, y / sy]),
                &core.fitted.kind,
                core,
                unrepaired,
            )
        };
        let (y, first) = form(0.0, 1.0)?;
        let (d, second) = form(1.0, 0.0)?;
        let (_, both) = form(1.0, 1.0)?;
        Ok(Self {
            df: first.fixed_df(this.observations),
            repaired: matches!(&core.fitted.kind, Covariance::Cluster { columns, .. } if columns.len() > 1),
            cross: both.matrix - &first.matrix - &second.matrix,
            yy: first.matrix,
            dd: second.matrix,
            y,
            d,
            scale: sy / sd,
        })
    }

    /// With one instrument, or a variance proportional to one matrix, the set solves a quadratic inequality.
    fn closed_form(&self, critical: f64) -> Vec<Segment> {
        // V(γ) = (σ_yy − γ σ_x + γ² σ_dd) M; a perfect first stage has σ_dd = 0, so M is taken from the sum of both.
        let (yy, cross, dd) = (
            self.tail(&self.yy),
            self.tail(&self.cross),
            self.tail(&self.dd),
        );
        let weight = match Cholesky::full_rank(&(&yy + &dd), "the reduced forms") {
            Ok(factor) => factor.inverse(),
            Err(_) => {
                return vec![Segment {
                    lower: f64::NEG_INFINITY,
                    upper: f64::INFINITY,
                }];
            }
        };
        let size = self.d.len() as f64;
        let (ratio_yy, ratio_cross, ratio_dd) = (
            (&yy * &weight).trace() / size,
            (&cross * &weight).trace() / size,
            (&dd * &weight).trace() / size,
        );
        let (yy, yd, dd) = (
            (&weight * &self.y).dot(&self.y),
            (&weight * &self.y).dot(&self.d),
            (&weight * &self.d).dot(&self.d),
        );
        quadratic_set(
            dd - critical * ratio_dd,
            yd - critical * ratio_cross / 2.0,
            yy - critical * ratio_yy,
        )
    }

    /// The block of the excluded instruments.
    fn tail(&self, matrix: &DMatrix<f64>) -> DMatrix<f64> {
        let (q, first) = (self.d.len(), matrix.nrows() - self.d.len());
        matrix.view((first, first), (q, q)).into_owned()
    }

    /// The statistic less the critical value at the angle of γ = tan θ.
    fn excess(&self, angle: f64, critical: f64) -> f64 {
        let (s, c) = angle.sin_cos();
        let gap = &self.y * c - &self.d * s;
        let variance = &self.yy * (c * c) - &self.cross * (s * c) + &self.dd * (s * s);
        let variance = if self.repaired {
            nearest_semidefinite(&variance).0
        } else {
            variance
        };
        match Cholesky::full_rank(&self.tail(&variance), "the variance") {
            Ok(factor) => gap.dot(&factor.solve_vector(&gap)) - critical,
            Err(_) => f64::INFINITY,
        }
    }

    /// The set where the excess is not positive: a grid over the half circle, the minimum polished, roots by bisection.
    fn search(&self, critical: f64) -> Vec<Segment> {
        let half = std::f64::consts::FRAC_PI_2;
        let step = 2.0 * half / GRID as f64;
        let mut angles: Vec<f64> = (0..=GRID).map(|i| -half + step * i as f64).collect();
        let best = (0..=GRID)
            .min_by(|a, b| {
                self.excess(angles[*a], critical)
                    .total_cmp(&self.excess(angles[*b], critical))
            })
            .unwrap_or(0);
        // A set narrower than the grid is found at the minimum.
        angles.insert(
            best + 1,
            self.minimum(angles[best] - step, angles[best] + step, critical)
                .clamp(-half, half),
        );
        angles.sort_by(f64::total_cmp);
        let inside: Vec<bool> = angles
            .iter()
            .map(|a| self.excess(*a, critical) <= 0.0)
            .collect();
        let mut segments = Vec::new();
        let mut start = inside[0].then_some(f64::NEG_INFINITY);
        for i in 1..angles.len() {
            if inside[i] != inside[i - 1] {
                let root = self.root(angles[i - 1], angles[i], critical).tan();
                match start.take() {
                    Some(lower) => segments.push(Segment { lower, upper: root }),
                    None => start = Some(root),
                }
            }
        }
        if let Some(lower) = start {
            segments.push(Segment {
                lower,
                upper: f64::INFINITY,
            });
        }
        segments
    }

    /// Golden-section search for the smallest excess.
    fn minimum(&self, mut low: f64, mut high: f64, critical: f64) -> f64 {
        let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
        for _ in 0..BISECTIONS / 2 {
            let (a, b) = (high - golden * (high - low), low + golden * (high - low));
            if self.excess(a, critical) < self.excess(b, critical) {
                high = b;
            } else {
                low = a;
            }
        }
        f64::midpoint(low, high)
    }

    fn root(&self, mut low: f64, mut high: f64, critical: f64) -> f64 {
        let sign = self.excess(low, critical) <= 0.0;
        for _ in 0..BISECTIONS {
            let middle = f64::midpoint(low, high);
            if (self.excess(middle, critical) <= 0.0) == sign {
                low = middle;
            } else {
                high = middle;
            }
        }
        f64::midpoint(low, high)
    }
}
