//! The eight conditions of identification, each a function that says yes, warns, or names what is missing.

use serde::{Deserialize, Serialize};

use super::evidence::{
    Elicitation, Evidence, FunnelEvidence, SignalVariance, SuccessSeen, ToolVariation,
};
use crate::error::{Error, Result, Warning};
use crate::report::{Cell, Table};

fn missing(what: &str, needs: impl Into<String>) -> Error {
    Error::Unidentified {
        what: what.into(),
        needs: needs.into(),
    }
}

fn note(message: impl Into<String>) -> Warning {
    Warning::Note {
        message: message.into(),
    }
}

/// What fixes the scale of ability and of utility, for [`scale`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaleChoice {
    /// The taste shock's variance is one, or the price coefficient is −1.
    pub utility_fixed: bool,
    /// σ_a is estimated.
    pub ability_variance_free: bool,
    /// An item's discrimination and difficulty are fixed.
    pub anchor_item: bool,
    /// The success equation q = λa + …, whose noise is one.
    pub success: SuccessLoading,
}

/// The loading λ of ability on success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SuccessLoading {
    /// The model has no success equation.
    #[default]
    NoEquation,
    /// λ = 1, as on the page.
    One,
    /// λ is estimated.
    Free,
}

/// Point 1. Utility needs a unit; ability needs a unit: with items alone `N(0, 1)` or an anchor item; with the success
/// equation σ_a or its loading may be free, not both.
///
/// # Errors
/// [`Error::Unidentified`] naming the scale that is left open.
pub fn scale(choice: ScaleChoice) -> Result<()> {
    if !choice.utility_fixed {
        return Err(missing(
            "the scale of utility",
            "the shock's variance fixed at 1, or the price coefficient fixed at −1",
        ));
    }
    let fixed = choice.anchor_item || choice.success == SuccessLoading::One;
    if choice.ability_variance_free && !fixed {
        return Err(missing(
            "the scale of ability",
            if choice.success == SuccessLoading::Free {
                "σ_a or the loading of ability on success fixed: both cannot be free"
            } else {
                "ability N(0, 1), an anchor item, or the success equation with loading one"
            },
        ));
    }
    Ok(())
}

/// Point 2, risk: r is the curvature over outcomes; in forms 3 and 4 the task-noise term is a constant, absorbed by c_0.
///
/// # Errors
/// [`Error::Unidentified`] unless two stakes or two positive guarantees were randomised.
pub fn risk_aversion(evidence: &Evidence) -> Result<()> {
    if evidence.stakes >= 2 || evidence.guarantees >= 2 {
        return Ok(());
    }
    Err(missing(
        "the risk aversion r",
        format!(
            "at least two randomised stakes or two positive guarantee levels (the data have {} and {}); otherwise the task-noise term is absorbed by the material cost",
            evidence.stakes, evidence.guarantees
        ),
    ))
}

/// Point 2, ambiguity: `(α, v_0, σ_s²) → (α/t, t v_0, t σ_s²)` leaves every choice unchanged, and m_0 is collinear with the
/// ambiguity premium, so α needs m_0 elicited *and* σ_s² in units of ability.
///
/// # Errors
/// [`Error::Unidentified`] naming which of the three are missing.
pub fn ambiguity_aversion(evidence: &Evidence) -> Result<()> {
    let mut needs = Vec::new();
    if evidence.signal_counts < 2 {
        needs.push("a randomised number of signals");
    }
    if !mean_elicited(evidence) {
        needs.push("the prior mean m_0 elicited on the scale of ability");
    }
    if !signal_variance_known(evidence) {
        needs.push(
            "the signal variance in units of ability (contents of signals seen, or known precision)",
        );
    }
    if needs.is_empty() {
        Ok(())
    } else {
        Err(missing("the ambiguity aversion α", needs.join("; ")))
    }
}

/// Point 2, belief variance: signal counts identify v_0/σ_s² only; the level needs σ_s² in units of ability, or elicited
/// quantiles.
///
/// # Errors
/// [`Error::Unidentified`] otherwise.
pub fn belief_variance(evidence: &Evidence) -> Result<()> {
    if evidence.elicitation == Elicitation::Quantiles
        || (evidence.signal_counts >= 2 && signal_variance_known(evidence))
    {
        return Ok(());
    }
    Err(missing(
        "the belief variance v_0",
        "two or more elicited belief quantiles, or randomised signal counts with the signal variance known in units of ability (signal counts alone identify only v_0/σ_s²)",
    ))
}

/// Point 2, the ratio v_0/σ_s².
///
/// # Errors
/// [`Error::Unidentified`] without at least two randomised signal counts.
pub fn prior_to_signal_variance(evidence: &Evidence) -> Result<()> {
    if evidence.signal_counts >= 2 {
        Ok(())
    } else {
        Err(missing(
            "the ratio v_0/σ_s² of prior to signal variance",
            "at least two randomised numbers of signals",
        ))
    }
}

