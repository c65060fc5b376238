//! The customer's bargaining weight from transfers and outside options whose money value is known.

use crate::data::{Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::inference::{
    Covariance, Distribution, Estimate, Inference, Summarized, TestResult, coefficient_table,
};
use crate::numeric::Progress;
use crate::numeric::special::{normal, student_t};
use crate::regression::{Ols, OlsFit};
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The regressor whose coefficient is η.
const ETA: &str = "eta";
/// The outcome of the regression for η.
const NET: &str = "transfer less outside options";
/// Whether a transfer was agreed.
const AGREED: &str = "agreed on a transfer";
/// Level of the interval that must not hold all of [0, 1], and of the test that agreement does not depend on the outside options.
const LEVEL: f64 = 0.95;

/// A column that shifts the disagreement point of one side: an offer of a rival, a fallback that was drawn at random.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutsideOption {
    column: String,
    money: Option<f64>,
}

impl OutsideOption {
    /// A column in units of money.
    pub fn money(column: impl Into<String>) -> Self {
        Self::worth(column, 1.0)
    }

    /// A column of which one unit is worth so much money (a month of storage that costs 4 elsewhere).
    pub fn worth(column: impl Into<String>, money: f64) -> Self {
        Self {
            column: column.into(),
            money: Some(money),
        }
    }

    /// A column whose money value is not known: it is controlled for, and says nothing of η.
    pub fn unknown(column: impl Into<String>) -> Self {
        Self {
            column: column.into(),
            money: None,
        }
    }
}

/// The customer's bargaining weight η in the exchange of participation and data against a transfer t
/// ([`crate::decision::DataBargain`]). The Nash solution `U_c = d_c + η(Σ* − d_c − d_f)` with `U_c = u + t` gives
///
/// `t = (1 − η) d_c − η d_f + [ηΣ* − u]`,
///
/// and what is agreed, so Σ* and u, does not depend on the disagreement points: money that a shifter adds to d_c moves the transfer
/// by 1 − η, money that one adds to d_f by −η. With `o_c`, `o_f` the known shifts and controls x,
/// `t − o_c = η · [−(o_c + o_f)] + x'γ + ε` by least squares; with several shifters their separate slopes test the restriction
/// ([`NashBargainingFit::overidentification`]). When η differs between customers independently of the shifters, its mean is estimated.
///
/// # Identification
/// η is identified **only** from transfers and shifters of the disagreement points whose money value is known: quantities maximise joint
/// surplus whatever η; a shifter of unknown value κ gives κ(1 − η) alone; levels of transfers mix η with unknown u. Shifters must be as good as
/// randomly assigned given x, must not change what is agreed except through the outside option, and must not decide *whether* there is an agreement:
/// transfers are seen only where there is a gain from trade. That is tested on the rows without a transfer
/// ([`NashBargainingFit::selection`]); small outside offers keep all in.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `transfer` | none | column of the transfer to the customer; missing where nothing was agreed | |
/// | `customer`, `firm` | none | shifters of d_c and d_f | at least one of known value |
/// | `controls` | none | right-hand side of a formula, fixed effects allowed | |
/// | `covariance` | `Covariance::Hc1` | sampling variance | see [`Covariance`] |
///
/// # Errors
/// [`Error::Unidentified`] without transfers, without a shifter of known value, or when the shifters do not vary given the controls;
/// [`Error::InvalidOption`] for a money value that is zero or not finite; [`Error::DuplicateColumn`] when the frame has a column `eta`; those of [`Ols`].
///
/// # References
/// Nash, J. (1950). The bargaining problem. *Econometrica* 18(2), 155–162. doi:10.2307/1907266
///
/// Svejnar, J. (1986). Bargaining power, fear of disagreement, and wage settlements. *Econometrica* 54(5), 1055–1078. doi:10.2307/1912322
///
/// Jäger, S., Schoefer, B., Young, S. & Zweimüller, J. (2020). Wages and the value of nonemployment. *QJE* 135(4), 1905–1963.
/// doi:10.1093/qje/qjaa016
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let made = DataExchange { outside: [0.2, 0.2], bargaining: 0.4, ..DataExchange::new() }.seed(7).simulate()?;
/// let fit = NashBargaining::new()
///     .transfer("transfer")
///     .customer(OutsideOption::money("outside_c"))
///     .firm(OutsideOption::money("outside_f"))
///     .controls("incentive_e + incentive_z")
///     .fit(&made.data)?;
/// let eta = fit.eta();
/// assert!((eta.estimate - 0.4).abs() < 3.0 * eta.std_error);
/// let without = NashBargaining::new().customer(OutsideOption::money("outside_c")).fit(&made.data);
/// assert!(matches!(without, Err(Error::Unidentified { .. })));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NashBargaining {
    transfer: Option<String>,
    customer: Vec<OutsideOption>,
    firm: Vec<OutsideOption>,
    controls: Option<String>,
    covariance: Covariance,
}

