//! Identification as code: which parameter is identified by which variation, and what is missing for the others.
//!
//! | file | idea |
//! |---|---|
//! | `evidence` | a description of the data: what varies, what is seen |
//! | `points` | the eight conditions, each a function |
//! | `channels` | collinear channels in the data at hand |

mod channels;
mod evidence;
mod points;

pub use channels::{Collinearity, check_channels, collinear_channels};
pub use evidence::{
    Elicitation, Evidence, Funnel, Roles, SignalVariance, SuccessSeen, ToolVariation,
};
pub use points::{
    ScaleChoice, Shifter, SuccessLoading, ability_and_cost, ambiguity_aversion, belief_mean,
    belief_variance, discount_factor, discount_sensitivity, excluded_regressor, funnel_frailty,
    mutual_shifters, overconfidence, participation_shifter, prior_to_signal_variance,
    risk_aversion, scale, success_equation,
};

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::report::{Cell, Table, notebook};

/// What the structural model may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Parameter {
    /// r.
    RiskAversion,
    /// α.
    AmbiguityAversion,
    /// v_0/σ_s².
    PriorToSignalVariance,
    /// v_0.
    BeliefVariance,
    /// m_0.
    BeliefMean,
    /// Ability apart from cost.
    AbilityAndCost,
    /// The money value of utility: the price coefficient.
    MoneyScale,
    /// The scale of ability, σ_a.
    AbilityScale,
    /// c_T.
    ToolShare,
    /// The equation of success (and so the true failure rate).
    Success,
    /// b(x).
    Overconfidence,
    /// Variance of the funnel's frailty.
    FunnelFrailty,
    /// The discount factor.
    DiscountFactor,
}

impl Parameter {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::MoneyScale,
        Self::AbilityScale,
        Self::RiskAversion,
        Self::AmbiguityAversion,
        Self::PriorToSignalVariance,
        Self::BeliefVariance,
        Self::BeliefMean,
        Self::AbilityAndCost,
        Self::ToolShare,
        Self::Success,
        Self::Overconfidence,
        Self::FunnelFrailty,
        Self::DiscountFactor,
    ];

    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RiskAversion => "risk aversion r",
            Self::AmbiguityAversion => "ambiguity aversion α",
            Self::PriorToSignalVariance => "v_0/σ_s²",
            Self::BeliefVariance => "belief variance v_0",
            Self::BeliefMean => "belief mean m_0",
            Self::AbilityAndCost => "ability apart from cost",
            Self::MoneyScale => "money scale",
            Self::AbilityScale => "ability scale σ_a",
            Self::ToolShare => "tool share c_T",
            Self::Success => "success equation",
            Self::Overconfidence => "overconfidence b",
            Self::FunnelFrailty => "funnel frailty",
            Self::DiscountFactor => "discount factor",
        }
    }
}

/// What is said of one parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The parameter.
    pub parameter: Parameter,
    /// The point of the identification section that decides, 1 to 8.
    pub point: u8,
    /// The variation that identifies it, or what it needs.
    pub verdict: Verdict,
}

/// Whether a parameter is identified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// By this variation.
    Identified(String),
    /// No: this is not identified …
    Unidentified {
        /// What.
        what: String,
        /// What would identify it.
        needs: String,
    },
}

/// The table parameter → identified by which variation, or what is missing.
///
/// ```
/// use cocreate::participation::{Evidence, FactorialDesign, Identification, Parameter};
/// let design = FactorialDesign::identifying();
/// let found = Identification::of(&design.evidence());
/// assert!(found.is_identified(Parameter::AmbiguityAversion));
/// assert!(!found.is_identified(Parameter::DiscountFactor)); // never: it is fixed by the caller
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identification {
    findings: Vec<Finding>,
}

impl Identification {
    /// What these data identify, parameter by parameter.
    pub fn of(evidence: &Evidence) -> Self {
        Self {
            findings: Parameter::ALL
                .into_iter()
                .map(|parameter| finding(parameter, evidence))
                .collect(),
        }
    }

    /// The findings, one a parameter.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether this parameter is identified.
    pub fn is_identified(&self, parameter: Parameter) -> bool {
        self.findings
            .iter()
            .any(|f| f.parameter == parameter && matches!(f.verdict, Verdict::Identified(_)))
    }

    /// Passes when all of these are identified.
    ///
    /// # Errors
    /// [`Error::Unidentified`] for the first that is not, naming what is missing.
    pub fn require(&self, parameters: &[Parameter]) -> Result<()> {
        for parameter in parameters {
            for finding in &self.findings {
                if let (true, Verdict::Unidentified { what, needs }) =
                    (finding.parameter == *parameter, &finding.verdict)
                {
                    return Err(Error::Unidentified {
                        what: what.clone(),
                        needs: needs.clone(),
                    });
                }
            }
        }
        Ok(())
    }

