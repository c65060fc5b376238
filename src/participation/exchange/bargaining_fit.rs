//! The fitted bargaining weight: by each shifter, with the tests of what it rests on.

use crate::error::{Result, Warning};
use crate::inference::{
    Covariance, Distribution, Estimate, Inference, Summarized, TestResult, coefficient_table,
};
use crate::numeric::special::{normal, student_t};
use crate::regression::OlsFit;
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The regressor whose coefficient is η.
pub(super) const ETA: &str = "eta";
/// Level of the interval that must not hold all of [0, 1], and of the tests that lead to warnings.
const LEVEL: f64 = 0.95;

/// What there is to divide and who gets it, on average, in money: errors have the covariance of η and of the mean of the firm's gain, robust within
/// rows, or within clusters of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GainFromTrade {
    /// Π − d_f, which is seen.
    pub firm: Estimate,
    /// U_c − d_c.
    pub customer: Estimate,
    /// Σ* − d_c − d_f.
    pub total: Estimate,
}

impl fmt::Display for GainFromTrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}", self.total, self.customer, self.firm)
    }
}

crate::report::notebook_line!(GainFromTrade);

/// A fitted [`super::NashBargaining`]. It answers the verbs of [`Inference`] for the regression in which the coefficient `eta` is η.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NashBargainingFit {
    restricted: OlsFit,
    free: Option<OlsFit>,
    /// Names of the shifters and whether they are the customer's.
    shifters: Vec<(String, bool)>,
    selection: Option<TestResult>,
    gain: Option<GainFromTrade>,
    warnings: Vec<Warning>,
}

impl NashBargainingFit {
    pub(super) fn new(
        restricted: OlsFit,
        free: Option<OlsFit>,
        shifters: Vec<(String, bool)>,
        selection: Option<TestResult>,
        gain: Option<GainFromTrade>,
    ) -> Result<Self> {
        let mut fit = Self {
            restricted,
            free,
            shifters,
            selection,
            gain,
            warnings: vec![],
        };
        fit.warnings = fit.judge()?;
        Ok(fit)
    }

    /// η: the customer's share of the gain from trade.
    pub fn eta(&self) -> Estimate {
        // The position was checked when the model was fitted.
        let at = self.restricted.position(ETA).unwrap_or_default();
        self.restricted.estimate_at(at)
    }

    /// η by each shifter alone: one minus the slope of a shifter of the customer, minus the slope of one of the firm.
    ///
    /// # Errors
    /// None of a fit that was made by [`super::NashBargaining::fit`].
    pub fn by_shifter(&self) -> Result<Vec<Estimate>> {
        let Some(free) = &self.free else {
            return Ok(vec![self.eta()]);
        };
        let known = self.shifters.iter().filter(|s| free.position(&s.0).is_ok());
        known
            .map(|(name, of_customer)| {
                let constant = if *of_customer { 1.0 } else { 0.0 };
                free.nonlinear(&format!("η by {name}"), &[name.as_str()], |b| {
                    constant - b[0]
                })
            })
            .collect()
    }

    /// The test that all shifters give the same η, which fails when money values are wrong, a shifter changes what is agreed, or the bargain is
    /// not Nash's; none with a single shifter.
    ///
    /// # Errors
    /// Those of [`Inference::wald`].
    pub fn overidentification(&self) -> Result<Option<TestResult>> {
        let Some(free) = &self.free else {
            return Ok(None);
        };
        let known = self.shifters.iter().filter_map(|(name, of_customer)| {
            let constant = if *of_customer { 1.0 } else { 0.0 };
            Some((free.position(name).ok()?, constant))
        });
        let known: Vec<(usize, f64)> = known.collect();
        let Some(((first, base), others)) = known.split_first() else {
            return Ok(None);
        };
        if others.is_empty() {
            return Ok(None);
        }
        // a_1 − β_1 = a_j − β_j
        let mut r = DMatrix::zeros(others.len(), free.names().len());
        for (i, (at, _)) in others.iter().enumerate() {
            r[(i, *first)] = 1.0;
            r[(i, *at)] = -1.0;
        }
        let value = DVector::from_iterator(others.len(), others.iter().map(|(_, a)| base - a));
        free.wald_matrix("one η by all shifters", &r, &value)
            .map(Some)
    }

