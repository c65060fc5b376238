//! What a dynamic panel found.

use super::equations::Equations;
use super::estimator::{DynamicPanelGmm, Steps};
use super::instruments::InstrumentMoments;
use super::moments::Solved;
use crate::error::Warning;
use crate::inference::{Inference, TestResult, coefficient_table};
use crate::report::{Cell, Table, p_text};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// What [`DynamicPanelGmm`] found. The verbs of [`Inference`] apply; lags of the outcome are `L1.name`, effects of periods `period[level]`. Distributions are normal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DynamicPanelGmmFit {
    model: DynamicPanelGmm,
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    units: usize,
    rows: usize,
    instruments: usize,
    hansen: Option<TestResult>,
    sargan: Option<TestResult>,
    autocorrelation: Vec<TestResult>,
    pub(super) moments: InstrumentMoments,
    warnings: Vec<Warning>,
}

impl DynamicPanelGmmFit {
    pub(super) fn new(
        model: &DynamicPanelGmm,
        equations: Equations,
        solved: Solved,
        mut warnings: Vec<Warning>,
    ) -> Self {
        let mut note = |message: String| warnings.push(Warning::Note { message });
        if solved.instruments >= equations.units {
            note(format!(
                "{} instruments for {} units: two steps overfit and Hansen's test has no power{}; use `.collapsed()` or `.instrument_lags(2)`",
                solved.instruments,
                equations.units,
                if solved.singular {
                    ", and its weights have a generalised inverse"
                } else {
                    ""
                }
            ));
        }
        if let Some(second) = solved
            .autocorrelation
            .iter()
            .find(|t| t.name.contains("2 apart"))
            && second.p_value < 0.05
        {
            note(format!(
                "differenced residuals two periods apart are correlated (p = {:.3}): outcomes of lag 2 are no valid instruments; add a lag of the outcome",
                second.p_value
            ));
        }
        Self {
            model: model.clone(),
            names: equations.names,
            estimates: solved.estimates,
            covariance: solved.covariance,
            units: equations.units,
            rows: equations.rows,
            instruments: solved.instruments,
            hansen: solved.hansen,
            sargan: solved.sargan,
            autocorrelation: solved.autocorrelation,
            moments: solved.moments,
            warnings,
        }
    }

    /// Units with a row.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Differenced rows, or orthogonal deviations.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Instruments, those that others span left out.
    pub fn instruments(&self) -> usize {
        self.instruments
    }

    /// Hansen's test of the instruments that are more than needed, with the weights of two steps; none when none are.
    pub fn hansen(&self) -> Option<&TestResult> {
        self.hansen.as_ref()
    }

    /// Sargan's test, of the first step; it assumes errors of one variance. None for the system, and when no instrument is more than needed.
    pub fn sargan(&self) -> Option<&TestResult> {
        self.sargan.as_ref()
    }

    /// The tests of Arellano & Bond that differenced residuals one and two periods apart are uncorrelated; shorter where none are that far apart.
    pub fn autocorrelation(&self) -> &[TestResult] {
        &self.autocorrelation
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The coefficients and the tests.
    pub fn table(&self) -> Table {
        let what = match (self.model.levels, self.model.is_orthogonal()) {
            (false, false) => "Difference GMM",
            (false, true) => "GMM of orthogonal deviations",
            (true, false) => "System GMM",
            (true, true) => "System GMM with orthogonal deviations",
        };
        let steps = match self.model.steps {
            Steps::One => "one step",
            Steps::Two => "two steps",
        };
        let rows = if self.model.is_orthogonal() {
            "orthogonal deviations"
        } else {
            "differences"
        };
        let errors = if self.model.steps == Steps::One {
            "robust, clustered by unit"
        } else {
            "Windmeijer's"
        };
        let mut table = coefficient_table(self)
            .with_title(format!("{what}, {steps}: {}", self.model.outcome))
            .note(format!(
                "{} units, {} {rows}, {} instruments. Standard errors: {errors}.",
                self.units, self.rows, self.instruments
            ));
        for test in self
            .hansen
            .iter()
            .chain(&self.sargan)
            .chain(&self.autocorrelation)
        {
            table = table.note(format!(
                "{}: {}, {}.",
                test.name,
                Cell::fixed(test.statistic, 2),
                p_text(test.p_value)
            ));
        }
        table.warned(&self.warnings)
    }
}

impl Inference for DynamicPanelGmmFit {
    crate::inference::fields::inference_of_fields!();
}

crate::report::notebook::shown!(DynamicPanelGmmFit);
