//! Coefficient stability: omitted variables as important as the observed ones.

use super::regressors::Regressors;
use crate::error::{Error, Result};
use crate::numeric::optimize::brent_root;
use crate::regression::OlsFit;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// Proportional selection: how important what was left out must be, relative to the observed controls, to change a coefficient; judged by how coefficient and R² move when the controls come in.
///
/// In `Y = β D + W₁ + W₂ + ε`, `W₁` is the index of observed controls and `W₂`, orthogonal to it, that of unobserved ones, with `Cov(W₂, D)/Var(W₂) = δ Cov(W₁, D)/Var(W₁)`. A regression on all would have
/// R² of `r_max`. From the regressions without controls (β̊, R̊) and with them (β̃, R̃), the variance `σ²` of the treatment and what the controls leave of it, τ, and `ν = β̃ − β`,
///
/// `ν (R̃ − R̊) σ_y² τ + ν σ² τ (β̊ − β̃)² + 2ν² τ (β̊ − β̃) σ² + ν³ (τσ² − τ²) = δ [(R_max − R̃) σ_y² ((β̊ − β̃) σ² + ν (σ² − τ)) + ν² τ (β̊ − β̃) σ² + ν³ (τσ² − τ²)]`,
///
/// which is solved for δ at a given β ([`CoefficientStability::delta`]) and for β at a given δ ([`CoefficientStability::beta`]). Both regressions may have the same further controls in them; their variances are then those that these leave.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `r_max` | 1.3 R̃, at most 1 | R² of the regression on all | R̃ to 1 |
///
/// # Errors
/// [`Error::UnknownCoefficient`] when one of the fits lacks the treatment; [`Error::InvalidOption`] for fits of different rows or the controls in the wrong order, an `r_max` outside [R̃, 1]; [`Error::Unidentified`] when the controls
/// move neither coefficient nor R²; [`Error::DataNotKept`] for fits that cannot give their classical covariance.
///
/// # References
/// Oster, E. (2019). Unobservable selection and coefficient stability: theory and evidence. *Journal of Business & Economic Statistics* 37(2), 187–204.
/// doi:10.1080/07350015.2016.1227711
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let card = datasets::load("card")?;
/// let short = Ols::new("lwage ~ educ").fit(&card)?;
/// let long = Ols::new("lwage ~ educ + exper + I(exper^2) + black + south + smsa").fit(&card)?;
/// let stability = CoefficientStability::new(&short, &long, "educ")?;
/// let beta = stability.beta(1.0)?; // left out as important as observed
/// assert!(beta.beta > 0.07);
/// println!("{stability}");
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoefficientStability {
    treatment: String,
    /// β̊ and β̃.
    estimates: [f64; 2],
    /// R̊ and R̃.
    r_squared: [f64; 2],
    outcome_variance: f64,
    /// σ² and τ.
    treatment_variances: [f64; 2],
    r_max: f64,
}

/// The coefficient that goes with a relative importance δ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StableBeta {
    /// δ.
    pub delta: f64,
    /// Of the solutions for which what was left out does not turn the sign of how the observed controls go with the treatment, the nearest to the controlled estimate.
    pub beta: f64,
    /// All real solutions in ascending order.
    pub solutions: Vec<f64>,
}

impl CoefficientStability {
    /// From the fit without the controls in question and the fit with them, on the same rows.
    ///
    /// # Errors
    /// See [`CoefficientStability`].
    pub fn new(uncontrolled: &OlsFit, controlled: &OlsFit, treatment: &str) -> Result<Self> {
        let both = [uncontrolled, controlled];
        let s = both.map(OlsFit::statistics);
        if (s[0].observations - s[1].observations).abs() > 0.0
            || (s[0].tss - s[1].tss).abs() > 1e-9 * s[1].tss
        {
            return Err(Error::invalid_option(
                "uncontrolled",
                format!(
                    "of {} rows, the other fit of {}",
                    s[0].observations, s[1].observations
                ),
                "a fit of the same outcome on the same rows; leave out rows that miss a control first",
            ));
        }
        if s[0].parameters + s[0].absorbed >= s[1].parameters + s[1].absorbed
            || s[0].r_squared > s[1].r_squared
        {
            return Err(Error::invalid_option(
                "controlled",
                format!(
                    "with R² {:.4} and {} parameters",
                    s[1].r_squared, s[1].parameters
                ),
                "the fit with the controls, after the one without",
            ));
        }
        let n = s[0].observations - 1.0;
        let mut estimates = [0.0; 2];
        let mut treatment_variances = [0.0; 2];
        for (k, fit) in both.iter().enumerate() {
            let r = Regressors::of(fit, treatment)?;
            estimates[k] = r.estimates[r.treatment];
            // 1/(X'X)⁻¹_dd is the residual sum of squares of the treatment on the other regressors.
            let residual = s[k].rss / s[k].residual_df / r.covariance[(r.treatment, r.treatment)];
            treatment_variances[k] = residual / n;
        }
        let r_squared = s.map(|s| s.r_squared);
        Ok(Self {
            treatment: treatment.to_owned(),
            estimates,
            r_squared,
            outcome_variance: s[1].tss / n,
            treatment_variances,
            r_max: (1.3 * r_squared[1]).min(1.0),
        })
    }

