//! Whom to treat, in any process that knows what each customer would do in either arm.

use super::closed::not_negative;
use super::oracle::{Oracle, Simulated};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The truth about targeting in a simulated trial: what treating each customer gains, the best policies, and their values.
///
/// Of customer i with the outcomes `y_i(0)` and `y_i(1)`, the effect is `worth · (y_i(1) − y_i(0))`, and the net effect this less the `cost` of treating.
/// Values are means of the net effects of those treated over all customers of this sample, against treating nobody:
///
/// * `value_all`, of treating everybody,
/// * `value_best` and `share_best`, of treating those with a positive net effect. This policy knows each customer's two outcomes: no policy on what is
///   observed has a higher value.
/// * `value_best_by` and `share_best_by`, of the best among the policies that see only the columns [`by`](Self::by): those who have the same values there
///   are treated together, if their mean net effect is positive.
///
/// It works for every process whose oracle has the columns `OUTCOME_0` and `OUTCOME_1`: [`StaticParticipation`](super::StaticParticipation) with its four offers
/// ([`offering`](super::StaticParticipation::offering)), [`CloudOnboarding`](super::CloudOnboarding), [`NetworkGifting`](super::NetworkGifting),
/// [`PhotoFunnel`](super::PhotoFunnel) with its three [`arms`](Self::arms), [`InvitationTargeting`](super::InvitationTargeting) (whose own `effect` is the
/// expectation given the observed).
///
/// | name | default | meaning |
/// |---|---|---|
/// | `outcome` | | the columns of the oracle without `_0` and `_1` |
/// | `arms` | 0, 1 | the numbers of the arms compared |
/// | `worth` | 1 | of one unit of the outcome |
/// | `cost` | 0 | of treating a customer |
/// | `by` | none | columns of the data that a policy may see |
///
/// The result is the trial with the oracle's columns `targeting_effect` and `targeting_net_effect` and these truths, `targeting_ate` before them.
///
/// # Errors
/// [`Error::DataNotKept`] without the oracle's rows, [`Error::ColumnNotFound`], [`Error::NotFinite`] for an outcome that is missing, [`Error::InvalidOption`].
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let trial = CloudOnboarding::new().customers(2_000).seed(7).simulate()?;
/// // A day as a customer is worth 0.2, the education costs 3.
/// let target = Targeting::new("days").worth(0.2).cost(3.0).of(&trial)?;
/// let (all, best) = (target.oracle.effect("value_all")?, target.oracle.effect("value_best")?);
/// assert!(best > all.max(0.0) && target.oracle.effect("share_best")? < 0.5);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Targeting {
    outcome: String,
    arms: [usize; 2],
    worth: f64,
    cost: f64,
    by: Vec<String>,
}

impl Targeting {
    /// Targeting for this outcome of the oracle.
    pub fn new(outcome: impl Into<String>) -> Self {
        Self {
            outcome: outcome.into(),
            arms: [0, 1],
            worth: 1.0,
            cost: 0.0,
            by: Vec::new(),
        }
    }

    /// The numbers of the arms compared.
    pub fn arms(mut self, without: usize, with: usize) -> Self {
        self.arms = [without, with];
        self
    }

    /// What one unit of the outcome is worth; negative where less is better.
    pub fn worth(mut self, worth: f64) -> Self {
        self.worth = worth;
        self
    }

    /// What it costs to treat a customer.
    pub fn cost(mut self, cost: f64) -> Self {
        self.cost = cost;
        self
    }

    /// Columns of the data that a policy may see. Each combination of their values is a group, so they should have few.
    pub fn by<S: AsRef<str>>(mut self, columns: &[S]) -> Self {
        self.by = columns.iter().map(|c| c.as_ref().to_owned()).collect();
        self
    }

    /// The trial with the truth about targeting.
    ///
    /// # Errors
    /// See [`Targeting`].
    pub fn of(&self, trial: &Simulated) -> Result<Simulated> {
        not_negative("cost", self.cost)?;
        if !self.worth.is_finite() {
            return Err(Error::invalid_option("worth", self.worth, "finite"));
        }
        let outcome = |arm: usize| {
            let name = format!("{}_{arm}", self.outcome);
            let column = trial.oracle.kept(&name)?.numeric(&name)?;
            match column.values().iter().position(|v| !v.is_finite()) {
                None => Ok(column),
                Some(row) => Err(Error::NotFinite {
                    what: format!("the oracle's `{name}` in row {}", row + 1),
                }),
            }
        };
        let [without, with] = self.arms.map(outcome);
        let (without, with) = (without?, with?);
        let pairs = with.values().iter().zip(without.values().iter());
        let effect: Vec<f64> = pairs.map(|(b, a)| self.worth * (b - a)).collect();
        let net: Vec<f64> = effect.iter().map(|e| e - self.cost).collect();
        let n = effect.len() as f64;
        let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
        let best = |sums: &[(f64, usize)]| {
            let positive = sums.iter().filter(|(sum, _)| *sum > 0.0);
            let (value, rows) = positive.fold((0.0, 0), |(v, r), (sum, rows)| (v + sum, r + rows));
            [value / n, rows as f64 / n]
        };
        let each: Vec<(f64, usize)> = net.iter().map(|net| (*net, 1)).collect();
        let [value_best, share_best] = best(&each);
        let mut truths = vec![
            ("targeting_ate", mean(&effect)),
            ("value_all", mean(&net)),
            ("value_best", value_best),
            ("share_best", share_best),
        ];
        if !self.by.is_empty() {
            let [value, share] = best(&self.groups(trial, &net)?);
            truths.extend([("value_best_by", value), ("share_best_by", share)]);
        }
        let individuals = (trial.oracle.individuals.clone())
            .with("targeting_effect", effect)?
            .with("targeting_net_effect", net)?;
        let known = trial.oracle.truths().iter();
        let others = known.filter(|truth| truths.iter().all(|(name, _)| *name != truth.name));
        let oracle = others.fold(Oracle::new(individuals), |oracle, truth| {
            oracle.with(truth.name.as_str(), truth.value)
        });
        Ok(Simulated {
            data: trial.data.clone(),
            oracle: truths
                .into_iter()
                .fold(oracle, |oracle, (name, value)| oracle.with(name, value)),
        })
    }

    /// Sums of the net effects and numbers of rows of the groups that a policy can tell apart.
    fn groups(&self, trial: &Simulated, net: &[f64]) -> Result<Vec<(f64, usize)>> {
        let columns = self.by.iter().map(|column| trial.data.groups(column));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let mut sums: BTreeMap<Vec<u32>, (f64, usize)> = BTreeMap::new();
        for (row, net) in net.iter().enumerate() {
            let key = columns.iter().map(|groups| groups.codes[row]).collect();
            let (sum, rows) = sums.entry(key).or_default();
            *sum += net;
            *rows += 1;
        }
        Ok(sums.into_values().collect())
    }
}
