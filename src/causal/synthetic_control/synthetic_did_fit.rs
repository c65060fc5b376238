//! What synthetic difference in differences found.

use super::board::Board;
use super::did_variance::pooled;
use super::did_weights::DidMethod;
use super::synthetic_control_fit::DonorWeight;
use super::synthetic_did::{Cohort, SyntheticDid, mean_series, series};
use crate::error::{Result, Warning};
use crate::inference::{Inference, coefficient_table};
use crate::report::{Cell, Figure, LinePlot, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Fewer treated units than this make the bootstrap and the jackknife, which lean on many, doubtful.
const FEW_TREATED: usize = 10;

/// A period's weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeriodWeight {
    /// The period, as it is written.
    pub period: String,
    /// Its weight; those of the periods before treatment sum to one.
    pub weight: f64,
}

/// Units that start together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyntheticDidCohort {
    /// The first period of treatment, as it is written.
    pub start: String,
    /// Periods before treatment; the position of the start.
    pub periods_before: usize,
    /// The units.
    pub units: Vec<String>,
    /// The mean effect on them since the start.
    pub effect: f64,
    /// Weights of donors, largest first.
    pub donors: Vec<DonorWeight>,
    /// Weights of the periods before treatment, in time; all zero for synthetic control.
    pub periods: Vec<PeriodWeight>,
    /// Mean outcomes of the units, one a period.
    pub actual: Vec<f64>,
    /// Weighted outcomes of donors, shifted by the weighted gap before treatment, one a period.
    pub synthetic: Vec<f64>,
}

/// What [`SyntheticDid`] found. The verbs of [`Inference`] are those of the effect, which has the name of the treatment; the distribution is normal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyntheticDidFit {
    model: SyntheticDid,
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    cohorts: Vec<SyntheticDidCohort>,
    replicates: Vec<f64>,
    labels: Vec<String>,
    times: Vec<f64>,
    donors: usize,
    warnings: Vec<Warning>,
}

impl SyntheticDidCohort {
    fn new(board: &Board, cohort: &Cohort) -> Self {
        let places = board.donors();
        let pool = series(board, &places);
        let actual = mean_series(board, &cohort.units);
        let gaps = cohort.weights.gaps(&actual, &pool);
        let level = cohort.weights.level(&gaps);
        let mut donors: Vec<DonorWeight> = (places.iter().zip(&cohort.weights.donors))
            .map(|(unit, weight)| DonorWeight {
                donor: board.units[*unit].clone(),
                weight: *weight,
            })
            .collect();
        donors.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        Self {
            start: board.labels[cohort.start].clone(),
            periods_before: cohort.start,
            units: cohort
                .units
                .iter()
                .map(|u| board.units[*u].clone())
                .collect(),
            effect: cohort.weights.effect(&actual, &pool, cohort.start),
            donors,
            periods: (board.labels.iter().zip(&cohort.weights.periods))
                .map(|(period, weight)| PeriodWeight {
                    period: period.clone(),
                    weight: *weight,
                })
                .collect(),
            synthetic: actual
                .iter()
                .zip(&gaps)
                .map(|(y, gap)| y - gap + level)
                .collect(),
            actual,
        }
    }

    /// Actual minus synthetic outcomes, one a period; those since the start are the effects.
    pub fn gaps(&self) -> Vec<f64> {
        (self.actual.iter().zip(&self.synthetic))
            .map(|(y, made)| y - made)
            .collect()
    }
}