/// Point 2, the prior mean m_0, which is collinear with the ambiguity premium in choices.
///
/// # Errors
/// [`Error::Unidentified`] unless it is elicited on the scale of ability.
pub fn belief_mean(evidence: &Evidence) -> Result<()> {
    if mean_elicited(evidence) {
        Ok(())
    } else {
        Err(missing(
            "the prior belief's mean m_0 apart from the ambiguity premium",
            "the belief elicited on the item or success-probability scale: choices identify one combination of θm_0 and αθ²v_0 only",
        ))
    }
}

/// Whether the belief's mean was asked for on a scale that has ability's zero and unit.
fn mean_elicited(evidence: &Evidence) -> bool {
    match evidence.elicitation {
        Elicitation::None | Elicitation::FreeScale => false,
        Elicitation::AbilityScale | Elicitation::Quantiles => true,
    }
}

fn signal_variance_known(evidence: &Evidence) -> bool {
    evidence.signal_variance != SignalVariance::Unknown
}

/// Point 3. Ability and cost are additive in utility; what separates them, by name.
///
/// # Errors
/// [`Error::Unidentified`] without success outcomes, effort times or a tool of known share; a tool of unknown strength
/// identifies only c_T·C.
pub fn ability_and_cost(evidence: &Evidence) -> Result<&'static str> {
    if evidence.success != SuccessSeen::Never {
        Ok("success outcomes")
    } else if evidence.effort {
        Ok("effort time")
    } else if evidence.tool == ToolVariation::KnownShare {
        Ok("a randomised tool of known share")
    } else {
        Err(missing(
            "ability apart from cost",
            if evidence.tool == ToolVariation::UnknownStrength {
                "success outcomes, effort times, or a known share c_T: a tool of unknown strength identifies only the product c_T·C"
            } else {
                "success outcomes, effort times, or a randomised tool that takes away a known share of the cost"
            },
        ))
    }
}

/// A variable that moves participation, for [`participation_shifter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shifter {
    /// A coupon or price: moves participation alone.
    Coupon,
    /// A tool that takes away a share of the cost: moves participation; moves success through effort only.
    CostTool,
    /// A tool that lowers the difficulty: moves success.
    DifficultyTool,
    /// A guarantee: moves participation, and success through effort (moral hazard).
    Guarantee,
    /// Education: may raise ability itself.
    Education,
    /// Information or persuasion without training: moves the belief; ability stays.
    Information,
}

/// Point 4. Success is seen only for participants, so that its equation needs a shifter of participation that leaves ability
/// alone. A coupon is one; education is not, since it may raise ability. `effort_modelled` says whether effort is in the success
/// equation: without it, what moves effort moves success.
///
/// # Errors
/// [`Error::Unidentified`] when no shifter is valid, saying why each is not.
pub fn participation_shifter(shifters: &[Shifter], effort_modelled: bool) -> Result<()> {
    let valid = |shifter: &Shifter| match shifter {
        Shifter::Coupon => true,
        Shifter::CostTool | Shifter::Guarantee | Shifter::Information => effort_modelled,
        Shifter::DifficultyTool | Shifter::Education => false,
    };
    if shifters.iter().any(valid) {
        return Ok(());
    }
    let why = if shifters.contains(&Shifter::Education) {
        " (education is not one: it may raise ability)"
    } else if shifters.contains(&Shifter::DifficultyTool) {
        " (a tool that lowers the difficulty is not one: it raises success itself)"
    } else if shifters.is_empty() {
        ""
    } else {
        " (what moves effort moves success too, unless effort is in the model)"
    };
    Err(missing(
        "the success equation, seen for participants only",
        format!(
            "a shifter of participation that leaves ability alone, such as a randomised coupon{why}"
        ),
    ))
}

/// Point 4 for a described data set: nothing to do when everyone's success is seen.
///
/// # Errors
/// As [`participation_shifter`]; also when success is never seen.
pub fn success_equation(evidence: &Evidence) -> Result<&'static str> {
    match evidence.success {
        SuccessSeen::Everyone => Ok("everyone's success is seen"),
        SuccessSeen::Never => Err(missing("the success equation", "success outcomes")),
        SuccessSeen::Participants => {
            let mut shifters = evidence.shifters.clone();
            if evidence.tool != ToolVariation::None {
                shifters.push(Shifter::CostTool);
            }
            if evidence.guarantees > 0 {
                shifters.push(Shifter::Guarantee);
            }
            participation_shifter(&shifters, evidence.effort)?;
            Ok(if evidence.shifters.contains(&Shifter::Coupon) {
                "a randomised coupon or price"
            } else {
                "a randomised shifter of participation, with effort seen"
            })
        }
    }
}