    /// The test of 0 ≤ η ≤ 1, one-sided on the side where the estimate lies; its p-value is 1 for an estimate inside.
    pub fn range_test(&self) -> TestResult {
        let eta = self.eta();
        let outside = (-eta.estimate).max(eta.estimate - 1.0).max(0.0);
        let statistic = if outside > 0.0 {
            outside / eta.std_error
        } else {
            0.0
        };
        let df = eta.degrees_of_freedom;
        TestResult {
            name: "test of 0 ≤ η ≤ 1 (one-sided)".to_owned(),
            statistic,
            distribution: Distribution::T { df },
            p_value: match (outside > 0.0, df.is_finite()) {
                (false, _) => 1.0,
                (true, true) => 0.5 * student_t::two_sided(statistic, df),
                (true, false) => normal::sf(statistic),
            },
        }
    }

    /// The test that agreement (a transfer that is not missing) does not depend on the outside options; none when all agreed.
    pub fn selection(&self) -> Option<&TestResult> {
        self.selection.as_ref()
    }

    /// The mean gain from trade and who gets it; none without [`super::NashBargaining::firm_gain`].
    pub fn gain(&self) -> Option<&GainFromTrade> {
        self.gain.as_ref()
    }

    /// The same fit with another covariance: one more pass over the rows, no refit. The test of selection and the gain from trade stay as they are.
    ///
    /// # Errors
    /// Those of [`OlsFit::with_covariance`].
    pub fn with_covariance(&self, covariance: Covariance) -> Result<Self> {
        let mut fit = Self {
            restricted: self.restricted.with_covariance(covariance.clone())?,
            free: (self.free.as_ref())
                .map(|f| f.with_covariance(covariance))
                .transpose()?,
            ..self.clone()
        };
        fit.warnings = fit.judge()?;
        Ok(fit)
    }

    /// The regression of the transfer less the customer's outside options, whose coefficient `eta` is η.
    pub fn regression(&self) -> &OlsFit {
        &self.restricted
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut all = self.restricted.warnings();
        all.extend(self.warnings.iter().cloned());
        all
    }

    /// Drops the handle on the data.
    pub fn lean(&self) -> Self {
        Self {
            restricted: self.restricted.lean(),
            free: self.free.as_ref().map(OlsFit::lean),
            ..self.clone()
        }
    }

    /// Warnings of weak shifters, of selection, and of restrictions that fail.
    fn judge(&self) -> Result<Vec<Warning>> {
        let mut out = Vec::new();
        let mut note = |message: String| out.push(Warning::Note { message });
        let eta = self.eta();
        let interval = eta.confidence_interval(LEVEL)?;
        if interval.lower <= 0.0 && interval.upper >= 1.0 {
            note(format!(
                "the outside options vary too little: the interval of η, [{:.2}, {:.2}], holds every value that η can have",
                interval.lower, interval.upper
            ));
        }
        let range = self.range_test();
        if range.p_value < 1.0 - LEVEL {
            note(format!(
                "η lies outside [0, 1] (p = {:.3}): the money values or the model of bargaining are wrong",
                range.p_value
            ));
        }
        if let Some(test) = self.overidentification()?
            && test.p_value < 1.0 - LEVEL
        {
            note(format!(
                "the shifters do not agree on η (p = {:.3}): a money value is wrong, or a shifter changes what is agreed",
                test.p_value
            ));
        }
        if let Some(test) = &self.selection
            && test.p_value < 1.0 - LEVEL
        {
            note(format!(
                "whether there is an agreement depends on the outside options (p = {:.3}): transfers are those of a selected sample, and η is biased",
                test.p_value
            ));
        }
        Ok(out)
    }

    fn full_table(&self) -> Table {
        let mut table = coefficient_table(&self.restricted)
            .with_title("Nash bargaining: the customer's weight η")
            .note(format!(
                "Standard errors {}",
                self.restricted.covariance_kind()
            ))
            .note(format!(
                "n = {}",
                Cell::count(self.restricted.statistics().observations as usize)
            ))
            .note(self.range_test().to_string());
        if let Ok(Some(test)) = self.overidentification() {
            table = table.note(test.to_string());
        }
        if let Some(test) = &self.selection {
            table = table.note(test.to_string());
        }
        if let Some(gain) = &self.gain {
            for estimate in [&gain.total, &gain.customer, &gain.firm] {
                table = table.note(estimate.to_string());
            }
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

impl Inference for NashBargainingFit {
    crate::inference::fields::inference_of_fit!(restricted);

    fn table(&self) -> Table {
        self.full_table()
    }
}

impl Summarized for NashBargainingFit {
    fn footer(&self) -> Vec<(String, Cell)> {
        self.restricted.footer()
    }

    fn covariance_label(&self) -> String {
        self.restricted.covariance_label()
    }
}

impl fmt::Display for NashBargainingFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.full_table().fmt(f)
    }
}

crate::report::notebook!(NashBargainingFit);
