//! The rows and columns of the joint model, what identifies it, and where its searches begin.

use super::beliefs::{Prior, SignalKind, Told, slot};
use super::blocks::{Blocks, distinct};
use super::integral::Rules;
use super::rows::JointRows;
use super::{Information, JointWillingness};
use crate::data::{Design, Formula, Frame, Rows};
use crate::error::{Error, Result, Warning};
use crate::participation::identification::{
    Elicitation, Evidence, Identification, Parameter, Shifter, SignalVariance, SuccessSeen,
    excluded_regressor,
};
use crate::regression::binary::check_binary;
use crate::regression::likelihood::{Index, Likelihood};
use crate::regression::sample::Sample;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A joint model ready for estimation.
pub(super) struct Prepared {
    pub(super) likelihood: Likelihood,
    pub(super) rows: JointRows,
    pub(super) formulas: Vec<Formula>,
    pub(super) formula: String,
    pub(super) warnings: Vec<Warning>,
    pub(super) identification: Identification,
    /// The regressors of the choice, money among them, for the start of the search.
    pub(super) of_choice: Index,
    /// The largest guarantee.
    pub(super) most_guaranteed: f64,
}

impl JointWillingness {
    pub(super) fn prepare(&self, frame: &Frame) -> Result<Prepared> {
        self.check_blocks()?;
        let choice = self.choice.parse()?;
        let outcome = choice.outcome().to_string();
        let on = |regressors: &str| Formula::from(format!("{outcome} ~ {regressors}"));
        let (of_success, success) = self.success_formula();
        let (of_effort, effort) = self.effort_formula();
        let others = [
            on(&self.ability),
            on(&self.overconfidence),
            on(&success),
            on(&effort),
        ];
        let mut also: Vec<String> = vec![];
        for formula in &others {
            also.extend(formula.parse()?.variables());
        }
        also.extend(self.signals.iter().map(|(column, _)| column.clone()));
        also.extend(self.guarantee.clone());
        also.extend(self.weights.iter().map(|w| w.column().to_owned()));
        let elsewhere: BTreeSet<String> = (choice.variables().into_iter())
            .chain(others[0].parse()?.variables())
            .chain(others[1].parse()?.variables())
            .chain(others[3].parse()?.variables())
            .collect();
        let frame = &known_where_unseen(frame, &others[2], &outcome, &elsewhere)?;
        let also: Vec<&str> = also.iter().map(String::as_str).collect();
        let mut sample = Sample::new(&self.choice, self.weights.as_ref(), &also, frame)?;
        let refused =
            !sample.design.endogenous.is_empty() || !sample.design.fixed_effects.is_empty();
        if refused {
            let expected = "without instruments and fixed effects for joint willingness";
            return Err(Error::invalid_option("formula", &choice, expected));
        }
        let rows = sample.design.rows.clone();
        check_binary(&sample.design.outcome, &rows)?;
        let design = |formula: &Formula| -> Result<Design> {
            let variables = choice.variables();
            let all: Vec<&str> = variables
                .iter()
                .map(String::as_str)
                .chain(also.iter().copied())
                .collect();
            let mut design = Design::build(&formula.parse()?, frame, &all)?;
            // Rows of weight zero.
            let used = rows.mask();
            let keep: Vec<bool> = (0..design.rows.len())
                .map(|i| used[design.rows.index(i)])
                .collect();
            design.restrict(&keep);
            Ok(design)
        };
        let takes_part = sample.design.outcome.values(&rows);
        let blocks = self.blocks(frame, &rows, &takes_part, of_success.as_deref())?;
        let identification = Identification::of(&self.evidence(&blocks, frame, &rows)?);
        let counts = distinct(&blocks.signals);
        self.require(&identification, counts)?;
        if self.guarantee.is_some() {
            identification.require(&[Parameter::RiskAversion])?;
        }

        let has_success = of_success.is_some();
        let has_ability = has_success || !self.items.is_empty();
        let mut free: Vec<(usize, Index, Option<Formula>)> = vec![];
        let mut index = |equation: &str, design: &Design, constant: bool| {
            let weights = sample.weights.as_deref();
            Index::new(
                equation,
                &design.exogenous,
                constant,
                &rows,
                weights,
                &mut sample.warnings,
            )
        };
        let ability = index("ability", &design(&others[0])?, has_success);
        let overconfidence = index("overconfidence", &design(&others[1])?, true);
        let success_index = index("success", &design(&others[2])?, false);
        let of_choice = index("choice", &sample.design, sample.design.intercept);
        let effort_index = index("effort", &design(&others[3])?, true);
        let mut apart = sample.design.clone();
        if let (Some(_), Some(money)) = (&self.guarantee, &self.money) {
            apart.exogenous.retain(|column| column.name != *money);
            if apart.exogenous.len() == sample.design.exogenous.len() {
                let expected = "a regressor of the choice, where there are guarantees";
                return Err(Error::invalid_option("money", money, expected));
            }
        }
        let choice_index = index("choice", &apart, apart.intercept);
        let moved: Vec<&str> = ability
            .regressors()
            .chain(success_index.regressors())
            .collect();
        let excluded = of_choice
            .regressors()
            .filter(|name| !moved.contains(name))
            .count();
        if has_success && !blocks.everyone && excluded == 0 {
            sample.warnings.extend(excluded_regressor(0));
        }
        let not_calibrated = self.prior() != Prior::Calibrated;
        if ability.parameters() > 0 && has_ability {
            free.push((slot::ABILITY, ability, Some(others[0].clone())));
        }
        if not_calibrated {
            free.push((
                slot::OVERCONFIDENCE,
                overconfidence,
                Some(others[1].clone()),
            ));
        }
        if has_success && success_index.parameters() > 0 {
            free.push((slot::SUCCESS, success_index, Some(others[2].clone())));
        }
        free.push((slot::CHOICE, choice_index, Some(self.choice.clone())));
        let has_effort = of_effort.is_some();
        let mut parameter = |s: usize, name: &str| free.push((s, Index::parameter(name), None));
        parameter(slot::BELIEF, "choice.belief");
        if counts > 1 {
            parameter(slot::UNCERTAINTY, "choice.uncertainty");
        }
        if has_success {
            parameter(slot::LN_SD_ABILITY, "ln_sd_ability");
        }
        if not_calibrated {
            parameter(slot::LN_SD_BELIEF, "ln_sd_belief");
        }
        parameter(slot::ATANH_RHO, "atanh_rho");
        let by_ratio = matches!(
            (self.prior(), self.signal_kind()),
            (Prior::Free, _) | (_, SignalKind::Counted)
        );
        if by_ratio {
            parameter(slot::LN_RATIO, "ln_ratio");
        }
        match self.told_kind() {
            Told::Nothing => {}
            Told::Probability if self.report_error.is_some() => {}
            Told::Probability => parameter(slot::LN_SD_TOLD, "ln_sd_report"),
            Told::Rating => {
                if self.report_error.is_none() {
                    parameter(slot::LN_SD_TOLD, "ln_sd_rating");
                }
                parameter(slot::RATING_CONSTANT, "rating.(Intercept)");
                parameter(slot::RATING_SLOPE, "rating.belief");
            }
        }
        if self.signal_kind() == SignalKind::Seen {
            parameter(slot::LN_SD_SIGNAL, "ln_sd_signal");
        }
        if self.guarantee.is_some() {
            parameter(slot::RISK, "choice.risk_aversion");
            let money = self.money.as_deref().unwrap_or_default();
            parameter(slot::MONEY, &format!("choice.{money}"));
        }
        if has_effort {
            free.push((slot::EFFORT, effort_index, Some(others[3].clone())));
            let mut parameter = |s: usize, name: &str| free.push((s, Index::parameter(name), None));
            parameter(slot::RELIEF, "effort.belief");
            parameter(slot::LN_SD_EFFORT, "ln_sd_effort");
            parameter(slot::RETURN, "success.effort");
        }
        let known_error = self.report_error.filter(|_| self.told.is_some());
        let model = JointRows {
            guarantee: self.guarantee.is_some(),
            effort: has_effort,
            ln_error: known_error.map(|error| if error > 0.0 { error.ln() } else { 0.0 }),
            exact: self.is_exact(),
            free: free.iter().map(|(s, ..)| *s).collect(),
            items: self.items.len(),
            told: self.told_kind(),
            signals: self.signal_kind(),
            prior: self.prior(),
            rules: Rules::new(self.nodes[0], self.nodes[1])?,
        };
        let formulas = free
            .iter()
            .filter_map(|(.., formula)| formula.clone())
            .collect();
        let mut indices: Vec<Index> = free.into_iter().map(|(_, index, _)| index).collect();
        for item in &self.items {
            indices.push(Index::parameter(&format!("{item}.intercept")));
            indices.push(Index::parameter(&format!("{item}.discrimination")));
        }
        let outcomes = blocks.columns(&sample.design.outcome, &rows);
        Ok(Prepared {
            likelihood: Likelihood {
                model: Arc::new(model.clone()),
                indices,
                outcomes,
                rows,
                weights: sample.weights.map(Arc::new),
                frequency: sample.frequency,
            },
            rows: model,
            formulas,
            formula: self.written(&choice.to_string(), &success),
            of_choice,
            most_guaranteed: blocks.guarantee.iter().copied().fold(0.0, f64::max),
            warnings: sample.warnings,
            identification,
        })
    }

