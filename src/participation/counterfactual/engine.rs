//! Means of outcomes over the customers, in several scenarios at once, and the errors of these means.

use super::customer::{Conditions, Insurance, MarketCustomer};
use super::fitted::FittedEngine;
use super::market::{Uncertainty, moved};
use super::outcome::{CORE, COUNT, Core, Outcome, all};
use super::policy::{Lever, Moved, Policy};
use crate::error::{Error, Result, Warning};
use crate::inference::krinsky_robb::sorted_quantile;
use crate::inference::{Estimate, Interval, check_level};
use crate::numeric::linalg::spectral;
use crate::numeric::{Progress, blocks};
use crate::simulate::PurchaseTiming;
use nalgebra::{DMatrix, DVector};
use rand_distr::{Distribution as _, StandardNormal};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A policy, whole or with some of its levers.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) policy: usize,
    pub(super) levers: Option<Vec<Lever>>,
}

/// Customers at given estimates.
pub(super) struct Placed {
    pub(super) customers: Vec<MarketCustomer>,
    /// What each policy does: one entry for all customers, or one a customer.
    pub(super) moved: Vec<Vec<Moved>>,
    pub(super) conditions: Conditions,
    /// Whether customers differ in the laws of ability and belief alone, as those of a fitted model.
    pub(super) alike: bool,
}

/// Tables of what guarantees are worth, by their amounts.
#[derive(Clone, Debug, Default)]
pub(super) struct Insurances(Vec<(f64, Insurance)>);

impl Insurances {
    fn of_amount(&self, guarantee: f64) -> Option<&Insurance> {
        let same = |(own, _): &&(f64, Insurance)| own.to_bits() == guarantee.to_bits();
        self.0.iter().find(same).map(|(_, table)| table)
    }

    /// The table for a customer; none without a guarantee.
    fn of(&self, customer: &MarketCustomer, moved: &Moved) -> Option<&Insurance> {
        if self.0.is_empty() {
            return None;
        }
        self.of_amount(customer.situation.terms().guarantee + moved.guarantee)
    }
}

/// Everything that is needed to work out scenarios.
pub(super) struct Engine {
    rows: Placement,
    pub(super) warnings: Vec<Warning>,
    /// What standard errors stand for.
    pub(super) basis: String,
}

enum Placement {
    Fixed(Arc<Placed>),
    Fitted(Box<FittedEngine>),
}

/// Customers of a block.
const BLOCK: usize = 64;

/// Steps of derivatives, in standard errors.
const STEP: f64 = 1e-3;

/// What stands and the scenarios: means, and their covariance or draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Results {
    /// Core outcomes of what stands, then of each scenario.
    means: Vec<f64>,
    covariance: DMatrix<f64>,
    /// Means at draws of the estimates.
    draws: Vec<Vec<f64>>,
    pub(super) customers: usize,
}

impl Results {
    /// `Σ weight · outcome` over (scenario, weight), scenario 0 being what stands.
    pub(super) fn estimate(&self, name: String, of: &[(usize, f64)], outcome: Outcome) -> Estimate {
        let contrast = self.contrast(of, outcome);
        let variance = contrast.dot(&(&self.covariance * &contrast));
        Estimate {
            name,
            estimate: dot(&contrast, &self.means),
            std_error: variance.max(0.0).sqrt(),
            degrees_of_freedom: f64::INFINITY,
        }
    }

