//! The naive regression beside the honest ones, with the attenuation between them.

use super::calibration::RegressionCalibration;
use super::fit::ScoreFit;
use super::imputation::PlausibleRegression;
use super::joint::JointScore;
use super::measured::Measured;
use super::options::{Options, OutcomeModel, Plain, Use, score_builder};
use super::pooled::PooledFit;
use super::simex::Simex;
use super::simulation::SimexFit;
use crate::data::{Formula, Frame};
use crate::error::{Error, Result};
use crate::inference::{Estimate, Inference, ModelTable};
use crate::numeric::{Progress, Seed};
use crate::regression::LikelihoodFit;
use crate::report::{Cell, Table};
use serde::Serialize;

/// All regressions on a measured score side by side: naive, [`RegressionCalibration`], [`Simex`], [`PlausibleRegression`] and
/// [`JointScore`] (linear, probit and logit outcomes).
///
/// The attenuation factor says what the naive slope of a linear model is a multiple of: `λ = Var(a|x)/(Var(a|x) + v̄)`, the
/// reliability of the score given the other regressors, which is below its reliability alone.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `outcome` | [`OutcomeModel::Linear`] | model of the outcome |
/// | `covariance` | HC1 | covariance of each fit |
/// | `seed` | none | required, for SIMEX and plausible values |
///
/// # Errors
/// [`Error::SeedRequired`]; those of the estimators.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let a: Vec<f64> = (0..400).map(|i| if i % 4 < 2 { 1.0 } else { -1.0 }).collect();
/// let s: Vec<f64> = a.iter().enumerate().map(|(i, a)| a + if i % 2 < 1 { 0.5 } else { -0.5 }).collect();
/// let y: Vec<f64> = a.iter().enumerate().map(|(i, a)| 2.0 * a + (i as f64).sin()).collect();
/// let people = Frame::new().with("y", y)?.with("skill", s)?;
/// let all = ScoreComparison::new("y ~ skill", Measured::with_variance("skill", 0.25)).seed(7).fit(&people)?;
/// assert!((all.attenuation().estimate - 0.8).abs() < 1e-9);
/// assert!((all.naive().estimate - 1.6).abs() < 0.02);
/// assert!((all.calibration().coefficient("skill")?.estimate - 2.0).abs() < 0.02);
/// println!("{all}");
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoreComparison {
    options: Options,
    seed: Option<Seed>,
}

score_builder!(ScoreComparison, ScoreComparisonFit);

impl ScoreComparison {
    /// The comparison for a formula with a score.
    pub fn new(formula: impl Into<Formula>, measured: Measured) -> Self {
        Self {
            options: Options::new(formula.into(), measured),
            seed: None,
        }
    }

    /// The seed of SIMEX and plausible values.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Fits all models, watched by `progress`.
    ///
    /// # Errors
    /// See [`ScoreComparison`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<ScoreComparisonFit> {
        let options = &self.options;
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: "a comparison with SIMEX and plausible values".to_owned(),
        })?;
        let sample = options.sample(frame, Use::Main)?;
        let score = options.measured.column().to_owned();
        let calibration =
            RegressionCalibration::from_options(options.clone()).fit_with(frame, progress)?;
        let simex = Simex::from_options(options.clone())
            .seed(seed)
            .fit_with(frame, progress)?;
        let plausible = PlausibleRegression::from_options(options.clone())
            .seed(seed)
            .fit_with(frame, progress)?;
        let erroneous = sample.variances.iter().any(|v| *v > 0.0);
        let joint = (options.outcome != OutcomeModel::Poisson && erroneous)
            .then(|| JointScore::from_options(options.clone()).fit_with(frame, progress))
            .transpose()?;
        let naive = naive_estimate(&calibration.naive, &score)?;
        let attenuation = calibration
            .attenuation()
            .cloned()
            .ok_or_else(|| Error::NotFinite {
                what: "the attenuation factor".to_owned(),
            })?;
        Ok(ScoreComparisonFit {
            score,
            outcome: options.outcome,
            formula: sample.parsed.to_string(),
            naive,
            attenuation,
            calibration,
            simex,
            plausible,
            joint,
        })
    }
}