impl SyntheticDidFit {
    pub(super) fn new(
        model: &SyntheticDid,
        board: Board,
        cohorts: &[Cohort],
        replicates: Vec<f64>,
        mut warnings: Vec<Warning>,
    ) -> Self {
        let parts: Vec<SyntheticDidCohort> = cohorts
            .iter()
            .map(|cohort| SyntheticDidCohort::new(&board, cohort))
            .collect();
        let effect = pooled(parts.iter().map(|cohort| {
            let after = board.periods() - cohort.periods_before;
            (cohort.effect, cohort.units.len() * after)
        }));
        let treated: usize = parts.iter().map(|cohort| cohort.units.len()).sum();
        let donors = board.donors().len();
        if treated < FEW_TREATED && !model.variance.is_placebo() {
            warnings.push(Warning::Note {
                message: format!("{treated} treated units are few for this variance, whose intervals may be too short; compare with `.placebo(…)`"),
            });
        }
        if let ([cohort], true) = (parts.as_slice(), donors == 1) {
            warnings.push(Warning::Note {
                message: format!(
                    "there is one donor, {}, and it has all the weight: add donors",
                    cohort.donors[0].donor
                ),
            });
        }
        let error = model.variance.standard_error(&replicates);
        Self {
            model: model.clone(),
            names: vec![board.columns.treatment.clone()],
            estimates: DVector::from_element(1, effect),
            covariance: DMatrix::from_element(1, 1, error * error),
            cohorts: parts,
            replicates,
            donors,
            labels: board.labels,
            times: board.times,
            warnings,
        }
    }

    /// The effect: the mean of the cohorts' weighted by treated cells.
    pub fn effect(&self) -> f64 {
        self.estimates[0]
    }

    /// Units that start together, in time.
    pub fn cohorts(&self) -> &[SyntheticDidCohort] {
        &self.cohorts
    }

    /// The effects of the draws of the variance; without each unit, for the jackknife.
    pub fn replicates(&self) -> &[f64] {
        &self.replicates
    }

    /// The periods as they are written.
    pub fn periods(&self) -> &[String] {
        &self.labels
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn method(&self) -> &'static str {
        match self.model.method {
            DidMethod::SyntheticDid => "Synthetic difference in differences",
            DidMethod::SyntheticControl => "Synthetic control",
            DidMethod::DifferenceInDifferences => "Difference in differences",
        }
    }

    /// Outcomes of the cohort that starts in a period beside its weighted donors, shifted so that their weighted gap before treatment is zero.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) for a period in which no unit starts.
    pub fn path_plot(&self, start: &str) -> Result<Figure> {
        let Some(cohort) = self.cohorts.iter().find(|c| c.start == start) else {
            let starts: Vec<&str> = self.cohorts.iter().map(|c| c.start.as_str()).collect();
            return Err(crate::Error::invalid_option(
                "start",
                start,
                format!("a period in which units start: {}", starts.join(", ")),
            ));
        };
        let name = match cohort.units.as_slice() {
            [unit] => unit.clone(),
            units => format!("{} treated units", units.len()),
        };
        let first = cohort.periods_before;
        LinePlot::new()
            .title(format!("{}: {name}", self.method()))
            .x_title(&self.model.columns.period)
            .y_title(&self.model.columns.outcome)
            .line(&name, &self.times, &cohort.actual)
            .line("weighted donors", &self.times, &cohort.synthetic)
            .reference_x(f64::midpoint(self.times[first - 1], self.times[first]))
            .note("The dashed line is where treatment begins.")
            .draw()
    }

    /// The effect, and the cohorts it is made of.
    pub fn table(&self) -> Table {
        let columns = &self.model.columns;
        let treated: usize = self.cohorts.iter().map(|cohort| cohort.units.len()).sum();
        let mut table = coefficient_table(self)
            .with_title(format!(
                "{}: {} on {}",
                self.method(),
                columns.treatment,
                columns.outcome
            ))
            .note(format!(
                "Treated units: {treated}; donors: {}; periods: {}. Standard error: {}.",
                self.donors,
                self.labels.len(),
                self.model.variance.words()
            ));
        for cohort in self.cohorts.iter().filter(|_| self.cohorts.len() > 1) {
            table = table.note(format!(
                "Start {}: effect {} on {} units.",
                cohort.start,
                Cell::significant(cohort.effect, 4),
                cohort.units.len()
            ));
        }
        table.warned(&self.warnings)
    }
}

impl Inference for SyntheticDidFit {
    crate::inference::fields::inference_of_fields!();
}

crate::report::notebook::shown!(SyntheticDidFit);
