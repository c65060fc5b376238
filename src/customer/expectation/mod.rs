//! Satisfaction as a surface over what customers expected and what they got.

mod fit;

pub use fit::{ExpectationSurfaceFit, SurfaceFeature};

use crate::data::{Formula, Frame};
use crate::error::{Error, Result};
use crate::inference::{Bootstrap, BootstrapFit, Covariance, Inference};
use crate::numeric::Progress;
use crate::regression::Ols;
use serde::Serialize;

/// The expectation–disconfirmation model as a polynomial response surface: satisfaction y on expectation E and performance P, measured on one scale,
///
/// `y = b_0 + b_1 E + b_2 P + b_3 E² + b_4 EP + b_5 P² [− ℓ (E − P)₊] + x'γ + ε`,
///
/// by least squares. Along the line of congruence (P = E, performance as expected) the surface has slope `a_1 = b_1 + b_2` and
/// curvature `a_2 = b_3 + b_4 + b_5`; along the line of incongruence (P = −E) `a_3 = b_1 − b_2` and `a_4 = b_3 − b_4 + b_5` ([`SurfaceFeature`]).
/// With [`ExpectationSurface::loss`] the slope in P has a kink where performance meets the expectation: a shortfall weighs more than a surplus when
/// `ℓ > 0` ([`ExpectationSurfaceFit::loss_aversion`]).
///
/// # Why not a difference score
/// Regressing y on P − E forces `b_1 = −b_2` and no curvature: what people expect could matter only through the difference. When expectation
/// matters by itself (assimilation), the slope of the difference is a mixture of both effects that depends on their variances. The restrictions are
/// tested ([`ExpectationSurfaceFit::difference_test`]). Regressing on E, P and their difference is not possible at all: the three are collinear.
///
/// # Identification
/// E is asked before the experience (afterwards it is coloured by it), on the scale of P. Both are measured without error, or effects are
/// attenuated and curvature spreads between the terms. Coefficients are about the point E = P = `center`: choose the middle of the scale.
/// Associations are causal only when performance and expectation are as good as randomly assigned.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `center` | 0 | subtracted from E and P | finite |
/// | `linear` | off | without E², EP, P² | |
/// | `loss` | off | adds (E − P)₊ | |
/// | `controls` | none | right-hand side of a formula, fixed effects allowed | |
/// | `covariance` | `Covariance::Hc1` | sampling variance | see [`Covariance`] |
///
/// # Errors
/// [`Error::Unidentified`] when a term of the surface is constant or a combination of the others (no variation of expectation, two answers
/// where a square needs three, performance always as expected); [`Error::InvalidOption`] for a center that is not finite; those of [`Ols`].
///
/// # References
/// Edwards, J. R. (1994). The study of congruence in organizational behavior research. *OBHDP* 58(1), 51–100. doi:10.1006/obhd.1994.1029
///
/// Edwards, J. R. (2002). Alternatives to difference scores. In *Measuring and Analyzing Behavior in Organizations*, 350–400.
///
/// Venkatesh, V. & Goyal, S. (2010). Expectation disconfirmation and technology adoption: polynomial modeling and response surface analysis. *MIS Quarterly* 34(2),
/// 281–303. doi:10.2307/20721428
///
/// Kahneman, D. & Tversky, A. (1979). Prospect theory. *Econometrica* 47(2), 263–291. doi:10.2307/1914185
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let made = Disconfirmation::new().seed(7).simulate()?;
/// let fit = ExpectationSurface::new("satisfaction", "expectation", "performance").loss().fit(&made.data)?;
/// let slope = fit.feature(SurfaceFeature::CongruenceSlope)?;
/// assert!((slope.estimate - made.oracle.effect("congruence_slope")?).abs() < 3.0 * slope.std_error);
/// assert!(fit.difference_test()?.p_value < 0.001);
/// assert!(fit.loss_aversion(0.0, 0.95, 7)?.fieller.contains(2.0));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExpectationSurface {
    satisfaction: String,
    expectation: String,
    performance: String,
    controls: Option<String>,
    center: f64,
    linear: bool,
    loss: bool,
    covariance: Covariance,
}

