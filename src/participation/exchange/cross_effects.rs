//! Whether two markets are complements: the effect of a randomised incentive in one on the quantity in the other.

use super::system::{self, Equation, units};
use crate::data::{Design, Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::inference::{Estimate, Inference, Summarized, TestResult, coefficient_table};
use crate::numeric::Progress;
use crate::regression::OlsFit;
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whether two activities of a customer (taking part, e, and sharing data, z) are complements, by the effect of a randomised incentive in one on the
/// quantity of the other: `e = α_e + β_ee s_e + β_ez s_z + x'γ_e + ε_e` and `z = α_z + β_ze s_e + β_zz s_z + x'γ_z + ε_z`, estimated together, with the
/// covariance of all coefficients of both equations robust to any dependence within a unit (or cluster).
///
/// Customers who maximise `W(e, z) + s_e e + s_z z` have `∂e/∂s_z = ∂z/∂s_e`: the effects are those of −(∇²W)⁻¹, so they are **symmetric**, and positive
/// exactly when W has a positive cross-derivative, which is what "complements" means. Incentives must be in money per unit of the quantity that they pay
/// for. Symmetry is tested, and imposed by minimum distance with the joint covariance ([`CrossEffectsFit::symmetric`]).
///
/// Two other numbers are often taken for complementarity and are not:
/// - the **correlation of e and z given x**: a taste for both makes them go together without any complementarity, and tastes that are
///   opposed hide one (Athey & Stern 1998);
/// - the **interaction of the incentives in a quantity**: with a quadratic W quantities are linear in incentives, and the interaction is zero
///   however strong the complementarity. It is a third derivative of W. The interaction of *quantities* in the pay-off is what is meant, and
///   it needs pay-offs that are measured.
///
/// # Identification
/// Both incentives are assigned at random given x. Symmetry is a property of small changes inside the limits: where many
/// customers are at a corner (share no data, or all), finite incentives need not have symmetric mean effects.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `controls` | none | right-hand side of a formula, without fixed effects | |
/// | `cluster` | each row | column within which rows depend on each other (the unit of randomisation) | |
///
/// # Errors
/// [`Error::Unidentified`] for an incentive that is constant or a combination of the other and the controls; [`Error::InvalidOption`] for the same column
/// twice, or fixed effects; [`Error::TooFewClusters`], and those of the formula.
///
/// # References
/// Athey, S. & Stern, S. (1998). An empirical framework for testing theories about complementarity in organizational design. NBER working paper 6600.
/// doi:10.3386/w6600
///
/// Brynjolfsson, E. & Milgrom, P. (2013). Complementarity in organizations. In *Handbook of Organizational Economics*, 11–55.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// use cocreate::simulate::LogNormal;
/// let privacy = LogNormal::new(0.5, 0.1);
/// let made = DataExchange { privacy, ..DataExchange::new() }.seed(7).simulate()?;
/// let fit = CrossEffects::new(["e", "z"], ["incentive_e", "incentive_z"]).fit(&made.data)?;
/// let cross = fit.symmetric()?;
/// let truth = made.oracle.effect("z_by_incentive_e")?;
/// assert!((cross.restricted.estimate - truth).abs() < 3.0 * cross.restricted.std_error);
/// assert!(cross.test.p_value > 0.01 && fit.joint_test()?.p_value < 0.001);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CrossEffects {
    quantities: [String; 2],
    incentives: [String; 2],
    controls: Option<String>,
    cluster: Option<String>,
}

impl CrossEffects {
    /// The two quantities, and the incentives of the same markets in the same order.
    pub fn new<S: Into<String>>(quantities: [S; 2], incentives: [S; 2]) -> Self {
        Self {
            quantities: quantities.map(Into::into),
            incentives: incentives.map(Into::into),
            controls: None,
            cluster: None,
        }
    }

    /// Controls, as the right-hand side of a formula.
    pub fn controls(mut self, terms: impl Into<String>) -> Self {
        self.controls = Some(terms.into());
        self
    }