    /// The interval of the same: percentiles of the draws where there are draws.
    pub(super) fn interval(
        &self,
        name: String,
        of: &[(usize, f64)],
        outcome: Outcome,
        level: f64,
    ) -> Result<Interval> {
        check_level(level)?;
        if self.draws.is_empty() {
            return self.estimate(name, of, outcome).confidence_interval(level);
        }
        let contrast = self.contrast(of, outcome);
        let mut values: Vec<f64> = self.draws.iter().map(|d| dot(&contrast, d)).collect();
        values.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - level) / 2.0;
        Ok(Interval {
            name,
            level,
            lower: sorted_quantile(&values, tail),
            upper: sorted_quantile(&values, 1.0 - tail),
        })
    }

    fn contrast(&self, of: &[(usize, f64)], outcome: Outcome) -> DVector<f64> {
        let mut contrast = DVector::zeros(self.means.len());
        for core in 0..CORE {
            let mut unit = [0.0; CORE];
            unit[core] = 1.0;
            let counts = all(&unit)[outcome.position()];
            for (scenario, weight) in of {
                contrast[scenario * CORE + core] += weight * counts;
            }
        }
        contrast
    }
}

const _: () = assert!(COUNT == CORE + 2);

fn dot(contrast: &DVector<f64>, values: &[f64]) -> f64 {
    contrast.iter().zip(values).map(|(c, v)| c * v).sum()
}

impl Placed {
    fn moved_of(&self, policy: usize, customer: usize) -> &Moved {
        let of = &self.moved[policy];
        of.get(customer).unwrap_or(&of[0])
    }

    /// Outcomes of a customer: what stands, then the scenarios; what stands again where the customer is not treated.
    pub(super) fn outcomes(
        &self,
        i: usize,
        scenarios: &[Scenario],
        insurance: &[Insurances],
        treated: Option<&[bool]>,
        out: &mut Vec<f64>,
    ) {
        out.clear();
        let customer = &self.customers[i];
        let nothing = Moved::of(&Policy::new(""));
        let (standing, insurance) = insurance.split_at(1);
        let insured = standing.iter().find_map(|all| all.of(customer, &nothing));
        out.extend(customer.outcomes(&nothing, &self.conditions, insured));
        if treated.is_some_and(|t| !t[i]) {
            for _ in scenarios {
                out.extend_from_within(..CORE);
            }
            return;
        }
        for (scenario, insurance) in scenarios.iter().zip(insurance) {
            let moved = self.moved_in(scenario, i);
            let insured = insurance.of(customer, &moved);
            let core: Core = customer.outcomes(&moved, &self.conditions, insured);
            out.extend(core);
        }
    }

    /// What a scenario does to a customer.
    fn moved_in(&self, scenario: &Scenario, i: usize) -> Moved {
        let moved = *self.moved_of(scenario.policy, i);
        match &scenario.levers {
            Some(levers) => moved.only(levers),
            None => moved,
        }
    }

    /// Tables of what guarantees are worth, as things stand and in the scenarios, where customers are alike but for what they are guaranteed.
    pub(super) fn insurance(&self, scenarios: &[Scenario]) -> Vec<Insurances> {
        let nothing = Moved::of(&Policy::new(""));
        let standing = std::iter::once(self.insured(|_| nothing));
        let changed = (scenarios.iter()).map(|s| self.insured(|i| self.moved_in(s, i)));
        standing.chain(changed).collect()
    }

    fn insured(&self, moved: impl Fn(usize) -> Moved) -> Insurances {
        /// With more amounts than this a table for each is not worth its making.
        const MOST: usize = 16;
        let mut out = Insurances::default();
        if !self.alike {
            return out;
        }
        for (i, customer) in self.customers.iter().enumerate() {
            let moved = moved(i);
            let faced = customer.faced(&moved);
            let guarantee = faced.terms().guarantee;
            let before = moved.timing == Some(PurchaseTiming::BeforePurchase);
            if guarantee.abs() <= 0.0 || before || out.of_amount(guarantee).is_some() {
                continue;
            }
            if out.0.len() == MOST {
                return Insurances::default();
            }
            let variance = customer.variance_after(&moved, &self.conditions);
            out.0.push((guarantee, Insurance::of(&faced, variance)));
        }
        out
    }

