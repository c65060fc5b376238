//! What a regression discontinuity design found.

use super::bandwidth::DiscontinuityBandwidths;
use super::estimate::Estimation;
use super::local::ratio_slope;
use super::observed::{Observed, few_rows_warning, mass_point_warning};
use super::options::MassPoints;
use super::regression_discontinuity::RegressionDiscontinuity;
use crate::error::{Error, Result, Warning};
use crate::inference::{ConfidenceSet, Estimate, Inference, Interval, coefficient_table, fieller};
use crate::numeric::special::noncentral;
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Fewer clusters than this on a side are said in a warning.
const FEW_CLUSTERS: usize = 10;
/// The name of the effect.
const EFFECT: &str = "effect";

/// What [`RegressionDiscontinuity`] found. The verbs of [`Inference`] are those of the bias-corrected estimate with the robust error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegressionDiscontinuityFit {
    model: RegressionDiscontinuity,
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    conventional: Estimate,
    bias_corrected: Estimate,
    jumps: DiscontinuityJumps,
    conventional_jumps: DiscontinuityJumps,
    bandwidths: DiscontinuityBandwidths,
    rows: [usize; 2],
    distinct_values: [usize; 2],
    effective_rows: [usize; 2],
    bias_rows: [usize; 2],
    clusters: Option<[usize; 2]>,
    covariates: Vec<(String, f64)>,
    kept: Vec<bool>,
    warnings: Vec<Warning>,
}

/// Jumps (or kinks) of the outcome and, if the design is fuzzy, of the treatment, which is its first stage, with their covariance. They have the names of their columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscontinuityJumps {
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
}

impl Inference for DiscontinuityJumps {
    crate::inference::fields::inference_of_fields!();
}

impl DiscontinuityJumps {
    /// The jumps as a table.
    pub fn table(&self) -> Table {
        coefficient_table(self).with_title("Jumps at the cutoff")
    }
}

crate::report::notebook::shown!(DiscontinuityJumps);

impl Inference for RegressionDiscontinuityFit {
    crate::inference::fields::inference_of_fields!();

    /// Of a sharp design the robust interval; of a fuzzy one the Anderson–Rubin set, all ratios ρ for which the bias-corrected jump of `Y − ρT` is not significant. It is right
    /// when the first stage is weak too, and may then be unbounded (Feir, Lemieux & Marmer 2016, doi:10.1080/07350015.2015.1024836).
    fn confidence_set(&self, name: &str, level: f64) -> Result<ConfidenceSet> {
        let robust = self.coefficient(name)?;
        let [outcome, treatment] = self.jumps.names.as_slice() else {
            return Ok(robust.confidence_interval(level)?.into());
        };
        let mut set = fieller(&self.jumps, outcome, treatment, level)?;
        name.clone_into(&mut set.name);
        Ok(set)
    }
}

impl RegressionDiscontinuityFit {
    pub(super) fn new(
        model: &RegressionDiscontinuity,
        observed: &Observed,
        bandwidths: DiscontinuityBandwidths,
        estimation: &Estimation,
    ) -> Result<Self> {
        // The ratio is linearised at the conventional jumps, and its bias with it.
        let (value, slope) = match estimation.conventional.as_slice() {
            [outcome, treatment] => (
                outcome / treatment,
                DVector::from_row_slice(&ratio_slope([*outcome, *treatment])),
            ),
            outcome => (outcome[0], DVector::from_element(1, 1.0)),
        };
        let corrected = value - slope.dot(&(&estimation.conventional - &estimation.corrected));
        let variance = |of: &DMatrix<f64>| (of * &slope).dot(&slope);
        let estimate = |name: &str, estimate: f64, of: &DMatrix<f64>| Estimate {
            name: name.to_owned(),
            estimate,
            std_error: variance(of).sqrt(),
            degrees_of_freedom: f64::INFINITY,
        };
        let robust = variance(&estimation.robust_covariance);
        if !(corrected.is_finite() && robust.is_finite()) {
            return Err(Error::Unidentified {
                what: "the effect at the cutoff or its error".to_owned(),
                needs: "a treatment whose share jumps at the cutoff and, with clusters, more than one of them on each side of it".to_owned(),
            });
        }
        let names: Vec<String> = std::iter::once(&model.outcome)
            .chain(&model.treatment)
            .cloned()
            .collect();
        let jumps = |estimates: &DVector<f64>, covariance: &DMatrix<f64>| DiscontinuityJumps {
            names: names.clone(),
            estimates: estimates.clone(),
            covariance: covariance.clone(),
        };
        let sides = &observed.sides;
        let of_outcome: Vec<f64> = estimation.slopes.column(0).iter().copied().collect();
        let mut fit = Self {
            names: vec![EFFECT.to_owned()],
            estimates: DVector::from_element(1, corrected),
            covariance: DMatrix::from_element(1, 1, robust),
            conventional: estimate("conventional", value, &estimation.conventional_covariance),
            bias_corrected: estimate(
                "bias-corrected",
                corrected,
                &estimation.conventional_covariance,
            ),
            jumps: jumps(&estimation.corrected, &estimation.robust_covariance),
            conventional_jumps: jumps(
                &estimation.conventional,
                &estimation.conventional_covariance,
            ),
            bandwidths,
            rows: [sides[0].len(), sides[1].len()],
            distinct_values: [sides[0].distinct(), sides[1].distinct()],
            effective_rows: estimation.rows,
            bias_rows: estimation.bias_rows,
            clusters: estimation.clusters,
            covariates: observed
                .covariates
                .iter()
                .cloned()
                .zip(of_outcome)
                .collect(),
            kept: observed.rows.mask(),
            warnings: observed.warnings.clone(),
            model: model.clone(),
        };
        fit.judge();
        Ok(fit)
    }