    /// The column within which rows depend on each other.
    pub fn cluster(mut self, column: impl Into<String>) -> Self {
        self.cluster = Some(column.into());
        self
    }

    /// Fits both equations.
    ///
    /// # Errors
    /// See [`CrossEffects`].
    pub fn fit(&self, frame: &Frame) -> Result<CrossEffectsFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits both equations, watched by `progress`.
    ///
    /// # Errors
    /// See [`CrossEffects`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<CrossEffectsFit> {
        let [first, second] = &self.quantities;
        let mut names: Vec<&String> = self.quantities.iter().chain(&self.incentives).collect();
        names.sort();
        if let Some(twice) = names.windows(2).find(|w| w[0] == w[1]) {
            return Err(Error::invalid_option(
                "quantities, incentives",
                twice[0],
                "four different columns",
            ));
        }
        let mut builder = Formula::outcome(first.as_str()).regressors(&self.incentives);
        if let Some(controls) = &self.controls {
            builder = builder.term(controls.as_str());
        }
        let parsed = Formula::from(builder).parse()?;
        let mut also = vec![second.as_str()];
        also.extend(self.cluster.as_deref());
        let design = Design::build(&parsed, frame, &also)?;
        if !design.fixed_effects.is_empty() || !design.endogenous.is_empty() {
            return Err(Error::invalid_option(
                "controls",
                parsed,
                "without fixed effects and instruments: add their indicators with C()",
            ));
        }
        let rows = &design.rows;
        let n = rows.len();
        let units = units(self.cluster.as_deref(), rows, frame)?;
        let ones = design
            .intercept
            .then(|| ("(Intercept)".to_owned(), vec![1.0; n]));
        let columns = design
            .exogenous
            .iter()
            .map(|c| (c.name.clone(), c.values(rows)));
        let columns: Vec<(String, Vec<f64>)> = ones.into_iter().chain(columns).collect();
        let named = |quantity: &str| {
            let name = |(name, values): &(String, Vec<f64>)| {
                (format!("{quantity}: {name}"), values.clone())
            };
            columns.iter().map(name).collect()
        };
        let equations = vec![
            Equation {
                outcome: design.outcome.values(rows),
                regressors: named(first),
            },
            Equation {
                outcome: rows.gather(frame.numeric(second)?.values()),
                regressors: named(second),
            },
        ];
        let system = system::fit(equations, &units, progress)?;
        let cross = [
            format!("{first}: {}", self.incentives[1]),
            format!("{second}: {}", self.incentives[0]),
        ];
        for (name, incentive) in cross.iter().zip(self.incentives.iter().rev()) {
            if system.position(name).is_err() {
                return Err(Error::Unidentified {
                    what: format!("the effect of `{incentive}`"),
                    needs: "variation of its own: it is constant, or a combination of the other incentive and the controls".to_owned(),
                });
            }
        }
        let dropped = frame.rows() - n;
        Ok(CrossEffectsFit {
            system,
            cross,
            rows: n,
            cluster: self.cluster.clone(),
            warnings: (dropped > 0)
                .then(|| Warning::RowsDropped {
                    dropped,
                    missing: design.missing.clone(),
                })
                .into_iter()
                .collect(),
        })
    }
}

/// The cross-effect with symmetry imposed, beside the two that are free.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SymmetricEffect {
    /// The effect that both directions share: positive for complements.
    pub restricted: Estimate,
    /// The effect of the second market's incentive on the first quantity, and of the first market's on the second.
    pub unrestricted: [Estimate; 2],
    /// The test that they are equal.
    pub test: TestResult,
}

impl fmt::Display for SymmetricEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = &self.unrestricted;
        write!(f, "{}\n{first}\n{second}\n{}", self.restricted, self.test)
    }
}

crate::report::notebook_line!(SymmetricEffect);