    /// R² of a regression on observed and unobserved variables.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] outside [R̃, 1].
    pub fn r_max(mut self, r_max: f64) -> Result<Self> {
        if !(r_max >= self.r_squared[1] && r_max <= 1.0) {
            return Err(Error::invalid_option(
                "r_max",
                r_max,
                format!(
                    "from {:.4}, what the controls reach, to 1",
                    self.r_squared[1]
                ),
            ));
        }
        self.r_max = r_max;
        Ok(self)
    }

    /// δ at which the coefficient would be `beta`: what was left out must be that many times as important as the controls. Zero is the usual question; a δ above one is usually called robust. A negative one
    /// says that controls move the estimate away from `beta`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a beta that is not finite; [`Error::Unidentified`] when no δ does.
    pub fn delta(&self, beta: f64) -> Result<f64> {
        if !beta.is_finite() {
            return Err(Error::invalid_option("beta", beta, "finite"));
        }
        let nu = self.estimates[1] - beta;
        let (fixed, scaled) = self.polynomials();
        let at = |c: [f64; 4]| c[0] + nu * (c[1] + nu * (c[2] + nu * c[3]));
        let (top, bottom) = (at(fixed), at(scaled));
        let delta = top / bottom;
        if delta.is_finite() {
            return Ok(delta);
        }
        Err(Error::Unidentified {
            what: format!(
                "the δ for which the coefficient of {} is {beta}",
                self.treatment
            ),
            needs: "controls that move the coefficient, and an `r_max` above what they reach"
                .to_owned(),
        })
    }

    /// The coefficient when what was left out is δ times as important as the controls.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a δ that is not finite; [`Error::Unidentified`] when no coefficient goes with it.
    pub fn beta(&self, delta: f64) -> Result<StableBeta> {
        if !delta.is_finite() {
            return Err(Error::invalid_option("delta", delta, "finite"));
        }
        let (fixed, scaled) = self.polynomials();
        let [short, long] = self.estimates;
        let [variance, left] = self.treatment_variances;
        // Cov(W₁, D) is (β̊ − β̃)σ² + ν(σ² − τ); with ν = 0 it is what the controls show.
        let shown = (short - long) * variance;
        let ratio = |nu: f64| 1.0 + nu * (variance - left) / shown;
        let mut roots = real_roots([0, 1, 2, 3].map(|k: usize| fixed[k] - delta * scaled[k]))?;
        // Where it is zero the equation says nothing: with one control both sides vanish there.
        roots.retain(|nu| ratio(*nu).abs() > 1e-8);
        let nearest = (roots.iter().filter(|nu| ratio(**nu) > 0.0))
            .min_by(|a, b| a.abs().total_cmp(&b.abs()));
        let Some(nu) = nearest else {
            return Err(Error::Unidentified {
                what: format!("the coefficient of {} for δ = {delta}", self.treatment),
                needs: "controls that move it, or a smaller δ: at this one what was left out would turn the sign of how they go with the treatment".to_owned(),
            });
        };
        let mut solutions: Vec<f64> = roots.iter().map(|nu| long - nu).collect();
        solutions.sort_unstable_by(f64::total_cmp);
        Ok(StableBeta {
            delta,
            beta: long - nu,
            solutions,
        })
    }

    /// Coefficient and R² without and with controls, δ for zero and β for δ = 1.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 5;
        let mut table = Table::new(format!("Coefficient stability of {}", self.treatment))
            .columns(["", "Coefficient", "R²"]);
        for (k, name) in ["without controls", "with controls"].iter().enumerate() {
            table = table.row([
                Cell::text(*name),
                Cell::significant(self.estimates[k], DIGITS),
                Cell::fixed(self.r_squared[k], 4),
            ]);
        }
        if let Ok(beta) = self.beta(1.0) {
            table = table.row([
                Cell::text("left out as important as observed"),
                Cell::significant(beta.beta, DIGITS),
                Cell::fixed(self.r_max, 4),
            ]);
        }
        match self.delta(0.0) {
            Ok(delta) => table.note(format!(
                "The coefficient is zero when what was left out is {} times as important as the controls.",
                Cell::significant(delta, DIGITS)
            )),
            Err(error) => table.note(format!("{error}.")),
        }
    }

    /// Coefficients of 1, ν, ν², ν³ of the part without δ and of the part times δ.
    fn polynomials(&self) -> ([f64; 4], [f64; 4]) {
        let [short, long] = self.estimates;
        let [variance, left] = self.treatment_variances;
        let moved = short - long;
        let gained = (self.r_squared[1] - self.r_squared[0]) * self.outcome_variance;
        let missing = (self.r_max - self.r_squared[1]) * self.outcome_variance;
        let square = left * moved * variance;
        let cube = left * (variance - left);
        (
            [
                0.0,
                left * (gained + variance * moved * moved),
                2.0 * square,
                cube,
            ],
            [
                missing * moved * variance,
                missing * (variance - left),
                square,
                cube,
            ],
        )
    }
}