    /// The outcome of success and the right-hand side of its formula, a constant when there is none.
    fn success_formula(&self) -> (Option<String>, String) {
        split(self.success.as_deref())
    }

    /// The same of effort.
    pub(super) fn effort_formula(&self) -> (Option<String>, String) {
        split(self.effort.as_deref())
    }

    fn written(&self, choice: &str, success: &str) -> String {
        let beliefs = if self.prior() == Prior::Calibrated {
            String::new()
        } else {
            format!("; overconfidence: {}", self.overconfidence)
        };
        let success = if self.success.is_some() {
            format!("; success: {success}")
        } else {
            String::new()
        };
        let effort = match self.effort_formula() {
            (Some(_), regressors) => format!("; effort: {regressors}"),
            (None, _) => String::new(),
        };
        format!(
            "choice: {choice}; ability: {}{beliefs}{success}{effort}",
            self.ability
        )
    }

    /// Blocks that cannot stand together.
    fn check_blocks(&self) -> Result<()> {
        let [outer, inner] = self.nodes;
        for (name, nodes) in [("nodes of ability", outer), ("nodes of the belief", inner)] {
            if !(3..=super::integral::MOST_NODES).contains(&nodes) {
                let expected = format!("between 3 and {}", super::integral::MOST_NODES);
                return Err(Error::invalid_option(name, nodes, expected));
            }
        }
        if let Some((_, Information::Variance(variance))) = &self.signals
            && !(*variance > 0.0 && variance.is_finite())
        {
            return Err(Error::invalid_option(
                "signals",
                variance,
                "a positive variance",
            ));
        }
        if let Prior::Known(variance) = self.prior()
            && !(variance > 0.0 && variance.is_finite())
        {
            return Err(Error::invalid_option(
                "prior_variance",
                variance,
                "positive and finite",
            ));
        }
        self.check_error()?;
        if let Some(column) = &self.guarantee {
            if self.money.is_none() {
                return Err(Error::Unidentified {
                    what: format!("what the guarantee `{column}` is worth"),
                    needs: "a regressor in money (JointWillingness::money)".to_owned(),
                });
            }
            if self.success.is_none() {
                return Err(Error::Unidentified {
                    what: format!("the failure that the guarantee `{column}` is paid for"),
                    needs: "success (JointWillingness::success)".to_owned(),
                });
            }
            if self.effort.is_some() {
                let expected = "left out where there are guarantees: a guarantee lowers effort, and the best effort under it has no closed form";
                return Err(Error::invalid_option("effort", column, expected));
            }
        }
        if self.effort.is_some() && self.success.is_none() {
            return Err(Error::Unidentified {
                what: "the return of effort".to_owned(),
                needs: "success (JointWillingness::success)".to_owned(),
            });
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = self.items.iter().find(|item| !names.insert(item.as_str())) {
            return Err(Error::DuplicateColumn {
                column: (*twice).clone(),
            });
        }
        if self.items.is_empty() && self.success.is_none() {
            return Err(Error::Unidentified {
                what: "ability".to_owned(),
                needs: "items (JointWillingness::items) or success (JointWillingness::success)"
                    .to_owned(),
            });
        }
        Ok(())
    }

    /// The error of told beliefs, where it is said.
    fn check_error(&self) -> Result<()> {
        let Some(error) = self.report_error else {
            return Ok(());
        };
        let refuse = |expected: &str| {
            Err(Error::invalid_option(
                "report_error",
                error,
                expected.to_owned(),
            ))
        };
        if !(error >= 0.0 && error.is_finite()) {
            return refuse("zero or a positive finite deviation");
        }
        match &self.told {
            None => refuse("left out: no belief is told (JointWillingness::reported or ::rated)"),
            Some((_, super::Scale::Probability(grid))) if error <= 0.0 && *grid > 0.0 => refuse(
                "positive where reports are rounded; told without error they are told to the digit, with a grid of zero",
            ),
            Some(_) => Ok(()),
        }
    }

    /// What the data and what is said of them identify.
    fn evidence(&self, blocks: &Blocks, frame: &Frame, rows: &Rows) -> Result<Evidence> {
        let mut shifters = vec![];
        let mut prices = 0;
        if let Some(money) = &self.money {
            let values = rows.gather(frame.numeric(money)?.values());
            prices = distinct(&values);
            if prices > 1 {
                shifters.push(Shifter::Coupon);
            }
        }
        let mut positive: Vec<f64> = blocks.guarantee.clone();
        positive.retain(|g| *g > 0.0);
        let guarantees = distinct(&positive);
        if guarantees > 0 {
            shifters.push(Shifter::Guarantee);
        }
        let signal_counts = distinct(&blocks.signals);
        if signal_counts > 1 {
            shifters.push(Shifter::Information);
        }
        Ok(Evidence {
            prices,
            signal_counts,
            signal_variance: match self.signal_kind() {
                SignalKind::Known(_) => SignalVariance::Known,
                SignalKind::Seen => SignalVariance::ContentsSeen,
                SignalKind::None | SignalKind::Counted => SignalVariance::Unknown,
            },
            elicitation: match (self.told_kind(), self.prior()) {
                (Told::Nothing, _) => Elicitation::None,
                (Told::Rating, _) => Elicitation::FreeScale,
                (Told::Probability, Prior::Known(_)) => Elicitation::Quantiles,
                (Told::Probability, _) => Elicitation::AbilityScale,
            },
            items: self.items.len(),
            anchored: self.success.is_some(),
            success: match (&self.success, blocks.everyone) {
                (None, _) => SuccessSeen::Never,
                (Some(_), true) => SuccessSeen::Everyone,
                (Some(_), false) => SuccessSeen::Participants,
            },
            shifters,
            guarantees,
            effort: self.effort.is_some(),
            ..Evidence::default()
        })
    }

    /// Refuses what these blocks do not identify.
    fn require(&self, identification: &Identification, counts: usize) -> Result<()> {
        let refuse = |what: &str, needs: &str| {
            Err(Error::Unidentified {
                what: what.to_owned(),
                needs: needs.to_owned(),
            })
        };
        if self.signals.is_some() && counts < 2 {
            return refuse(
                "what signals do",
                "customers with different numbers of signals: all have the same",
            );
        }
        match self.prior() {
            Prior::Calibrated => Ok(()),
            Prior::Known(_) => {
                if self.success.is_none() {
                    return refuse(
                        "overconfidence",
                        "success, which gives ability the scale of beliefs, or calibrated beliefs (JointWillingness::calibrated)",
                    );
                }
                identification.require(&[Parameter::Overconfidence])
            }
            Prior::Free => {
                if self.success.is_none() {
                    return refuse(
                        "overconfidence",
                        "success, which gives ability the scale of beliefs, or calibrated beliefs (JointWillingness::calibrated)",
                    );
                }
                identification.require(&[Parameter::Overconfidence, Parameter::BeliefVariance])
            }
        }
    }
}

/// Outcome and right-hand side of what may be a column alone.
fn split(text: Option<&str>) -> (Option<String>, String) {
    let Some(text) = text else {
        return (None, "1".to_owned());
    };
    let (outcome, regressors) = text.split_once('~').unwrap_or((text, "1"));
    (
        Some(outcome.trim().to_owned()),
        regressors.trim().to_owned(),
    )
}

/// Regressors of success alone may be missing for those who do not take part; zero serves there.
fn known_where_unseen(
    frame: &Frame,
    success: &Formula,
    choice: &str,
    elsewhere: &BTreeSet<String>,
) -> Result<Frame> {
    let mut filled = frame.clone();
    let Ok(takes_part) = frame.numeric(choice) else {
        return Ok(filled);
    };
    for name in success.parse()?.variables() {
        if elsewhere.contains(&name) {
            continue;
        }
        let Ok(column) = frame.numeric(&name) else {
            continue;
        };
        let pairs = column.values().iter().zip(takes_part.values().iter());
        if pairs.clone().any(|(x, p)| x.is_nan() && *p < 0.5) {
            let values: Vec<f64> = pairs
                .map(|(x, p)| if x.is_nan() && *p < 0.5 { 0.0 } else { *x })
                .collect();
            filled = filled.replace(name.as_str(), values)?;
        }
    }
    Ok(filled)
}