    /// Weighted means of the outcomes.
    fn means(&self, scenarios: &[Scenario], treated: Option<&[bool]>) -> Vec<f64> {
        let k = CORE * (scenarios.len() + 1);
        let insurance = self.insurance(scenarios);
        let sums = blocks::reduce(
            self.customers.len(),
            BLOCK,
            |rows| {
                let mut sums = vec![0.0; k + 1];
                let mut values = vec![];
                for i in rows {
                    let weight = self.customers[i].weight;
                    self.outcomes(i, scenarios, &insurance, treated, &mut values);
                    sums.iter_mut()
                        .zip(&values)
                        .for_each(|(s, v)| *s += weight * v);
                    sums[k] += weight;
                }
                sums
            },
            |total, part| add(total, &part),
        );
        let mut sums = sums.unwrap_or_default();
        let total = sums.pop().unwrap_or(0.0);
        for sum in &mut sums {
            *sum /= total;
        }
        sums
    }

    /// The covariance of the means over the drawing of customers.
    fn sampling(
        &self,
        scenarios: &[Scenario],
        treated: Option<&[bool]>,
        means: &[f64],
    ) -> DMatrix<f64> {
        let k = means.len();
        let insurance = self.insurance(scenarios);
        let sums = blocks::reduce(
            self.customers.len(),
            BLOCK,
            |rows| {
                let mut sums = vec![0.0; k * k + 1];
                let mut values = vec![];
                for i in rows {
                    let weight = self.customers[i].weight;
                    self.outcomes(i, scenarios, &insurance, treated, &mut values);
                    values
                        .iter_mut()
                        .zip(means)
                        .for_each(|(v, m)| *v = weight * (*v - m));
                    for (a, row) in values.iter().zip(sums.chunks_exact_mut(k)) {
                        row.iter_mut().zip(&values).for_each(|(s, b)| *s += a * b);
                    }
                    sums[k * k] += weight;
                }
                sums
            },
            |total, part| add(total, &part),
        );
        let sums = sums.unwrap_or_default();
        let total = sums.last().copied().unwrap_or(0.0);
        DMatrix::from_fn(k, k, |a, b| sums[a * k + b] / (total * total))
    }
}

fn add(total: &mut [f64], part: &[f64]) {
    total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
}

impl Engine {
    /// The engine of listed customers.
    pub(super) fn listed(
        customers: &[MarketCustomer],
        policies: &[Policy],
        conditions: Conditions,
    ) -> Self {
        let rows = Placement::Fixed(Arc::new(Placed {
            customers: customers.to_vec(),
            moved: moved(policies).into_iter().map(|m| vec![m]).collect(),
            conditions,
            alike: false,
        }));
        Self {
            rows,
            warnings: vec![],
            basis: "Standard errors: of drawing the customers; what is assumed of them is taken as known.".to_owned(),
        }
    }

    /// The engine of a fitted model.
    pub(super) fn fitted(engine: FittedEngine, warnings: Vec<Warning>, basis: String) -> Self {
        Self {
            rows: Placement::Fitted(Box::new(engine)),
            warnings,
            basis,
        }
    }

    /// The customers at the estimates.
    pub(super) fn placed(&self) -> Result<Arc<Placed>> {
        match &self.rows {
            Placement::Fixed(placed) => Ok(Arc::clone(placed)),
            Placement::Fitted(engine) => Ok(Arc::new(engine.place(engine.estimates())?)),
        }
    }

    /// What a scenario changes on average, without an error.
    pub(super) fn mean_effect(&self, scenario: &Scenario, outcome: Outcome) -> Result<f64> {
        let means = known(self.placed()?.means(std::slice::from_ref(scenario), None))?;
        let of = |from: usize| all(&std::array::from_fn(|c| means[from + c]))[outcome.position()];
        Ok(of(CORE) - of(0))
    }

    /// Means with their errors.
    pub(super) fn run(
        &self,
        scenarios: &[Scenario],
        uncertainty: Uncertainty,
        progress: &Progress,
    ) -> Result<Results> {
        self.run_on(scenarios, None, uncertainty, progress)
    }