crate::report::notebook::shown!(CoefficientStability);

/// Real roots of `c₀ + c₁x + c₂x² + c₃x³`, each between two points where the slope is zero.
fn real_roots(mut c: [f64; 4]) -> Result<Vec<f64>> {
    /// Coefficients that do not matter at the size of the others.
    const NEGLIGIBLE: f64 = 1e-13;
    // In units in which the roots are of order one: of the ratio of the outer coefficients that are there.
    let scale = (0..3)
        .filter(|k| c[3 - k - 1].abs() > 0.0 && c[3].abs() > 0.0)
        .map(|k| (c[3 - k - 1] / c[3]).abs().powf(1.0 / (k + 1) as f64))
        .fold(0.0, f64::max);
    let scale = if scale > 0.0 && scale.is_finite() {
        scale
    } else {
        1.0
    };
    let mut unit = 1.0;
    for value in &mut c {
        *value *= unit;
        unit *= scale;
    }
    let largest = c.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    if largest <= 0.0 {
        return Ok(Vec::new());
    }
    let c = c.map(|v| {
        if v.abs() > NEGLIGIBLE * largest {
            v / largest
        } else {
            0.0
        }
    });
    let f = |x: f64| c[0] + x * (c[1] + x * (c[2] + x * c[3]));
    let lead = c
        .iter()
        .rev()
        .find(|v| v.abs() > 0.0)
        .map_or(1.0, |v| v.abs());
    // Cauchy's bound.
    let bound = 1.0 + c.iter().fold(0.0_f64, |m, v| m.max(v.abs())) / lead;
    let mut cuts = vec![-bound];
    cuts.extend(quadratic(c[1], 2.0 * c[2], 3.0 * c[3]));
    cuts.push(bound);
    cuts.retain(|x| x.abs() <= bound);
    cuts.sort_unstable_by(f64::total_cmp);
    let mut roots: Vec<f64> = Vec::new();
    for pair in cuts.windows(2) {
        let (low, high) = (f(pair[0]), f(pair[1]));
        if low * high < 0.0 {
            roots.push(brent_root(f, pair[0], pair[1], 0.0)?.point);
        } else if high.abs() <= NEGLIGIBLE && pair[1] < bound {
            // A double root.
            roots.push(pair[1]);
        }
    }
    Ok(roots.into_iter().map(|x| x * scale).collect())
}

/// Real roots of `a + bx + cx²`.
fn quadratic(a: f64, b: f64, c: f64) -> Vec<f64> {
    if c.abs() <= 0.0 {
        return if b.abs() > 0.0 {
            vec![-a / b]
        } else {
            Vec::new()
        };
    }
    let inside = b * b - 4.0 * a * c;
    if inside < 0.0 {
        return Vec::new();
    }
    let q = -0.5 * (b + inside.sqrt().copysign(b));
    if q.abs() > 0.0 {
        vec![q / c, a / q]
    } else {
        vec![0.0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_of_cubics_are_found_at_any_scale() {
        for scale in [1e-6, 1.0, 1e6] {
            let r = [-2.0, 0.5, 3.0].map(|v: f64| v * scale);
            let c = [
                -r[0] * r[1] * r[2],
                r[0] * r[1] + r[0] * r[2] + r[1] * r[2],
                -(r[0] + r[1] + r[2]),
                1.0,
            ];
            let found = real_roots(c).unwrap();
            assert_eq!(found.len(), 3);
            for (found, r) in found.iter().zip(r) {
                assert!((found / r - 1.0).abs() < 1e-12, "{found} {r}");
            }
        }
        assert_eq!(real_roots([1.0, 0.0, 1.0, 0.0]).unwrap(), Vec::<f64>::new());
        let lone = real_roots([-8.0, 0.0, 0.0, 1.0]).unwrap();
        assert!(lone.len() == 1 && (lone[0] - 2.0).abs() < 1e-14);
        let line = real_roots([-6.0, 2.0, 0.0, 0.0]).unwrap();
        assert!(line.len() == 1 && (line[0] - 3.0).abs() < 1e-12);
    }
}