    /// The table.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Identification").columns([
            "parameter",
            "identified",
            "by, or what it needs",
            "point",
        ]);
        for finding in &self.findings {
            let (yes, text) = match &finding.verdict {
                Verdict::Identified(by) => ("yes", by.clone()),
                Verdict::Unidentified { needs, .. } => ("no", format!("needs {needs}")),
            };
            table = table.row([
                Cell::text(finding.parameter.name()),
                yes.into(),
                text.into(),
                finding.point.to_string().into(),
            ]);
        }
        table
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for Identification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

notebook!(Identification);

fn finding(parameter: Parameter, e: &Evidence) -> Finding {
    let (point, answer) = match parameter {
        Parameter::MoneyScale => (1, money_scale(e)),
        Parameter::AbilityScale => (1, ability_scale(e)),
        Parameter::RiskAversion => (
            2,
            risk_aversion(e).map(|()| {
                format!(
                    "{} stakes, {} positive guarantees",
                    e.stakes, e.guarantees
                )
            }),
        ),
        Parameter::AmbiguityAversion => (
            2,
            ambiguity_aversion(e).map(|()| {
                "signal counts, an elicited prior mean and a signal variance in units of ability".into()
            }),
        ),
        Parameter::PriorToSignalVariance => (
            2,
            prior_to_signal_variance(e)
                .map(|()| format!("{} randomised signal counts", e.signal_counts)),
        ),
        Parameter::BeliefVariance => (
            2,
            belief_variance(e).map(|()| {
                if e.elicitation == Elicitation::Quantiles {
                    "elicited belief quantiles".into()
                } else {
                    "signal counts with a known signal variance".into()
                }
            }),
        ),
        Parameter::BeliefMean => (
            2,
            belief_mean(e).map(|()| "beliefs elicited on the scale of ability".into()),
        ),
        Parameter::AbilityAndCost => (3, ability_and_cost(e).map(Into::into)),
        Parameter::ToolShare => (3, tool_share(e)),
        Parameter::Success => (4, success_equation(e).map(Into::into)),
        Parameter::Overconfidence => (
            5,
            overconfidence(e, false)
                .map(|()| "beliefs and abilities on one scale, choices through beliefs only".into()),
        ),
        Parameter::DiscountFactor => (6, discount_factor(None).map(|_| String::new())),
        Parameter::FunnelFrailty => (8, funnel_frailty(e).map(Into::into)),
    };
    let verdict = match answer {
        Ok(by) => Verdict::Identified(by),
        Err(Error::Unidentified { what, needs }) => Verdict::Unidentified { what, needs },
        Err(other) => Verdict::Unidentified {
            what: parameter.name().into(),
            needs: other.to_string(),
        },
    };
    Finding {
        parameter,
        point,
        verdict,
    }
}

/// Utility is measured in money where a price varies; otherwise its unit is the shock.
fn money_scale(e: &Evidence) -> Result<String> {
    if e.prices >= 2 {
        return Ok(format!("{} randomised prices or coupons", e.prices));
    }
    Err(Error::Unidentified {
        what: "the money scale of utility".into(),
        needs: "at least two randomised prices or coupons: otherwise values are in units of the taste shock".into(),
    })
}

/// σ_a is free where the success equation or an anchor item fixes the unit.
fn ability_scale(e: &Evidence) -> Result<String> {
    scale(ScaleChoice {
        utility_fixed: true,
        ability_variance_free: true,
        anchor_item: e.anchored && e.items > 0,
        success: if e.success == SuccessSeen::Never {
            SuccessLoading::NoEquation
        } else {
            SuccessLoading::One
        },
    })?;
    Ok(if e.success == SuccessSeen::Never {
        "an anchor item".into()
    } else {
        "the success equation, whose noise is one".into()
    })
}

/// A tool of unknown strength identifies c_T·C only; c_T follows where C is identified apart from ability.
fn tool_share(e: &Evidence) -> Result<String> {
    match e.tool {
        ToolVariation::KnownShare => Ok("known".into()),
        ToolVariation::UnknownStrength if ability_and_cost(e).is_ok() && e.prices >= 2 => {
            Ok("the randomised tool, with the cost identified in money".into())
        }
        ToolVariation::UnknownStrength => Err(Error::Unidentified {
            what: "the tool's share c_T".into(),
            needs: "the cost identified in money (a price that varies, and success outcomes or effort times): the tool alone identifies c_T·C".into(),
        }),
        ToolVariation::None => Err(Error::Unidentified {
            what: "the tool's share c_T".into(),
            needs: "a randomised tool".into(),
        }),
    }
}
