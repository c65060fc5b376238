//! The fitted surface: slopes and curvatures along its lines, stationary point and axes, loss aversion.

use crate::error::{Error, Result, Warning};
use crate::inference::{
    Covariance, Estimate, Inference, Interval, KrinskyRobb, RatioIntervals, Summarized, TestResult,
    coefficient_table,
};
use crate::numeric::Seed;
use crate::regression::OlsFit;
use crate::report::{Cell, Figure, LinePlot, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is said of a response surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SurfaceFeature {
    /// a_1: what satisfaction gains when performance rises as expected, at the center.
    CongruenceSlope,
    /// a_2: the curvature along the same line.
    CongruenceCurvature,
    /// a_3: the slope along P = −E, from higher performance than expected to lower, at the center; without the loss.
    IncongruenceSlope,
    /// a_4: the curvature along the same line.
    IncongruenceCurvature,
    /// E at the stationary point, as a deviation from the center: `(b_2 b_4 − 2 b_1 b_5)/(4 b_3 b_5 − b_4²)`.
    StationaryExpectation,
    /// P there: `(b_1 b_4 − 2 b_2 b_3)/(4 b_3 b_5 − b_4²)`.
    StationaryPerformance,
    /// The slope p_11 of the first principal axis `P = p_10 + p_11 E`, along which the surface is most convex or least concave:
    /// `(b_5 − b_3 + √((b_3 − b_5)² + b_4²))/b_4`.
    FirstAxisSlope,
    /// Its intercept p_10.
    FirstAxisIntercept,
    /// The slope p_21 of the second principal axis, at right angles to the first.
    SecondAxisSlope,
    /// Its intercept p_20.
    SecondAxisIntercept,
}

impl SurfaceFeature {
    const ALL: [Self; 10] = [
        Self::CongruenceSlope,
        Self::CongruenceCurvature,
        Self::IncongruenceSlope,
        Self::IncongruenceCurvature,
        Self::StationaryExpectation,
        Self::StationaryPerformance,
        Self::FirstAxisSlope,
        Self::FirstAxisIntercept,
        Self::SecondAxisSlope,
        Self::SecondAxisIntercept,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CongruenceSlope => "a1: slope along P = E",
            Self::CongruenceCurvature => "a2: curvature along P = E",
            Self::IncongruenceSlope => "a3: slope along P = −E",
            Self::IncongruenceCurvature => "a4: curvature along P = −E",
            Self::StationaryExpectation => "E of the stationary point",
            Self::StationaryPerformance => "P of the stationary point",
            Self::FirstAxisSlope => "p11: slope of the first axis",
            Self::FirstAxisIntercept => "p10: intercept of the first axis",
            Self::SecondAxisSlope => "p21: slope of the second axis",
            Self::SecondAxisIntercept => "p20: intercept of the second axis",
        }
    }

    /// From b_1, …, b_5; those of a linear surface end after b_2.
    fn at(self, b: &[f64]) -> f64 {
        let get = |j: usize| b.get(j).copied().unwrap_or(0.0);
        let [b1, b2, b3, b4, b5] = [0, 1, 2, 3, 4].map(get);
        let determinant = 4.0 * b3 * b5 - b4 * b4;
        let e = (b2 * b4 - 2.0 * b1 * b5) / determinant;
        let p = (b1 * b4 - 2.0 * b2 * b3) / determinant;
        let root = (b3 - b5).hypot(b4);
        let axis = |sign: f64| (b5 - b3 + sign * root) / b4;
        match self {
            Self::CongruenceSlope => b1 + b2,
            Self::CongruenceCurvature => b3 + b4 + b5,
            Self::IncongruenceSlope => b1 - b2,
            Self::IncongruenceCurvature => b3 - b4 + b5,
            Self::StationaryExpectation => e,
            Self::StationaryPerformance => p,
            Self::FirstAxisSlope => axis(1.0),
            Self::FirstAxisIntercept => p - axis(1.0) * e,
            Self::SecondAxisSlope => axis(-1.0),
            Self::SecondAxisIntercept => p - axis(-1.0) * e,
        }
    }
}

/// A fitted [`super::ExpectationSurface`]. It answers the verbs of [`Inference`] for its coefficients, named after the columns (`expectation²`,
/// `expectation × performance`, `(expectation − performance)₊`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExpectationSurfaceFit {
    pub(super) ols: OlsFit,
    /// The terms of the surface: E, P, then squares and product, then the loss.
    pub(super) terms: Vec<String>,
    pub(super) linear: bool,
    pub(super) loss: bool,
    pub(super) center: f64,
}

