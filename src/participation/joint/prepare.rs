//! The rows and columns of the joint model, what identifies it, and where its searches begin.

use super::integral::Rules;
use super::rows::{JointRows, OUTCOMES, PLACES, Prior, SignalKind, Told, slot};
use super::{Information, JointWillingness, Scale};
use crate::data::{Design, DesignColumn, Formula, Frame, Rows};
use crate::error::{Error, Result, Warning};
use crate::numeric::special::normal;
use crate::numeric::{Progress, blocks};
use crate::participation::elicited_beliefs::ElicitedBeliefs;
use crate::participation::identification::{
    Elicitation, Evidence, Identification, Parameter, Shifter, SignalVariance, SuccessSeen,
    excluded_regressor,
};
use crate::participation::optima::Start;
use crate::regression::binary::{Binary, Link, check_binary};
use crate::regression::likelihood::{Index, Likelihood, maximize};
use crate::regression::sample::Sample;
use crate::summary::gram::TILE;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// A joint model ready for estimation.
pub(super) struct Prepared {
    pub(super) likelihood: Likelihood,
    pub(super) rows: JointRows,
    pub(super) formulas: Vec<Formula>,
    pub(super) formula: String,
    pub(super) warnings: Vec<Warning>,
    pub(super) identification: Identification,
}

/// What is seen of customers, by used row.
struct Blocks {
    success: Vec<f64>,
    told: [Vec<f64>; 2],
    signals: Vec<f64>,
    average: Vec<f64>,
    answers: Vec<Vec<f64>>,
    everyone: bool,
}