/// A shifter of known value in money.
struct Shifter {
    name: String,
    of_customer: bool,
    values: Vec<f64>,
}

impl NashBargaining {
    /// Nothing said yet: transfers and outside options must be named.
    pub fn new() -> Self {
        Self::default()
    }

    /// The column of the transfer from the firm to the customer, in money; missing where nothing was agreed.
    pub fn transfer(mut self, column: impl Into<String>) -> Self {
        self.transfer = Some(column.into());
        self
    }

    /// A shifter of what the customer has without an agreement.
    pub fn customer(mut self, option: OutsideOption) -> Self {
        self.customer.push(option);
        self
    }

    /// A shifter of what the firm has without an agreement.
    pub fn firm(mut self, option: OutsideOption) -> Self {
        self.firm.push(option);
        self
    }

    /// Controls, as the right-hand side of a formula: `"age + incentive_z | country"`.
    pub fn controls(mut self, terms: impl Into<String>) -> Self {
        self.controls = Some(terms.into());
        self
    }

    /// Sets the covariance estimator.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`NashBargaining`].
    pub fn fit(&self, frame: &Frame) -> Result<NashBargainingFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`NashBargaining`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<NashBargainingFit> {
        let transfer = self.transfer.as_deref().ok_or_else(|| {
            unidentified("transfers (NashBargaining::transfer): what is agreed maximises joint surplus whatever η, and says nothing of who gets it")
        })?;
        let shifters = self.shifters(frame)?;
        let paid = frame.numeric(transfer)?;
        if paid.values().iter().all(|t| t.is_nan()) {
            return Err(unidentified(&format!(
                "transfers that are seen: every `{transfer}` is missing"
            )));
        }
        let mut all = frame.clone();
        let (mut net, mut slope) = (paid.values().to_vec(), vec![0.0; frame.rows()]);
        for shifter in &shifters {
            for (i, money) in shifter.values.iter().enumerate() {
                net[i] -= if shifter.of_customer { *money } else { 0.0 };
                slope[i] -= money;
            }
            all = all.with(shifter.name.as_str(), shifter.values.clone())?;
        }
        let agreed: Vec<f64> = (paid.values().iter())
            .map(|t| f64::from(u8::from(!t.is_nan())))
            .collect();
        let everybody = agreed.iter().all(|a| *a > 0.5);
        let all = all.with(NET, net)?.with(ETA, slope)?.with(AGREED, agreed)?;
        let restricted = self.regress(NET, &[ETA.to_owned()], &all, progress)?;
        if restricted.position(ETA).is_err() {
            return Err(unidentified(
                "outside options that vary given the controls: those named are constant or a combination of the controls",
            ));
        }
        let names: Vec<String> = shifters.iter().map(|s| s.name.clone()).collect();
        let several = names.len() > 1;
        let free = several
            .then(|| self.regress(transfer, &names, &all, progress))
            .transpose()?;
        let selection = (!everybody)
            .then(|| {
                let fit = self.regress(AGREED, &names, &all, progress)?;
                exclusion(&fit, &names)
            })
            .transpose()?
            .flatten();
        let mut fit = NashBargainingFit {
            restricted,
            free,
            shifters: (shifters.iter())
                .map(|s| (s.name.clone(), s.of_customer))
                .collect(),
            selection,
            warnings: vec![],
        };
        fit.warnings = fit.judge()?;
        Ok(fit)
    }

