//! The columns of the static process, by how much of a customer is worked out.

use super::StaticParticipation;
use crate::simulate::assignment::Compliance;
use crate::simulate::generate::{
    Field, data, data_flag, oracle, oracle_flag, oracle_label, summed,
};
use crate::simulate::population::covariate_fields;

/// How much of a customer is worked out: the decisions with and without education cost as much as everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Detail {
    /// What a researcher would see; the other arm's decision is not made.
    Data,
    /// Also the sums of which the effects are made.
    Effects,
    /// Also the oracle's rows.
    Oracle,
}

/// The columns, in the order in which `row` writes them.
pub(super) fn fields(process: &StaticParticipation, detail: Detail) -> Vec<Field> {
    let interim = process.interim.count() > 0;
    let partial = process.compliance != Compliance::FULL;
    let mut fields = covariate_fields(&process.population);
    fields.extend(["education", "tool"].map(data_flag));
    fields.extend(["guarantee", "coupon", "signal", "price"].map(data));
    fields.extend(["reported_success", "belief_median", "belief_p90"].map(data));
    fields.extend(["buys", "participates"].map(data_flag));
    fields.extend(["effort", "quality", "success"].map(data));
    if interim {
        fields.push(data("interim_signal"));
    }
    if partial {
        fields.push(data_flag("taught"));
    }
    fields.extend((1..=process.items.len()).map(|k| data_flag(format!("item_{k}"))));
    if detail >= Detail::Oracle {
        fields.extend(["ability", "prior_mean", "prior_variance"].map(oracle));
        fields.extend(["belief_mean", "belief_variance"].map(oracle));
        fields.extend(["mental_cost", "material_cost", "risk_aversion"].map(oracle));
        fields.extend(["outside_shock", "abandon_shock"].map(oracle));
        fields.extend(["true_effort", "local_optima"].map(oracle));
        fields.extend(["believed_success", "true_success"].map(oracle));
        fields.push(summed("calibration_gap"));
        if interim {
            fields.extend(["interim_mean", "interim_variance"].map(oracle));
        }
        if partial {
            fields.push(oracle_label("stratum", &STRATA));
        }
    }
    if detail >= Detail::Effects {
        fields.push(oracle("wtp"));
    } else {
        fields.push(summed("wtp"));
    }
    if detail >= Detail::Effects {
        fields.extend(["buys_0", "buys_1", "participates_0", "participates_1"].map(oracle_flag));
        fields.extend(["success_0", "success_1"].map(oracle_flag));
        fields.extend(["anticipated_0", "anticipated_1"].map(oracle));
        fields.extend(["experienced_0", "experienced_1"].map(oracle));
        fields.extend(["profit_0", "profit_1"].map(oracle));
        fields.extend(["effect_over", "over", "effect_under", "under"].map(summed));
        fields.push(summed("several_optima"));
        if partial {
            fields.push(summed("complier"));
            fields.extend(OUTCOMES.map(|(name, _)| summed(format!("complier_{name}"))));
        }
    }
    fields
}

/// The potential outcomes by the names of their columns, and what the effects on them are called.
pub(super) const OUTCOMES: [(&str, &str); 6] = [
    ("buys", "purchase"),
    ("participates", "participation"),
    ("success", "success"),
    ("anticipated", "anticipated_surplus"),
    ("experienced", "experienced_surplus"),
    ("profit", "profit"),
];

/// Levels of the oracle's `stratum`.
static STRATA: [&str; 3] = ["complier", "always-taker", "never-taker"];