impl JointWillingness {
    pub(super) fn prepare(&self, frame: &Frame) -> Result<Prepared> {
        self.check_blocks()?;
        let choice = self.choice.parse()?;
        let outcome = choice.outcome().to_string();
        let on = |regressors: &str| Formula::from(format!("{outcome} ~ {regressors}"));
        let (of_success, success) = self.success_formula(&outcome);
        let others = [on(&self.ability), on(&self.overconfidence), on(&success)];
        let mut also: Vec<String> = vec![];
        for formula in &others {
            also.extend(formula.parse()?.variables());
        }
        also.extend(self.signals.iter().map(|(column, _)| column.clone()));
        also.extend(self.weights.iter().map(|w| w.column().to_owned()));
        let elsewhere: BTreeSet<String> = (choice.variables().into_iter())
            .chain(others[0].parse()?.variables())
            .chain(others[1].parse()?.variables())
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
        let choice_index = index("choice", &sample.design, sample.design.intercept);
        let moved: Vec<&str> = ability
            .regressors()
            .chain(success_index.regressors())
            .collect();
        let excluded = choice_index
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
            Told::Probability => parameter(slot::LN_SD_TOLD, "ln_sd_report"),
            Told::Rating => {
                parameter(slot::LN_SD_TOLD, "ln_sd_rating");
                parameter(slot::RATING_CONSTANT, "rating.(Intercept)");
                parameter(slot::RATING_SLOPE, "rating.belief");
            }
        }
        if self.signal_kind() == SignalKind::Seen {
            parameter(slot::LN_SD_SIGNAL, "ln_sd_signal");
        }
        let model = JointRows {
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
            warnings: sample.warnings,
            identification,
        })
    }

    /// The outcome of success and the right-hand side of its formula, "0" when there is none.
    fn success_formula(&self, choice: &str) -> (Option<String>, String) {
        match &self.success {
            None => (None, "1".to_owned()),
            Some(text) => match text.split_once('~') {
                Some((outcome, regressors)) => (
                    Some(outcome.trim().to_owned()),
                    regressors.trim().to_owned(),
                ),
                None if text == choice => (Some(text.clone()), "1".to_owned()),
                None => (Some(text.trim().to_owned()), "1".to_owned()),
            },
        }
    }

    fn written(&self, choice: &str, success: &str) -> String {
        let mut text = format!("choice: {choice}; ability: {}", self.ability);
        if self.prior() != Prior::Calibrated {
            text += &format!("; overconfidence: {}", self.overconfidence);
        }
        if self.success.is_some() {
            text += &format!("; success: {success}");
        }
        text
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

    /// What is seen, checked.
    fn blocks(
        &self,
        frame: &Frame,
        rows: &Rows,
        takes_part: &[f64],
        success: Option<&str>,
    ) -> Result<Blocks> {
        let n = rows.len();
        let read =
            |column: &str| -> Result<Vec<f64>> { Ok(rows.gather(frame.numeric(column)?.values())) };
        let binary = |column: &str| -> Result<Vec<f64>> {
            let values = read(column)?;
            let wrong = values
                .iter()
                .position(|v| !v.is_nan() && (*v - v.clamp(0.0, 1.0).round()).abs() > 0.0);
            match wrong {
                Some(i) => Err(Error::OutOfRange {
                    column: column.to_owned(),
                    row: rows.index(i) + 1,
                    value: values[i],
                    expected: "0, 1 or missing".to_owned(),
                }),
                None => Ok(values),
            }
        };
        let mut everyone = false;
        let success = match success {
            None => vec![f64::NAN; n],
            Some(column) => {
                let values = binary(column)?;
                let out: Vec<usize> = (0..n).filter(|i| takes_part[*i] < 0.5).collect();
                let recorded = out.iter().filter(|i| !values[**i].is_nan()).count();
                everyone = recorded == out.len();
                if let Some(i) = out.iter().find(|i| !everyone && !values[**i].is_nan()) {
                    return Err(Error::OutOfRange {
                        column: column.to_owned(),
                        row: rows.index(*i) + 1,
                        value: values[*i],
                        expected: format!(
                            "missing where the customer does not take part, as it is for {} others",
                            out.len() - recorded
                        ),
                    });
                }
                vary(column, &values, "of those who take part")?;
                values
            }
        };
        let answers = self.items.iter().map(|item| {
            let values = binary(item)?;
            vary(item, &values, "who answer it")?;
            Ok(values)
        });
        let (mut signals, mut average) = (vec![0.0; n], vec![f64::NAN; n]);
        if let Some((column, kind)) = &self.signals {
            signals = read(column)?;
            if let Some(i) = signals.iter().position(|s| *s < 0.0) {
                return Err(Error::OutOfRange {
                    column: column.clone(),
                    row: rows.index(i) + 1,
                    value: signals[i],
                    expected: "zero or more signals".to_owned(),
                });
            }
            if let Information::Seen(content) = kind {
                average = read(content)?;
                let lost = (0..n).find(|i| signals[*i] > 0.0 && !average[*i].is_finite());
                if let Some(i) = lost {
                    return Err(Error::OutOfRange {
                        column: content.clone(),
                        row: rows.index(i) + 1,
                        value: average[i],
                        expected: format!(
                            "the average of the signals, since `{column}` says that there were some"
                        ),
                    });
                }
            }
        }
        Ok(Blocks {
            success,
            told: self.told(frame, rows)?,
            signals,
            average,
            answers: answers.collect::<Result<_>>()?,
            everyone,
        })
    }

    /// The ends between which told beliefs lie.
    fn told(&self, frame: &Frame, rows: &Rows) -> Result<[Vec<f64>; 2]> {
        let mut ends = [vec![f64::NAN; rows.len()], vec![f64::NAN; rows.len()]];
        let Some((column, scale)) = &self.told else {
            return Ok(ends);
        };
        let values = rows.gather(frame.numeric(column)?.values());
        if distinct(&values) < 2 {
            return Err(Error::Unidentified {
                what: "what beliefs do".to_owned(),
                needs: format!("told beliefs that differ: all of `{column}` are the same"),
            });
        }
        for (i, value) in values.iter().enumerate().filter(|(_, v)| !v.is_nan()) {
            let [low, high] = match scale {
                Scale::Free => [*value; 2],
                Scale::Probability(grid) => {
                    let rounding = ElicitedBeliefs::new("report ~ 1").grid(*grid);
                    let ends = rounding.around(*value, *grid, column, rows.index(i))?;
                    ends.map(normal::quantile)
                }
            };
            ends[0][i] = low;
            ends[1][i] = high;
        }
        Ok(ends)
    }
}