    /// What a reader must know.
    fn judge(&mut self) {
        self.warnings.extend(few_rows_warning(
            self.effective_rows,
            "intervals rest on few rows; compare with `LocalRandomization`",
        ));
        if self.model.mass_points != MassPoints::Ignore {
            self.warnings.extend(mass_point_warning(
                &self.model.running,
                self.distinct_values,
                self.rows,
                "the nearest ones decide, and `LocalRandomization` does not extrapolate between them",
            ));
        }
        if let Some(clusters) = self.clusters
            && clusters.iter().any(|n| *n < FEW_CLUSTERS)
        {
            self.warnings.push(Warning::Note {
                message: format!(
                    "only {} and {} clusters within the wider bandwidth on the left and right: clustered errors tend to be too small",
                    clusters[0], clusters[1]
                ),
            });
        }
        let weak = self.first_stage_f().and_then(weak_first_stage);
        self.warnings.extend(weak);
    }

    /// The estimate before its bias is taken off, with the error that belongs to it. Its interval is too narrow at bandwidths that minimise the mean squared error.
    pub fn conventional(&self) -> &Estimate {
        &self.conventional
    }

    /// The bias-corrected estimate with the error of the conventional one, which leaves out the noise of the bias.
    pub fn bias_corrected(&self) -> &Estimate {
        &self.bias_corrected
    }

    /// The bias-corrected estimate with its robust error.
    pub fn robust(&self) -> Estimate {
        Estimate {
            name: "robust".to_owned(),
            ..self.estimate_at(0)
        }
    }

    /// The robust interval.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a level outside (0, 1).
    pub fn robust_interval(&self, level: f64) -> Result<Interval> {
        self.estimate_at(0).confidence_interval(level)
    }

    /// Bias-corrected jumps of outcome and treatment with robust errors; that of the treatment is the first stage.
    pub fn jumps(&self) -> &DiscontinuityJumps {
        &self.jumps
    }

    /// Conventional jumps with their errors.
    pub fn conventional_jumps(&self) -> &DiscontinuityJumps {
        &self.conventional_jumps
    }

    /// The squared z statistic of the bias-corrected first stage; none of a sharp design, infinite when the rule decides treatment alone.
    pub fn first_stage_f(&self) -> Option<f64> {
        let treatment = self.jumps.names.get(1)?;
        let jump = self.jumps.coefficient(treatment).ok()?;
        Some(jump.statistic(0.0).powi(2))
    }

    /// The bandwidths.
    pub fn bandwidths(&self) -> DiscontinuityBandwidths {
        self.bandwidths
    }

    /// Rows in use on the left and on the right.
    pub fn rows(&self) -> [usize; 2] {
        self.rows
    }

    /// Distinct values of the running variable on the left and on the right.
    pub fn distinct_values(&self) -> [usize; 2] {
        self.distinct_values
    }