/// Point 5. Overconfidence b(x) = E[m_0 − a | x] compares beliefs with abilities, so both are needed on one scale; and choices must
/// load on a only through m (`direct_loading` says that ability enters choices directly as well).
///
/// # Errors
/// [`Error::Unidentified`] for no elicitation, a free-scale rating, abilities not measured, or a direct loading without
/// quantiles.
pub fn overconfidence(evidence: &Evidence, direct_loading: bool) -> Result<()> {
    match evidence.elicitation {
        Elicitation::None => Err(missing(
            "overconfidence",
            "beliefs elicited on the item or success-probability scale",
        )),
        Elicitation::FreeScale => Err(missing(
            "overconfidence",
            "beliefs elicited on the item or success-probability scale: a self-rating on a free scale has neither the zero nor the unit of ability",
        )),
        Elicitation::AbilityScale if direct_loading => Err(missing(
            "overconfidence together with a direct loading of choices on ability",
            "choices that load on ability only through the belief, or a second elicitation: with one self-rating there are fewer moments than unknowns",
        )),
        Elicitation::AbilityScale | Elicitation::Quantiles => {
            if evidence.items > 0 || evidence.success != SuccessSeen::Never {
                Ok(())
            } else {
                Err(missing(
                    "overconfidence",
                    "ability measured on the same scale, by items or success outcomes",
                ))
            }
        }
    }
}

/// Point 6. The discount factor is fixed by the caller; the warning asks for the sensitivity table of [`discount_sensitivity`].
///
/// # Errors
/// [`Error::Unidentified`] when it is to be estimated (`None`); [`Error::InvalidOption`] outside [0, 1).
pub fn discount_factor(fixed: Option<f64>) -> Result<Warning> {
    let Some(discount) = fixed else {
        return Err(missing(
            "the discount factor",
            "a value fixed by the caller: choices do not tell patience from tastes",
        ));
    };
    if !(0.0..1.0).contains(&discount) {
        return Err(Error::invalid_option(
            "discount",
            discount,
            "at least 0 and below 1 per period",
        ));
    }
    Ok(note(format!(
        "the discount factor is fixed at {discount}, not estimated; report how the results move with it"
    )))
}

/// The sensitivity table of point 6: what `result` is at each discount factor.
///
/// # Errors
/// [`Error::InvalidOption`] for a factor outside [0, 1); those of `result`.
pub fn discount_sensitivity(
    name: &str,
    factors: &[f64],
    result: impl Fn(f64) -> Result<f64>,
) -> Result<Table> {
    let mut table =
        Table::new("Sensitivity to the discount factor").columns(["discount factor", name]);
    for factor in factors {
        discount_factor(Some(*factor))?;
        table = table.row([
            Cell::fixed(*factor, 3),
            Cell::significant(result(*factor)?, 4),
        ]);
    }
    Ok(table)
}

/// Point 7 for two probits with correlated errors: without a regressor that is excluded from one equation only the functional
/// form identifies ρ.
pub fn excluded_regressor(excluded: usize) -> Option<Warning> {
    (excluded == 0).then(|| {
        note("no exclusion restriction: every regressor of the first equation is in the second, so that the correlation is identified by the normal form alone; add a variable that moves the first and does not belong into the second (a randomised coupon), and see the profile of ρ")
    })
}

/// Point 7 for partial observability (only "both" is seen): one excluded shifter on each side.
///
/// # Errors
/// [`Error::Unidentified`] naming the side without one.
pub fn mutual_shifters(customer: usize, firm: usize) -> Result<()> {
    let side = match (customer, firm) {
        (0, 0) => "either side",
        (0, _) => "the customer's side",
        (_, 0) => "the firm's side",
        _ => return Ok(()),
    };
    Err(missing(
        "which side refused",
        format!(
            "a variable that moves one side's acceptance and not the other's, for each side (there is none on {side})"
        ),
    ))
}

/// Point 8. A funnel's shared frailty needs a restriction across stages, or the same customer in several funnels: arms × stages with
/// stage-specific effects fit any pattern of survivors.
///
/// # Errors
/// [`Error::Unidentified`] without either, or for fewer than two stages.
pub fn funnel_frailty(evidence: &Evidence) -> Result<&'static str> {
    match evidence.funnel {
        FunnelEvidence::Repeated => Ok("repeated funnels of the same customers"),
        FunnelEvidence::Restricted { stages: 2.. } => Ok("effects restricted across stages"),
        FunnelEvidence::StageSpecific { stages: 2.. } => Err(missing(
            "the funnel's frailty",
            "a restriction across stages (an effect that is the same at two stages, or a shifter of one stage only), or repeated funnels: arms × stages with stage-specific effects fit any pattern",
        )),
        FunnelEvidence::None
        | FunnelEvidence::Restricted { .. }
        | FunnelEvidence::StageSpecific { .. } => Err(missing(
            "the funnel's frailty",
            "at least two stages, or repeated funnels of the same customers",
        )),
    }
}