impl ExpectationSurfaceFit {
    /// A feature of the surface with its standard error by the delta method. Stationary point and axes are ratios of small numbers when the surface is nearly flat; see
    /// [`ExpectationSurfaceFit::feature_interval`].
    ///
    /// # Errors
    /// [`Error::Unidentified`] for a feature of a quadratic surface that was fitted as a linear one; [`Error::NotFinite`] where it does not exist.
    pub fn feature(&self, feature: SurfaceFeature) -> Result<Estimate> {
        self.check(feature)?;
        self.ols
            .nonlinear(feature.name(), &self.surface(), |b| feature.at(b))
    }

    /// The percentile interval of a feature over draws of the coefficients (Krinsky & Robb, 10 000), which keeps the skew of ratios. For intervals by
    /// resampling customers see [`super::ExpectationSurface::bootstrap`].
    ///
    /// # Errors
    /// Those of [`ExpectationSurfaceFit::feature`]; [`Error::InvalidOption`] for a level outside (0, 1).
    pub fn feature_interval(
        &self,
        feature: SurfaceFeature,
        level: f64,
        seed: impl Into<Seed>,
    ) -> Result<Interval> {
        self.check(feature)?;
        KrinskyRobb::new().seed(seed).interval(
            &self.ols,
            feature.name(),
            &self.surface(),
            |b| feature.at(b),
            level,
        )
    }

    /// How much more a unit of shortfall weighs than a unit of surplus, where E = P = `at` (on the scale of the data):
    /// `(s + ℓ)/s`, s the slope in performance above the expectation.
    ///
    /// # Errors
    /// [`Error::Unidentified`] for a surface without the loss; [`Error::InvalidOption`] for a level outside (0, 1) or a point that is not finite.
    pub fn loss_aversion(
        &self,
        at: f64,
        level: f64,
        seed: impl Into<Seed>,
    ) -> Result<RatioIntervals> {
        if !self.loss {
            return Err(Error::Unidentified {
                what: "loss aversion".to_owned(),
                needs: "a surface with a kink (ExpectationSurface::loss)".to_owned(),
            });
        }
        if !at.is_finite() {
            return Err(Error::invalid_option("at", at, "finite"));
        }
        let at = at - self.center;
        // The slope in P: b_2 + b_4 E + 2 b_5 P.
        let mut weights = vec![0.0, 1.0];
        if !self.linear {
            weights.extend([0.0, at, 2.0 * at]);
        }
        let gain = self.contrast(&weights)?;
        // The coefficient of (E − P)₊ is −ℓ.
        weights.push(-1.0);
        let loss = self.contrast(&weights)?;
        let name = "loss aversion: slope below the expectation over slope above it";
        RatioIntervals::new(&self.ols, name, 1.0, [&loss, &gain], level, seed)
    }

    /// The test of what a difference score P − E assumes: `b_1 = −b_2`, no curvature, no kink.
    ///
    /// # Errors
    /// Those of [`Inference::wald_matrix`].
    pub fn difference_test(&self) -> Result<TestResult> {
        let mut rows = vec![self.contrast(&[1.0, 1.0])?];
        for j in 2..self.terms.len() {
            let mut weights = vec![0.0; j];
            weights.push(1.0);
            rows.push(self.contrast(&weights)?);
        }
        let r = DMatrix::from_fn(rows.len(), self.ols.names().len(), |i, j| rows[i][j]);
        let zero = DVector::zeros(rows.len());
        self.ols
            .wald_matrix("the restrictions of a difference score", &r, &zero)
    }

    /// Satisfaction at an expectation and a performance (on the scale of the data), above the value where both are at the center, controls equal.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for points that are not finite.
    pub fn difference_from_center(&self, expectation: f64, performance: f64) -> Result<Estimate> {
        let (e, p) = (expectation - self.center, performance - self.center);
        if !(e.is_finite() && p.is_finite()) {
            return Err(Error::NotFinite {
                what: "the point of the surface".to_owned(),
            });
        }
        let mut weights = vec![e, p];
        if !self.linear {
            weights.extend([e * e, e * p, p * p]);
        }
        if self.loss {
            weights.push((e - p).max(0.0));
        }
        let contrast = self.contrast(&weights)?;
        let variance = contrast.dot(&(self.ols.covariance() * &contrast));
        Ok(Estimate {
            name: format!("satisfaction at ({expectation}, {performance}) above the center"),
            estimate: contrast.dot(self.ols.estimates()),
            std_error: variance.max(0.0).sqrt(),
            degrees_of_freedom: self.ols.degrees_of_freedom(&contrast),
        })
    }