/// An outcome that all have or nobody has says nothing.
fn vary(column: &str, values: &[f64], who: &str) -> Result<()> {
    let seen: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    if distinct(&seen) > 1 {
        return Ok(());
    }
    Err(Error::Unidentified {
        what: format!("what `{column}` tells of ability"),
        needs: match seen.first() {
            None => "values: all are missing".to_owned(),
            Some(one) => format!("both 0 and 1: it is {one} for all {who}"),
        },
    })
}

fn distinct(values: &[f64]) -> usize {
    let known = values.iter().filter(|v| !v.is_nan());
    known.map(|v| v.to_bits()).collect::<BTreeSet<_>>().len()
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

impl Blocks {
    /// The outcomes in the order of [`JointRows`].
    fn columns(&self, choice: &DesignColumn, rows: &Rows) -> Vec<DesignColumn> {
        let own = |name: &str, values: &[f64]| {
            let mut all = vec![f64::NAN; rows.total()];
            for (i, v) in values.iter().enumerate() {
                all[rows.index(i)] = *v;
            }
            DesignColumn::new(name, Arc::new(all))
        };
        let mut columns = vec![
            choice.clone(),
            own("success", &self.success),
            own("told from", &self.told[0]),
            own("told to", &self.told[1]),
            own("signals", &self.signals),
            own("average", &self.average),
        ];
        // Where nodes lie is not known yet.
        let nodes = vec![f64::NAN; rows.len()];
        columns.extend((PLACES..OUTCOMES).map(|_| own("nodes", &nodes)));
        columns.extend(self.answers.iter().map(|a| own("answer", a)));
        columns
    }
}

impl Prepared {
    /// Integrates with these nodes; returns those of before.
    pub(super) fn use_rules(&mut self, rules: Rules) -> Rules {
        let before = std::mem::replace(&mut self.rows.rules, rules);
        self.likelihood.model = Arc::new(self.rows.clone());
        before
    }

    /// Puts the nodes of each customer where the integrand is at a point.
    pub(super) fn place_nodes(&mut self, point: &[f64]) {
        let (likelihood, model) = (&self.likelihood, &self.rows);
        let n = likelihood.rows.len();
        let tiles: Vec<Range<usize>> = blocks::ranges(n, TILE).collect();
        let parts = blocks::map(tiles.len(), |t| {
            let mut out: [Vec<f64>; 5] = std::array::from_fn(|_| vec![]);
            likelihood.inputs(tiles[t].clone(), point, |inputs| {
                model.place(inputs, &mut out)
            });
            out
        });
        let rows = likelihood.rows.clone();
        for k in 0..OUTCOMES - PLACES {
            let mut all = vec![f64::NAN; rows.total()];
            let values = parts.iter().flat_map(|part| &part[k]);
            for (i, v) in values.enumerate() {
                all[rows.index(i)] = *v;
            }
            self.likelihood.outcomes[PLACES + k] = DesignColumn::new("nodes", Arc::new(all));
        }
    }

    /// Where searches begin: shares give constants, spreads are guessed, and two correlations of ability and belief are tried.
    pub(super) fn starts(&self, progress: &Progress) -> Result<Vec<Start>> {
        /// A guess of the spread of ability beside noise of one, and of what a belief counts.
        const SPREAD: f64 = 0.8;
        const COUNTS: f64 = 0.5;
        const CORRELATIONS: [f64; 2] = [0.5, 0.8];
        let (rows, likelihood) = (&self.rows, &self.likelihood);
        let column = |k: usize| likelihood.outcomes[k].values(&likelihood.rows);
        let of_known = |values: &[f64]| {
            let known: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
            let n = known.len().max(1) as f64;
            let mean = known.iter().sum::<f64>() / n;
            let variance = known.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
            (mean, variance.sqrt().max(0.1))
        };
        let free = |s: usize| rows.free.iter().position(|f| *f == s);
        let has_success = free(slot::LN_SD_ABILITY).is_some();
        let spread = if has_success { SPREAD } else { 1.0 };
        let ability = if has_success {
            normal::quantile(of_known(&column(1)).0) * (1.0 + spread * spread).sqrt()
        } else {
            0.0
        };
        let told: Vec<f64> = (column(2).iter().zip(column(3)))
            .map(|(low, high)| 0.5 * (low + high))
            .collect();
        let (told_mean, told_spread) = of_known(&told);
        let variance = match rows.prior {
            Prior::Known(variance) => variance,
            _ => match rows.signals {
                SignalKind::Known(variance) => variance,
                _ => 0.5,
            },
        };
        let scale = (1.0 + variance).sqrt();
        // A probit of the choice alone.
        let choice = free(slot::CHOICE).unwrap_or(0);
        let alone = Likelihood {
            model: Arc::new(Binary { link: Link::Probit }),
            indices: vec![likelihood.indices[choice].clone()],
            outcomes: vec![likelihood.outcomes[0].clone()],
            ..likelihood.clone()
        };
        let of_choice = maximize(
            &alone,
            vec![0.0; alone.parameters()],
            "the probit of the choice",
            progress,
        )?
        .point;
        let ranges = likelihood.ranges();
        let mut starts = vec![];
        for rho in CORRELATIONS {
            let mut point = vec![0.0; likelihood.parameters()];
            let of_belief = match rows.prior {
                Prior::Calibrated => rho * spread,
                _ => 0.8 * told_spread * scale,
            };
            for (j, s) in rows.free.iter().enumerate() {
                let constant = likelihood.indices[j].has_constant();
                let value = match *s {
                    slot::ABILITY if constant => ability,
                    slot::OVERCONFIDENCE if constant => told_mean * scale - ability,
                    slot::BELIEF => COUNTS,
                    slot::LN_SD_ABILITY => spread.ln(),
                    slot::LN_SD_BELIEF => of_belief.ln(),
                    slot::ATANH_RHO => rho.atanh(),
                    slot::LN_SD_TOLD if rows.told == Told::Rating => (0.8 * told_spread).ln(),
                    slot::LN_SD_TOLD => (0.5 * told_spread).ln(),
                    slot::RATING_CONSTANT => told_mean - 0.5 * told_spread / of_belief * ability,
                    slot::RATING_SLOPE => 0.5 * told_spread / of_belief,
                    slot::LN_SD_SIGNAL => (0.7 * of_known(&column(5)).1).ln(),
                    _ => continue,
                };
                point[ranges[j].start] = value;
            }
            // The belief's mean and spread are taken out of the constant and the scale of the probit.
            let grow = (1.0 + (COUNTS * of_belief).powi(2)).sqrt();
            for (at, b) in ranges[choice].clone().zip(&of_choice) {
                point[at] = b * grow;
            }
            if likelihood.indices[choice].has_constant() {
                let mean = if rows.told == Told::Probability {
                    told_mean * scale
                } else {
                    ability
                };
                point[ranges[choice].start] -= COUNTS * mean;
            }
            for k in 0..rows.items {
                let share = of_known(&column(OUTCOMES + k)).0;
                let slope = 1.0 / spread;
                let at = ranges[rows.free.len() + 2 * k].start;
                point[at] = 1.2 * (share / (1.0 - share)).ln() - slope * ability;
                point[at + 1] = slope;
            }
            starts.push(Start {
                name: format!("ρ = {rho}"),
                point,
            });
        }
        Ok(starts)
    }
}