    /// Means where a scenario is that of the treated customers alone.
    pub(super) fn run_on(
        &self,
        scenarios: &[Scenario],
        treated: Option<&[bool]>,
        uncertainty: Uncertainty,
        progress: &Progress,
    ) -> Result<Results> {
        let placed = self.placed()?;
        let means = known(placed.means(scenarios, treated))?;
        let customers = placed.customers.len();
        let (covariance, draws) = match &self.rows {
            Placement::Fixed(placed) => (placed.sampling(scenarios, treated, &means), vec![]),
            Placement::Fitted(engine) => {
                let at = |beta: &[f64]| known(engine.place(beta)?.means(scenarios, treated));
                match uncertainty {
                    Uncertainty::Delta => (delta(engine, &at, means.len(), progress)?, vec![]),
                    Uncertainty::KrinskyRobb { draws, seed } => {
                        krinsky_robb(engine, &at, draws, seed, progress)?
                    }
                }
            }
        };
        Ok(Results {
            means,
            covariance,
            draws,
            customers,
        })
    }
}

fn known(means: Vec<f64>) -> Result<Vec<f64>> {
    if means.iter().all(|m| m.is_finite()) {
        Ok(means)
    } else {
        Err(Error::NotFinite {
            what: "an outcome of the market".to_owned(),
        })
    }
}

/// J V J' with central differences.
fn delta(
    engine: &FittedEngine,
    at: &dyn Fn(&[f64]) -> Result<Vec<f64>>,
    outcomes: usize,
    progress: &Progress,
) -> Result<DMatrix<f64>> {
    let beta = engine.estimates();
    let covariance = engine.covariance();
    let mut jacobian = DMatrix::zeros(outcomes, beta.len());
    let moving = engine.moving();
    for (done, &k) in moving.iter().enumerate() {
        progress.report("derivatives of the market", done, moving.len())?;
        let error = covariance[(k, k)].max(0.0).sqrt();
        if error <= 0.0 {
            continue;
        }
        let step = STEP * error;
        let moved = |by: f64| {
            let mut beta = beta.to_vec();
            beta[k] += by;
            at(&beta)
        };
        let (up, down) = (moved(step)?, moved(-step)?);
        for (j, (up, down)) in up.iter().zip(&down).enumerate() {
            jacobian[(j, k)] = (up - down) / (2.0 * step);
        }
    }
    Ok(&jacobian * covariance * jacobian.transpose())
}

/// The covariance over draws of the estimates, and the means at each.
fn krinsky_robb(
    engine: &FittedEngine,
    at: &dyn Fn(&[f64]) -> Result<Vec<f64>>,
    draws: usize,
    seed: crate::numeric::Seed,
    progress: &Progress,
) -> Result<(DMatrix<f64>, Vec<Vec<f64>>)> {
    const FEWEST: usize = 100;
    if draws < FEWEST {
        return Err(Error::invalid_option(
            "draws",
            draws,
            format!("at least {FEWEST}"),
        ));
    }
    let beta = engine.estimates();
    let root = spectral(engine.covariance(), |v| v.max(0.0).sqrt());
    let mut random = seed.child("krinsky-robb").stream(0);
    let mut values = Vec::with_capacity(draws);
    for done in 0..draws {
        progress.report("draws of the estimates", done, draws)?;
        let z = DVector::from_fn(beta.len(), |_, _| StandardNormal.sample(&mut random));
        let shift = &root * z;
        let draw: Vec<f64> = beta.iter().zip(shift.iter()).map(|(b, s)| b + s).collect();
        values.push(at(&draw)?);
    }
    let k = values[0].len();
    let n = draws as f64;
    let mean: Vec<f64> = (0..k)
        .map(|j| values.iter().map(|v| v[j]).sum::<f64>() / n)
        .collect();
    let covariance = DMatrix::from_fn(k, k, |a, b| {
        let sum: f64 = (values.iter())
            .map(|v| (v[a] - mean[a]) * (v[b] - mean[b]))
            .sum();
        sum / (n - 1.0)
    });
    Ok((covariance, values))
}