    /// The surface along both lines, `reach` to either side of the center: performance as expected, and performance above (left of the center) or below (right of it) the
    /// expectation; 95 % bands.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a reach that is not positive.
    pub fn figure(&self, reach: f64) -> Result<Figure> {
        const STEPS: i32 = 40;
        const LEVEL: f64 = 0.95;
        if !(reach > 0.0 && reach.is_finite()) {
            return Err(Error::invalid_option("reach", reach, "positive and finite"));
        }
        let mut plot = LinePlot::new()
            .title("Satisfaction along the lines of congruence and incongruence")
            .x_title("Expectation, from the center")
            .y_title("Satisfaction above the center")
            .reference_x(0.0);
        for (name, sign) in [("P = E", 1.0), ("P = −E", -1.0)] {
            let x: Vec<f64> = (-STEPS..=STEPS)
                .map(|i| reach * f64::from(i) / f64::from(STEPS))
                .collect();
            let mut values = [vec![], vec![], vec![]];
            for x in &x {
                let y = self.difference_from_center(self.center + x, self.center + sign * x)?;
                let interval = y.confidence_interval(LEVEL)?;
                values[0].push(y.estimate);
                values[1].push(interval.lower);
                values[2].push(interval.upper);
            }
            plot = plot.line(name, &x, &values[0]).band(&values[1], &values[2]);
        }
        plot.draw()
    }

    /// The same fit with another covariance: one more pass over the rows, no refit.
    ///
    /// # Errors
    /// Those of [`OlsFit::with_covariance`].
    pub fn with_covariance(&self, covariance: Covariance) -> Result<Self> {
        Ok(Self {
            ols: self.ols.with_covariance(covariance)?,
            ..self.clone()
        })
    }

    /// The regression behind it.
    pub fn regression(&self) -> &OlsFit {
        &self.ols
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> Vec<Warning> {
        self.ols.warnings()
    }

    /// Drops the handle on the data.
    pub fn lean(&self) -> Self {
        Self {
            ols: self.ols.lean(),
            ..self.clone()
        }
    }

    fn check(&self, feature: SurfaceFeature) -> Result<()> {
        let slope = matches!(
            feature,
            SurfaceFeature::CongruenceSlope | SurfaceFeature::IncongruenceSlope
        );
        if self.linear && !slope {
            return Err(Error::Unidentified {
                what: feature.name().to_owned(),
                needs: "a surface with squares and a product (without ExpectationSurface::linear)"
                    .to_owned(),
            });
        }
        Ok(())
    }

    /// The terms without the loss.
    fn surface(&self) -> Vec<&str> {
        let polynomial = if self.linear { 2 } else { 5 };
        let terms = self.terms.iter().take(polynomial);
        terms.map(String::as_str).collect()
    }

    /// Weights of the terms, in their order, as weights of all coefficients.
    fn contrast(&self, weights: &[f64]) -> Result<DVector<f64>> {
        let mut contrast = DVector::zeros(self.ols.names().len());
        for (name, weight) in self.terms.iter().zip(weights) {
            contrast[self.ols.position(name)?] = *weight;
        }
        Ok(contrast)
    }

    fn full_table(&self) -> Table {
        let mut table = coefficient_table(&self.ols)
            .with_title("Satisfaction over expectation and performance")
            .note(format!(
                "Standard errors {}; n = {}; expectation and performance less {}",
                self.ols.covariance_kind(),
                Cell::count(self.ols.statistics().observations as usize),
                self.center
            ));
        for feature in SurfaceFeature::ALL {
            if let Ok(estimate) = self.feature(feature) {
                table = table.note(estimate.to_string());
            }
        }
        if let Ok(test) = self.difference_test() {
            table = table.note(test.to_string());
        }
        for warning in self.warnings() {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }

    /// The fit as an HTML table.
    pub fn to_html(&self) -> String {
        self.full_table().to_html()
    }
}

impl Inference for ExpectationSurfaceFit {
    crate::inference::fields::inference_of_fit!(ols);

    fn table(&self) -> Table {
        self.full_table()
    }
}

impl Summarized for ExpectationSurfaceFit {
    fn footer(&self) -> Vec<(String, Cell)> {
        self.ols.footer()
    }

    fn covariance_label(&self) -> String {
        self.ols.covariance_label()
    }
}

impl fmt::Display for ExpectationSurfaceFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.full_table().fmt(f)
    }
}

crate::report::notebook!(ExpectationSurfaceFit);