    /// Rows with weight within the bandwidths of the estimate.
    pub fn effective_rows(&self) -> [usize; 2] {
        self.effective_rows
    }

    /// Rows with weight within the bandwidths of the bias.
    pub fn bias_rows(&self) -> [usize; 2] {
        self.bias_rows
    }

    /// Slopes of the outcome on the covariates in use.
    pub fn covariate_slopes(&self) -> &[(String, f64)] {
        &self.covariates
    }

    /// One flag a row of the frame: whether it is in use.
    pub fn kept_rows(&self) -> &[bool] {
        &self.kept
    }

    /// The estimator.
    pub fn model(&self) -> &RegressionDiscontinuity {
        &self.model
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The three estimates, and what they rest on.
    pub fn table(&self) -> Table {
        let m = &self.model;
        let kind = match (&m.treatment, m.derivative) {
            (None, 0) => "Sharp regression discontinuity".to_owned(),
            (Some(_), 0) => "Fuzzy regression discontinuity".to_owned(),
            (None, 1) => "Sharp regression kink".to_owned(),
            (Some(_), 1) => "Fuzzy regression kink".to_owned(),
            (_, nu) => format!("Discontinuity of derivative {nu}"),
        };
        let three = Three([
            self.conventional.clone(),
            self.bias_corrected.clone(),
            self.robust(),
        ]);
        let [h, b] = [self.bandwidths.estimate, self.bandwidths.bias]
            .map(|w| w.map(|v| Cell::significant(v, 4)));
        let chosen = if m.given.is_some() {
            "given".to_owned()
        } else {
            m.rule.to_string()
        };
        let mut table = three
            .table()
            .with_title(format!("{kind} of {} at {} = {}", m.outcome, m.running, m.cutoff))
            .note(format!(
                "Order {} (bias {}), {} kernel, {} errors.",
                m.order,
                m.bias_order,
                m.kernel,
                m.variance.named(m.clusters.is_some())
            ))
            .note(format!(
                "Left and right: {} and {} rows, {} and {} within h = {} and {} ({chosen}), {} and {} within b = {} and {}.",
                self.rows[0], self.rows[1], self.effective_rows[0], self.effective_rows[1], h[0], h[1],
                self.bias_rows[0], self.bias_rows[1], b[0], b[1]
            ));
        if let (Some(column), Some([left, right])) = (&m.clusters, self.clusters) {
            table = table.note(format!(
                "Clustered by {column}: {left} and {right} clusters within the wider bandwidth."
            ));
        }
        if let Some(treatment) = &m.treatment
            && let Ok(first) = self.jumps.coefficient(treatment)
        {
            table = table.note(format!(
                "First stage: {treatment} changes by {} ({}), F = {}.",
                Cell::significant(first.estimate, 4),
                Cell::significant(first.std_error, 4),
                Cell::fixed(first.statistic(0.0).powi(2), 1)
            ));
            if let Ok(set) = self.confidence_set(EFFECT, 0.95) {
                table = table.note(format!("Anderson–Rubin: {set}."));
            }
        }
        table.warned(&self.warnings)
    }
}

crate::report::notebook::shown!(RegressionDiscontinuityFit);

/// A warning of a first stage with a small F. One instrument: the effective F is F, and a bias of a tenth of the worst has this critical value (Montiel Olea & Pflueger 2013).
pub(super) fn weak_first_stage(effective_f: f64) -> Option<Warning> {
    let critical = noncentral::chi_squared_quantile(0.95, 1.0, 10.0);
    (effective_f < critical).then_some(Warning::WeakInstruments {
        effective_f,
        critical,
    })
}

/// The rows of the table.
struct Three([Estimate; 3]);

impl Three {
    fn table(&self) -> Table {
        let mut table =
            Table::new("").columns(["", "Estimate", "Std. error", "z", "p", "95 % from", "to"]);
        for e in &self.0 {
            let ends = e
                .confidence_interval(0.95)
                .map_or([f64::NAN; 2], |i| [i.lower, i.upper]);
            table = table.row([
                Cell::text(&e.name),
                Cell::significant(e.estimate, 4),
                Cell::significant(e.std_error, 4),
                Cell::fixed(e.statistic(0.0), 2),
                Cell::p_value(e.p_value()),
                Cell::significant(ends[0], 4),
                Cell::significant(ends[1], 4),
            ]);
        }
        table
    }
}