fn naive_estimate(naive: &Plain, score: &str) -> Result<Estimate> {
    let at = naive
        .names
        .iter()
        .position(|n| n == score)
        .ok_or_else(|| Error::Unidentified {
            what: format!("the coefficient of `{score}`"),
            needs: "a score that is no linear combination of the other regressors".to_owned(),
        })?;
    Ok(Estimate {
        name: score.to_owned(),
        estimate: naive.estimates[at],
        std_error: naive.covariance[(at, at)].max(0.0).sqrt(),
        degrees_of_freedom: naive.df,
    })
}

/// The fits of a [`ScoreComparison`].
#[derive(Clone, Debug, Serialize)]
pub struct ScoreComparisonFit {
    score: String,
    outcome: OutcomeModel,
    formula: String,
    naive: Estimate,
    attenuation: Estimate,
    calibration: ScoreFit,
    simex: SimexFit,
    plausible: PooledFit,
    joint: Option<LikelihoodFit>,
}

impl ScoreComparisonFit {
    /// The score's coefficient when the score is taken for the truth.
    pub fn naive(&self) -> &Estimate {
        &self.naive
    }

    /// The attenuation factor λ with its standard error.
    pub fn attenuation(&self) -> &Estimate {
        &self.attenuation
    }

    /// Regression calibration.
    pub fn calibration(&self) -> &ScoreFit {
        &self.calibration
    }

    /// SIMEX.
    pub fn simex(&self) -> &SimexFit {
        &self.simex
    }

    /// Plausible values.
    pub fn plausible(&self) -> &PooledFit {
        &self.plausible
    }

    /// The joint model; absent for Poisson outcomes, and when the score has no error.
    pub fn joint(&self) -> Option<&LikelihoodFit> {
        self.joint.as_ref()
    }

    /// The score's coefficient by each method, in the order of the table.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`] when a method dropped the score as collinear.
    pub fn estimates(&self) -> Result<Vec<(&'static str, Estimate)>> {
        let mut out = vec![
            ("naive", self.naive.clone()),
            (
                "regression calibration",
                self.calibration.coefficient(&self.score)?,
            ),
            ("SIMEX", self.simex.coefficient(&self.score)?),
            ("plausible values", self.plausible.coefficient(&self.score)?),
        ];
        if let Some(joint) = &self.joint {
            out.push(("joint likelihood", joint.coefficient(&self.score)?));
        }
        Ok(out)
    }

    /// All coefficients of all corrected models, as papers print them.
    pub fn model_table(&self) -> ModelTable {
        let table = ModelTable::new(format!("{}: {}", self.outcome, self.formula))
            .model("calibration", &self.calibration)
            .model("SIMEX", &self.simex)
            .model("plausible values", &self.plausible);
        match &self.joint {
            Some(joint) => table.model("joint", joint),
            None => table,
        }
    }

    /// The score's coefficient by each method.
    pub fn table(&self) -> Table {
        const LEVEL: f64 = 0.95;
        let title = format!(
            "Coefficient of {} (measured with error) in {}: {}",
            self.score, self.outcome, self.formula
        );
        let mut table = Table::new(title).columns([
            "",
            "Estimate",
            "Std. error",
            "95 % from",
            "to",
            "Naive / this",
        ]);
        for (method, estimate) in self.estimates().unwrap_or_default() {
            let interval = estimate.confidence_interval(LEVEL).ok();
            let ends = interval.map_or([f64::NAN; 2], |i| [i.lower, i.upper]);
            table = table.row([
                Cell::from(method),
                Cell::significant(estimate.estimate, 4),
                Cell::significant(estimate.std_error, 4),
                Cell::significant(ends[0], 4),
                Cell::significant(ends[1], 4),
                Cell::fixed(self.naive.estimate / estimate.estimate, 3),
            ]);
        }
        let a = &self.attenuation;
        table.note(format!(
            "Estimated attenuation Var(a|x)/(Var(a|x) + mean error variance): {} (s.e. {}); a linear naive slope is that share of the true one.",
            Cell::fixed(a.estimate, 3),
            Cell::fixed(a.std_error, 3)
        ))
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl std::fmt::Display for ScoreComparisonFit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(ScoreComparisonFit);
