//! Whether small studies find larger effects, and meta-analyses that grow study by study.

use super::MetaAnalysisFit;
use super::fit::ends;
use super::heterogeneity::Spread;
use super::influence::{StudyInfluence, influence};
use crate::error::{Error, Result};
use crate::inference::{Distribution, Estimate, TestResult};
use crate::report::{BinnedScatter, CoefficientPlot, Figure};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// Egger's regression of estimates on their standard errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunnelAsymmetry {
    /// How much larger the effect is where the standard error is larger by one.
    pub slope: Estimate,
    /// The effect where the standard error goes to zero.
    pub limit: Estimate,
    /// The test of no slope.
    pub test: TestResult,
}

impl MetaAnalysisFit {
    /// Egger's test: weighted least squares of the estimates on their standard errors with weights `1/s²` and a dispersion that multiplies,
    /// `y = limit + slope · s`, against t(k − 2). (Its slope is the constant of the regression of `y/s` on `1/s` in which Egger and others wrote it.)
    /// A slope says that small studies find other effects than large ones, as when those without an effect are not reported; they may also differ for good reasons. With
    /// fewer than ten studies it finds little, and effects that come with their own errors (odds ratios, proportions) make it reject too often. The version in a
    /// mixed-effects model is [`MetaRegression`](super::MetaRegression) on the column of standard errors.
    ///
    /// # Errors
    /// [`Error::Unidentified`] with fewer than three studies, or with standard errors that are all alike.
    ///
    /// # References
    /// Egger, Davey Smith, Schneider & Minder (1997), *BMJ* 315, 629–634. doi:10.1136/bmj.315.7109.629; Sterne & Egger (2005), in *Publication Bias in Meta-Analysis*, 99–110.
    pub fn asymmetry(&self) -> Result<FunnelAsymmetry> {
        let y: Vec<f64> = self.studies().iter().map(|s| s.estimate).collect();
        let errors: Vec<f64> = self.studies().iter().map(|s| s.std_error).collect();
        let variance: Vec<f64> = errors.iter().map(|s| s * s).collect();
        // In units of the largest, so that no size of effects matters.
        let unit = errors.iter().copied().fold(0.0, f64::max);
        let x = DMatrix::from_fn(
            y.len(),
            2,
            |i, j| if j == 0 { 1.0 } else { errors[i] / unit },
        );
        let spread = Spread {
            y: &y,
            variance: &variance,
            x: Some(&x),
        };
        if y.len() < 3 || !spread.is_full_rank() {
            return Err(Error::Unidentified {
                what: "whether small studies find other effects".to_owned(),
                needs: "at least three studies, with standard errors that differ".to_owned(),
            });
        }
        let (at, free) = (spread.at(0.0), spread.free());
        let estimate = |name: &str, j: usize, unit: f64| Estimate {
            name: name.to_owned(),
            estimate: at.coefficients[j] / unit,
            std_error: (at.q / free * at.inverse[(j, j)]).sqrt() / unit,
            degrees_of_freedom: free,
        };
        let slope = estimate("slope over standard errors", 1, unit);
        Ok(FunnelAsymmetry {
            test: TestResult::new(
                "no slope over standard errors (Egger)",
                slope.statistic(0.0),
                Distribution::T { df: free },
            ),
            slope,
            limit: estimate("effect at a standard error of zero", 0, 1.0),
        })
    }

    /// The funnel plot, lying on its side: estimates over their standard errors, the lines between which the intervals of studies with the mean effect would cover it, and
    /// Egger's regression, when it is defined.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn funnel_figure(&self) -> Result<Figure> {
        let errors: Vec<f64> = self.studies().iter().map(|s| s.std_error).collect();
        let y: Vec<f64> = self.studies().iter().map(|s| s.estimate).collect();
        let widest = errors.iter().copied().fold(0.0, f64::max);
        let mean = self.mean().estimate;
        let half = crate::numeric::special::normal::quantile(0.5 + 0.5 * self.level()) * widest;
        let line = [0.0, widest];
        let mut plot = BinnedScatter::new()
            .title("Funnel plot")
            .x_title("Standard error")
            .y_title("Effect")
            .note(format!(
                "Lines: mean effect, and where {} % of estimates of studies with that effect lie",
                self.level() * 100.0
            ))
            .group("studies")
            .points(errors, y)
            .line(line, [mean, mean])
            .group("lower limit")
            .line(line, [mean, mean - half])
            .group("upper limit")
            .line(line, [mean, mean + half]);
        if let Ok(found) = self.asymmetry() {
            let limit = found.limit.estimate;
            plot = plot
                .group("Egger's regression")
                .line(line, [limit, limit + found.slope.estimate * widest]);
        }
        plot.draw()
    }

    /// The mean of the first study, of the first two, and so on, by the same methods, in the order of the rows: sort them by date to see how the evidence grew. The
    /// first is the study itself. Looking again after each study tests again: the intervals do not allow for that.
    ///
    /// # Errors
    /// None that the whole did not have.
    pub fn cumulative(&self) -> Result<Vec<Estimate>> {
        let means = (1..=self.studies().len()).map(|k| {
            let name = self.studies()[k - 1].name.clone();
            let mean = if k == 1 {
                self.studies()[0].clone()
            } else {
                self.of_first(k)?.mean().clone()
            };
            Ok(Estimate { name, ..mean })
        });
        means.collect()
    }

    /// The forest plot of [`cumulative`](Self::cumulative) means.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn cumulative_figure(&self) -> Result<Figure> {
        let mut plot = CoefficientPlot::new()
            .title("Cumulative meta-analysis")
            .x_title("Mean effect of this study and those above")
            .note(format!("Intervals at {} %", self.level() * 100.0))
            .series("means");
        for mean in self.cumulative()? {
            let (low, high) = ends(&mean, self.level());
            plot = plot.point(mean.name.as_str(), mean.estimate, low, high);
        }
        plot.draw()
    }

    /// What each study does to the mean.
    ///
    /// # Errors
    /// [`Error::Unidentified`] with two studies.
    pub fn influence(&self) -> Result<Vec<StudyInfluence>> {
        influence(self.studies(), None, self.method(), self.mean_error())
    }
}