/// A fitted [`CrossEffects`]. It answers the verbs of [`Inference`] for the coefficients of both equations, named `quantity: regressor`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CrossEffectsFit {
    system: OlsFit,
    cross: [String; 2],
    rows: usize,
    cluster: Option<String>,
    warnings: Vec<Warning>,
}

impl CrossEffectsFit {
    /// The effect of the second market's incentive on the first quantity, and of the first market's on the second.
    ///
    /// # Errors
    /// None of a fit that was made by [`CrossEffects::fit`].
    pub fn unrestricted(&self) -> Result<[Estimate; 2]> {
        let [a, b] = &self.cross;
        Ok([self.system.coefficient(a)?, self.system.coefficient(b)?])
    }

    /// The cross-effect with symmetry imposed, by minimum distance with the joint covariance:
    /// `(w_a a + w_b b)/(w_a + w_b)`, `w_a = V_bb − V_ab`, `w_b = V_aa − V_ab`, with variance `(V_aa V_bb − V_ab²)/(w_a + w_b)`.
    ///
    /// # Errors
    /// [`Error::Matrix`] when the two effects have no variance of their own, as in a perfect fit.
    pub fn symmetric(&self) -> Result<SymmetricEffect> {
        let unrestricted = self.unrestricted()?;
        let (i, j) = (
            self.system.position(&self.cross[0])?,
            self.system.position(&self.cross[1])?,
        );
        let v = self.system.covariance();
        let mut r = DMatrix::zeros(1, self.system.names().len());
        r[(0, i)] = 1.0;
        r[(0, j)] = -1.0;
        let test = self
            .system
            .wald_matrix("symmetric cross-effects", &r, &DVector::zeros(1))?;
        let (a, b) = (v[(j, j)] - v[(i, j)], v[(i, i)] - v[(i, j)]);
        let total = a + b;
        let [first, second] = &unrestricted;
        Ok(SymmetricEffect {
            restricted: Estimate {
                name: "cross-effect, symmetric".to_owned(),
                estimate: (a * first.estimate + b * second.estimate) / total,
                std_error: ((v[(i, i)] * v[(j, j)] - v[(i, j)].powi(2)) / total)
                    .max(0.0)
                    .sqrt(),
                degrees_of_freedom: first.degrees_of_freedom,
            },
            unrestricted,
            test,
        })
    }

    /// The test that neither incentive has an effect on the other market.
    ///
    /// # Errors
    /// Those of [`Inference::wald_matrix`].
    pub fn joint_test(&self) -> Result<TestResult> {
        let mut r = DMatrix::zeros(2, self.system.names().len());
        for (row, name) in self.cross.iter().enumerate() {
            r[(row, self.system.position(name)?)] = 1.0;
        }
        self.system
            .wald_matrix("no cross-effects", &r, &DVector::zeros(2))
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut all = self.warnings.clone();
        all.extend(self.system.warnings());
        all
    }

    fn full_table(&self) -> Table {
        let by = self.cluster.as_deref().unwrap_or("row");
        let mut table = coefficient_table(&self.system)
            .with_title("Effects of incentives on both quantities")
            .note(format!(
                "Standard errors robust within each {by}, jointly for both equations (CR1)"
            ))
            .note(format!("n = {}", Cell::count(self.rows)));
        if let Ok(cross) = self.symmetric() {
            table = table
                .note(cross.restricted.to_string())
                .note(cross.test.to_string());
        }
        if let Ok(test) = self.joint_test() {
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

impl Inference for CrossEffectsFit {
    crate::inference::fields::inference_of_fit!(system);

    fn table(&self) -> Table {
        self.full_table()
    }
}

impl Summarized for CrossEffectsFit {
    fn footer(&self) -> Vec<(String, Cell)> {
        vec![("Observations".to_owned(), Cell::count(self.rows))]
    }

    fn covariance_label(&self) -> String {
        self.system.covariance_label()
    }
}

impl fmt::Display for CrossEffectsFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.full_table().fmt(f)
    }
}

crate::report::notebook!(CrossEffectsFit);