    /// The shifters of known value, in money.
    fn shifters(&self, frame: &Frame) -> Result<Vec<Shifter>> {
        let mut out = Vec::new();
        let mut unknown = Vec::new();
        for (options, of_customer) in [(&self.customer, true), (&self.firm, false)] {
            for option in options {
                let Some(money) = option.money else {
                    unknown.push(format!("`{}`", option.column));
                    continue;
                };
                if !(money.is_finite() && money.abs() > 0.0) {
                    return Err(Error::invalid_option(
                        "money value of an outside option",
                        money,
                        format!("finite and not zero for `{}`", option.column),
                    ));
                }
                let values = frame.numeric(&option.column)?;
                let side = if of_customer { "customer" } else { "firm" };
                out.push(Shifter {
                    name: format!("{side}: {}", option.column),
                    of_customer,
                    values: values.values().iter().map(|v| v * money).collect(),
                });
            }
        }
        if out.is_empty() {
            let known = "a shifter of a disagreement point whose money value is known (NashBargaining::customer, ::firm)";
            return Err(unidentified(&if unknown.is_empty() {
                known.to_owned()
            } else {
                format!(
                    "{known}: {} moves transfers by 1 − η times an amount of money that nobody knows",
                    unknown.join(", ")
                )
            }));
        }
        Ok(out)
    }

    /// Least squares of an outcome on regressors, the shifters of unknown value and the controls.
    fn regress(
        &self,
        outcome: &str,
        regressors: &[String],
        frame: &Frame,
        progress: &Progress,
    ) -> Result<OlsFit> {
        let unknown = (self.customer.iter().chain(&self.firm)).filter(|o| o.money.is_none());
        let mut builder = Formula::outcome(outcome)
            .regressors(unknown.map(|o| &o.column))
            .regressors(regressors);
        let mut effects = None;
        if let Some(controls) = &self.controls {
            let (terms, behind) = controls.split_once('|').unwrap_or((controls, ""));
            if !terms.trim().is_empty() {
                builder = builder.term(terms.trim());
            }
            effects = (!behind.trim().is_empty()).then(|| behind.trim().to_owned());
        }
        let mut formula: Formula = builder.into();
        if let Some(effects) = effects {
            formula = Formula::from(format!("{formula} | {effects}"));
        }
        let model = Ols::new(formula).covariance(self.covariance.clone());
        model.fit_with(frame, progress)
    }
}

fn unidentified(needs: &str) -> Error {
    Error::Unidentified {
        what: "the bargaining weight η".to_owned(),
        needs: needs.to_owned(),
    }
}

/// The test that the outside options have no effect on an outcome; none where they have no coefficient or the fit is perfect.
fn exclusion(fit: &OlsFit, names: &[String]) -> Result<Option<TestResult>> {
    let at: Vec<usize> = names.iter().filter_map(|n| fit.position(n).ok()).collect();
    if at.is_empty() {
        return Ok(None);
    }
    let r = DMatrix::from_fn(at.len(), fit.names().len(), |i, j| {
        f64::from(u8::from(j == at[i]))
    });
    let test = fit.wald_matrix(
        "agreement does not depend on the outside options",
        &r,
        &DVector::zeros(at.len()),
    );
    test.map(Some)
}

/// A fitted [`NashBargaining`]. It answers the verbs of [`Inference`] for the regression in which the coefficient `eta` is η.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NashBargainingFit {
    restricted: OlsFit,
    free: Option<OlsFit>,
    /// Names of the shifters and whether they are the customer's.
    shifters: Vec<(String, bool)>,
    selection: Option<TestResult>,
    warnings: Vec<Warning>,
}

impl NashBargainingFit {
    /// η: the customer's share of the gain from trade.
    pub fn eta(&self) -> Estimate {
        // The position was checked when the model was fitted.
        let at = self.restricted.position(ETA).unwrap_or_default();
        self.restricted.estimate_at(at)
    }

    /// η by each shifter alone: one minus the slope of a shifter of the customer, minus the slope of one of the firm.
    ///
    /// # Errors
    /// [`Error::Formula`] for a shifter whose name the language of hypotheses cannot take; none of the usual names.
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

    /// The same fit with another covariance: one more pass over the rows, no refit. The test of selection stays as it is.
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
    fn names(&self) -> &[String] {
        self.restricted.names()
    }

    fn estimates(&self) -> &DVector<f64> {
        self.restricted.estimates()
    }

    fn covariance(&self) -> &DMatrix<f64> {
        self.restricted.covariance()
    }

    fn degrees_of_freedom(&self, contrast: &DVector<f64>) -> f64 {
        self.restricted.degrees_of_freedom(contrast)
    }

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
