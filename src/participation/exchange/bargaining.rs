//! The customer's bargaining weight from transfers and outside options whose money value is known.

use super::bargaining_fit::{ETA, GainFromTrade, NashBargainingFit};
use super::system::{self, Equation, units};
use crate::data::{Design, Formula, Frame};
use crate::error::{Error, Result};
use crate::inference::{Covariance, Inference, TestResult};
use crate::numeric::Progress;
use crate::regression::{Ols, OlsFit};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// The outcome of the regression for η.
const NET: &str = "transfer less outside options";
/// The mean of the firm's gain in the system with η.
const GAIN: &str = "gain of the firm";
/// Whether a transfer was agreed.
const AGREED: &str = "agreed on a transfer";

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
/// | `firm_gain` | none | column of Π − d_f, for the gain from trade | controls then without fixed effects |
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
    firm_gain: Option<String>,
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

    /// The column of what the firm gains by the agreement, Π − d_f in money (its own accounts): with η it tells what there is to divide,
    /// `Σ* − d_c − d_f = (Π − d_f)/(1 − η)`, and the customer's part of it, `U_c − d_c = η(Π − d_f)/(1 − η)`, which nobody sees.
    pub fn firm_gain(mut self, column: impl Into<String>) -> Self {
        self.firm_gain = Some(column.into());
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
        let shifters = shifters.iter().map(|s| (s.name.clone(), s.of_customer));
        let gain = (self.firm_gain.as_ref())
            .map(|column| self.gain(column, &all, progress))
            .transpose()?;
        NashBargainingFit::new(restricted, free, shifters.collect(), selection, gain)
    }

    /// The equation of η beside the mean of the firm's gain, with their joint covariance.
    fn gain(&self, column: &str, frame: &Frame, progress: &Progress) -> Result<GainFromTrade> {
        let parsed = self.formula(NET, &[ETA.to_owned()]).parse()?;
        let cluster = match &self.covariance {
            Covariance::Cluster { columns, .. } if columns.len() == 1 => Some(columns[0].as_str()),
            _ => None,
        };
        let also: Vec<&str> = std::iter::once(column).chain(cluster).collect();
        let design = Design::build(&parsed, frame, &also)?;
        if !design.fixed_effects.is_empty() {
            return Err(Error::invalid_option(
                "controls",
                parsed,
                "without fixed effects where the firm's gain is given: add their indicators with C()",
            ));
        }
        let rows = &design.rows;
        let ones = || vec![1.0; rows.len()];
        let mut regressors = vec![("(Intercept)".to_owned(), ones())];
        regressors.extend(
            design
                .exogenous
                .iter()
                .map(|c| (c.name.clone(), c.values(rows))),
        );
        let equations = vec![
            Equation {
                outcome: design.outcome.values(rows),
                regressors,
            },
            Equation {
                outcome: rows.gather(frame.numeric(column)?.values()),
                regressors: vec![(GAIN.to_owned(), ones())],
            },
        ];
        let fit = system::fit(equations, &units(cluster, rows, frame)?, progress)?;
        let of = |name: &str, f: fn(&[f64]) -> f64| fit.nonlinear(name, &[ETA, GAIN], f);
        Ok(GainFromTrade {
            firm: of("gain of the firm", |b| b[1])?,
            customer: of("gain of the customer", |b| b[1] * b[0] / (1.0 - b[0]))?,
            total: of("gain from trade", |b| b[1] / (1.0 - b[0]))?,
        })
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

    /// An outcome on regressors, the shifters of unknown value and the controls.
    fn formula(&self, outcome: &str, regressors: &[String]) -> Formula {
        let unknown = (self.customer.iter().chain(&self.firm)).filter(|o| o.money.is_none());
        let builder = Formula::outcome(outcome)
            .regressors(unknown.map(|o| &o.column))
            .regressors(regressors);
        let formula = Formula::from(builder);
        match self.controls.as_deref().map(str::trim) {
            // Fixed effects alone.
            Some(controls) if controls.starts_with('|') => format!("{formula} {controls}").into(),
            Some(controls) => format!("{formula} + {controls}").into(),
            None => formula,
        }
    }

    /// Least squares of it.
    fn regress(
        &self,
        outcome: &str,
        regressors: &[String],
        frame: &Frame,
        progress: &Progress,
    ) -> Result<OlsFit> {
        Ols::new(self.formula(outcome, regressors))
            .covariance(self.covariance.clone())
            .fit_with(frame, progress)
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