impl ExpectationSurface {
    /// The quadratic surface of a satisfaction over an expectation and a performance.
    pub fn new(
        satisfaction: impl Into<String>,
        expectation: impl Into<String>,
        performance: impl Into<String>,
    ) -> Self {
        Self {
            satisfaction: satisfaction.into(),
            expectation: expectation.into(),
            performance: performance.into(),
            controls: None,
            center: 0.0,
            linear: false,
            loss: false,
            covariance: Covariance::default(),
        }
    }

    /// The point of both scales that becomes zero.
    pub fn center(mut self, center: f64) -> Self {
        self.center = center;
        self
    }

    /// Leaves out the squares and the product.
    pub fn linear(mut self) -> Self {
        self.linear = true;
        self
    }

    /// Lets performance below the expectation have a slope of its own.
    pub fn loss(mut self) -> Self {
        self.loss = true;
        self
    }

    /// Controls, as the right-hand side of a formula: `"age + C(region) | store"`.
    pub fn controls(mut self, terms: impl Into<String>) -> Self {
        self.controls = Some(terms.into());
        self
    }

    /// Sets the covariance estimator.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// Fits the surface.
    ///
    /// # Errors
    /// See [`ExpectationSurface`].
    pub fn fit(&self, frame: &Frame) -> Result<ExpectationSurfaceFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Features of the surface over resampled customers (or clusters of them): intervals that assume no normality.
    ///
    /// # Errors
    /// Those of [`Bootstrap::run`] and [`ExpectationSurfaceFit::feature`].
    pub fn bootstrap(
        &self,
        frame: &Frame,
        features: &[SurfaceFeature],
        bootstrap: &Bootstrap,
    ) -> Result<BootstrapFit> {
        let names = features.iter().map(|f| f.name());
        bootstrap.clone().names(names).run(frame, |resample| {
            let fit = self.fit(resample.frame()?)?;
            let of = |f: &SurfaceFeature| Ok(fit.feature(*f)?.estimate);
            features.iter().map(of).collect()
        })
    }

    /// Fits the surface, watched by `progress`.
    ///
    /// # Errors
    /// See [`ExpectationSurface`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<ExpectationSurfaceFit> {
        if !self.center.is_finite() {
            return Err(Error::invalid_option("center", self.center, "finite"));
        }
        let [e, p] = [&self.expectation, &self.performance];
        let values = |name: &str| -> Result<Vec<f64>> {
            let column = frame.numeric(name)?;
            Ok(column.values().iter().map(|v| v - self.center).collect())
        };
        let (expected, seen) = (values(e)?, values(p)?);
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).collect();
        let mut terms: Vec<(String, Vec<f64>)> = Vec::new();
        if !self.linear {
            terms.push((format!("{e}²"), product(&expected, &expected)));
            terms.push((format!("{e} × {p}"), product(&expected, &seen)));
            terms.push((format!("{p}²"), product(&seen, &seen)));
        }
        if self.loss {
            // A missing side stays missing: f64::max would make zero of it.
            let short = |(e, p): (&f64, &f64)| if e - p < 0.0 { 0.0 } else { e - p };
            let loss = expected.iter().zip(&seen).map(short).collect();
            terms.push((format!("({e} − {p})₊"), loss));
        }
        terms.splice(0..0, [(e.clone(), expected), (p.clone(), seen)]);
        let mut all = Frame::new();
        for (name, column) in frame.iter() {
            if name != e && name != p {
                all = all.with(name, column.clone())?;
            }
        }
        let names: Vec<String> = terms.iter().map(|(name, _)| name.clone()).collect();
        for (name, values) in terms {
            all = all.with(name, values)?;
        }
        let formula = Formula::outcome(self.satisfaction.as_str()).regressors(&names);
        let formula = Formula::from(formula);
        let formula = match &self.controls {
            Some(controls) => Formula::from(format!("{formula} + {controls}")),
            None => formula,
        };
        let ols = Ols::new(formula)
            .covariance(self.covariance.clone())
            .fit_with(&all, progress)?;
        if let Some(name) = names.iter().find(|name| ols.position(name).is_err()) {
            return Err(Error::Unidentified {
                what: format!("the effect of `{name}` on `{}`", self.satisfaction),
                needs: "variation of its own: it is constant, or a combination of the other terms (fewer than three different answers for a square, performance always as expected)".to_owned(),
            });
        }
        Ok(ExpectationSurfaceFit {
            ols,
            terms: names,
            linear: self.linear,
            loss: self.loss,
            center: self.center,
        })
    }
}
