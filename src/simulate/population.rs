//! The population of customers: ability, cost, belief, overconfidence and risk aversion, correlated, in segments.

use super::draws::Draws;
use super::generate::{Field, data, generate, oracle};
use super::oracle::{Oracle, Simulated};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::linalg::Cholesky;
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// A positive trait that is log-normal over customers: `median · exp(spread · z)`, z ~ N(0, 1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogNormal {
    /// Median, in the unit of the trait; zero is a trait that nobody has.
    pub median: f64,
    /// Standard deviation of the logarithm; zero makes all customers alike.
    pub spread: f64,
}

impl LogNormal {
    /// A log-normal trait.
    pub const fn new(median: f64, spread: f64) -> Self {
        Self { median, spread }
    }

    /// The same value for everybody.
    pub const fn constant(value: f64) -> Self {
        Self::new(value, 0.0)
    }

    /// Its mean, `median · exp(spread²/2)`.
    pub fn mean(self) -> f64 {
        self.median * (0.5 * self.spread * self.spread).exp()
    }

    #[inline]
    fn at(self, z: f64) -> f64 {
        if self.spread > 0.0 {
            self.median * (self.spread * z).exp()
        } else {
            self.median
        }
    }

    fn checked(self, name: &str) -> Result<()> {
        for (part, value) in [("median", self.median), ("spread", self.spread)] {
            if !(value >= 0.0 && value.is_finite()) {
                let expected = "zero or a positive finite number";
                return Err(Error::invalid_option(
                    &format!("{part} of {name}"),
                    value,
                    expected,
                ));
            }
        }
        Ok(())
    }
}

/// A standard normal covariate that everybody can see, and what it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Covariate {
    /// Name of its column.
    pub name: String,
    /// Its coefficient β_a in ability.
    pub ability: f64,
    /// Its coefficient in overconfidence b(x).
    pub overconfidence: f64,
}

/// The traits that may be correlated, by their latent standard normals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trait {
    /// What the customer knows of the own ability: the part of ability that the belief's mean follows.
    KnownAbility,
    /// ln c_m.
    MentalCost,
    /// ln c_0.
    MaterialCost,
    /// ln v.
    BeliefVariance,
    /// ln r.
    RiskAversion,
}

/// Number of correlated traits.
const TRAITS: usize = 5;

/// One kind of customers. All levels are assumed, none is taken from data.
///
/// Ability is `a = ability_mean + x'β_a + ζ`, ζ ~ N(0, σ_a²). Customers are *calibrated up to b(x)*: a customer of
/// belief variance v knows a part of ζ with variance σ_a² − v, so that given x and the belief, `a ~ N(m − b(x), v)`
/// exactly, with `b(x) = overconfidence + x'β_b`. The stated variance is `v / overprecision`.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `covariates` | experience: .5 in ability, −.2 in overconfidence | x | at most 4 |
/// | `ability_mean`, `ability_deviation` | 0, 1 | intercept and σ_a | σ_a > 0 |
/// | `belief_variance` | .4, spread .3 | v, cut at σ_a²: nobody knows less than the population's distribution | |
/// | `overconfidence` | .2 | intercept of b(x) | |
/// | `overprecision` | 1 | true over stated belief variance | > 0 |
/// | `mental_cost` | .5, spread .3 | c_m, money per unit of effort | |
/// | `relief` | 0 | κ: c_m falls by exp(−κa), learned beforehand | ≥ 0 |
/// | `material_cost` | .3, spread .3 | c_0, money | |
/// | `risk_aversion` | .3, spread .3 | r | |
/// | `correlations` | none | between latent normals | positive definite |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traits {
    /// What everybody can see.
    pub covariates: Vec<Covariate>,
    /// Mean ability at x = 0.
    pub ability_mean: f64,
    /// σ_a.
    pub ability_deviation: f64,
    /// v.
    pub belief_variance: LogNormal,
    /// b(0).
    pub overconfidence: f64,
    /// True over stated belief variance.
    pub overprecision: f64,
    /// c_m.
    pub mental_cost: LogNormal,
    /// κ.
    pub relief: f64,
    /// c_0.
    pub material_cost: LogNormal,
    /// r.
    pub risk_aversion: LogNormal,
    /// Correlations of the latent normals; pairs that are not named are uncorrelated.
    pub correlations: Vec<(Trait, Trait, f64)>,
}

impl Default for Traits {
    fn default() -> Self {
        Self {
            covariates: vec![Covariate {
                name: "experience".to_owned(),
                ability: 0.5,
                overconfidence: -0.2,
            }],
            ability_mean: 0.0,
            ability_deviation: 1.0,
            belief_variance: LogNormal::new(0.4, 0.3),
            overconfidence: 0.2,
            overprecision: 1.0,
            mental_cost: LogNormal::new(0.5, 0.3),
            relief: 0.0,
            material_cost: LogNormal::new(0.3, 0.3),
            risk_aversion: LogNormal::new(0.3, 0.3),
            correlations: Vec::new(),
        }
    }
}

/// Customers of one kind, or of several segments.
///
/// ```
/// use cocreate::simulate::{Population, Traits};
/// let novices = Traits { ability_mean: -0.5, overconfidence: 0.6, ..Traits::default() };
/// let population = Population::mixture([(0.7, Traits::default()), (0.3, novices)]);
/// let customers = population.simulate(10_000, 7)?;
/// let ability = customers.oracle.real("ability")?;
/// let mean = ability.iter().sum::<f64>() / 10_000.0;
/// assert!((mean - 0.3 * -0.5).abs() < 0.05);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Population {
    segments: Vec<(f64, Traits)>,
}

impl Default for Population {
    fn default() -> Self {
        Self::new(Traits::default())
    }
}

/// One customer. Numbers are in the units of [`Traits`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Customer {
    /// The segment, from 0.
    pub segment: usize,
    /// The covariates, filled up with zeros.
    pub covariates: [f64; MOST_COVARIATES],
    /// a.
    pub ability: f64,
    /// m.
    pub belief_mean: f64,
    /// v, as the customer states it.
    pub belief_variance: f64,
    /// b(x), the mean of m − a given x.
    pub overconfidence: f64,
    /// c_m at the own ability.
    pub mental_cost: f64,
    /// c_0.
    pub material_cost: f64,
    /// r.
    pub risk_aversion: f64,
}

/// Covariates that a population may have; customers are made without allocating.
pub const MOST_COVARIATES: usize = 4;

impl Population {
    /// Customers of one kind.
    pub fn new(traits: Traits) -> Self {
        Self {
            segments: vec![(1.0, traits)],
        }
    }

    /// Customers of several segments, each with its share; shares are made to sum to one. The covariates must have
    /// the same names in all.
    pub fn mixture(segments: impl IntoIterator<Item = (f64, Traits)>) -> Self {
        Self {
            segments: segments.into_iter().collect(),
        }
    }

    /// Names of the covariates.
    pub fn covariates(&self) -> Vec<String> {
        let names = |(_, traits): &(f64, Traits)| -> Vec<String> {
            traits.covariates.iter().map(|c| c.name.clone()).collect()
        };
        self.segments.first().map(names).unwrap_or_default()
    }

    /// The segments with their shares, as given.
    pub fn segments(&self) -> &[(f64, Traits)] {
        &self.segments
    }

    /// The same population with every segment's traits changed.
    pub fn map(mut self, change: impl Fn(Traits) -> Traits) -> Self {
        let segments = std::mem::take(&mut self.segments);
        self.segments = segments
            .into_iter()
            .map(|(share, traits)| (share, change(traits)))
            .collect();
        self
    }

    /// Draws customers. The data hold the covariates, the oracle everything else.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a parameter outside its range; [`Error::Matrix`] for correlations that are not
    /// positive definite.
    pub fn simulate(&self, customers: usize, seed: impl Into<Seed>) -> Result<Simulated> {
        let drawn = self.prepare()?;
        let mut fields: Vec<Field> = self.covariates().into_iter().map(data).collect();
        let covariates = fields.len();
        fields.extend(
            [
                "segment",
                "ability",
                "belief_mean",
                "belief_variance",
                "overconfidence",
                "mental_cost",
                "material_cost",
                "risk_aversion",
            ]
            .map(oracle),
        );
        let seed = seed.into().child("population");
        let made = generate(customers, seed, &fields, true, |draws, _, out| {
            let c = drawn.draw(draws);
            out[..covariates].copy_from_slice(&c.covariates[..covariates]);
            out[covariates..].copy_from_slice(&[
                c.segment as f64,
                c.ability,
                c.belief_mean,
                c.belief_variance,
                c.overconfidence,
                c.mental_cost,
                c.material_cost,
                c.risk_aversion,
            ]);
        })?;
        let means = [
            ("mean ability", made.mean("ability")),
            ("mean overconfidence", made.mean("overconfidence")),
        ];
        let truth = means
            .into_iter()
            .fold(Oracle::new(made.oracle), |o, (name, v)| o.with(name, v));
        Ok(Simulated {
            data: made.data,
            oracle: truth,
        })
    }

    /// Checks the parameters once, and factors the correlations.
    pub(super) fn prepare(&self) -> Result<Prepared> {
        let total: f64 = self.segments.iter().map(|(share, _)| share).sum();
        let fine = (self.segments.iter()).all(|(share, _)| *share >= 0.0 && share.is_finite());
        if !(fine && total > 0.0) {
            return Err(Error::invalid_option(
                "shares of the segments",
                total,
                "shares that are not negative and of which one is positive",
            ));
        }
        let names = self.covariates();
        if names.len() > MOST_COVARIATES {
            return Err(Error::invalid_option(
                "covariates",
                names.len(),
                format!("at most {MOST_COVARIATES}"),
            ));
        }
        let mut cumulated = 0.0;
        let mut segments = Vec::with_capacity(self.segments.len());
        for (share, traits) in &self.segments {
            traits.checked()?;
            if !(traits.covariates.iter().map(|c| &c.name)).eq(names.iter()) {
                return Err(Error::invalid_option(
                    "covariates",
                    format!("{:?}", traits.covariates),
                    format!("those of the first segment: {}", names.join(", ")),
                ));
            }
            cumulated += share / total;
            segments.push((cumulated, Kind::new(traits)?));
        }
        Ok(Prepared { segments })
    }
}

impl Traits {
    fn checked(&self) -> Result<()> {
        self.belief_variance.checked("the belief variance")?;
        self.mental_cost.checked("the mental cost")?;
        self.material_cost.checked("the material cost")?;
        self.risk_aversion.checked("the risk aversion")?;
        let positive = |name: &str, value: f64| {
            if value > 0.0 && value.is_finite() {
                return Ok(());
            }
            Err(Error::invalid_option(
                name,
                value,
                "a positive finite number",
            ))
        };
        positive("ability_deviation", self.ability_deviation)?;
        positive("overprecision", self.overprecision)?;
        if !(self.relief >= 0.0 && self.relief.is_finite()) {
            return Err(Error::invalid_option(
                "relief",
                self.relief,
                "zero or a positive finite number",
            ));
        }
        let coefficients = self
            .covariates
            .iter()
            .flat_map(|c| [c.ability, c.overconfidence]);
        for value in coefficients.chain([self.ability_mean, self.overconfidence]) {
            if !value.is_finite() {
                return Err(Error::NotFinite {
                    what: "a coefficient or mean of ability or overconfidence".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Lower triangular root of the correlation matrix.
    fn root(&self) -> Result<[[f64; TRAITS]; TRAITS]> {
        let mut matrix = DMatrix::identity(TRAITS, TRAITS);
        for (a, b, rho) in &self.correlations {
            if rho.is_nan() || rho.abs() >= 1.0 || a == b {
                return Err(Error::invalid_option(
                    "correlation",
                    format!("{a:?}, {b:?}: {rho}"),
                    "between two different traits and strictly between −1 and 1",
                ));
            }
            let (i, j) = (*a as usize, *b as usize);
            matrix[(i, j)] = *rho;
            matrix[(j, i)] = *rho;
        }
        let factor = Cholesky::new(&matrix);
        if factor.rank() < TRAITS {
            return Err(Error::Matrix {
                message: format!(
                    "the correlations {:?} are not those of any distribution: the matrix is not positive definite; make them smaller",
                    self.correlations
                ),
            });
        }
        let root = factor.root();
        Ok(std::array::from_fn(|i| {
            std::array::from_fn(|j| root[(i, j)])
        }))
    }
}

/// A checked population.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    /// Cumulated shares.
    segments: Vec<(f64, Kind)>,
}

/// A checked segment.
#[derive(Clone, Debug)]
struct Kind {
    traits: Traits,
    root: [[f64; TRAITS]; TRAITS],
    correlated: bool,
}

impl Kind {
    fn new(traits: &Traits) -> Result<Self> {
        Ok(Self {
            root: traits.root()?,
            correlated: !traits.correlations.is_empty(),
            traits: traits.clone(),
        })
    }
}

impl Prepared {
    /// One customer. The number of draws depends on nothing but the number of covariates, so that a change of
    /// parameters leaves the customers' shocks as they are.
    #[inline]
    pub(super) fn draw(&self, draws: &mut Draws) -> Customer {
        let mut segment = 0;
        if self.segments.len() > 1 {
            let u = draws.uniform();
            segment = self.segments.partition_point(|(share, _)| *share < u);
            segment = segment.min(self.segments.len() - 1);
        }
        let kind = &self.segments[segment].1;
        let traits = &kind.traits;
        let mut customer = Customer {
            segment,
            covariates: [0.0; MOST_COVARIATES],
            ability: traits.ability_mean,
            belief_mean: 0.0,
            belief_variance: 0.0,
            overconfidence: traits.overconfidence,
            mental_cost: 0.0,
            material_cost: 0.0,
            risk_aversion: 0.0,
        };
        for (x, covariate) in customer.covariates.iter_mut().zip(&traits.covariates) {
            *x = draws.normal();
            customer.ability += covariate.ability * *x;
            customer.overconfidence += covariate.overconfidence * *x;
        }
        let raw: [f64; TRAITS] = std::array::from_fn(|_| draws.normal());
        let z = if kind.correlated {
            kind.root
                .map(|row| row.iter().zip(&raw).map(|(l, z)| l * z).sum())
        } else {
            raw
        };
        let unknown = draws.normal();
        let population = traits.ability_deviation * traits.ability_deviation;
        let variance = traits
            .belief_variance
            .at(z[Trait::BeliefVariance as usize])
            .min(population);
        // a ~ N(m − b, v): the part of ability that is known, then the part that is not.
        let known = customer.ability
            + (population - variance).max(0.0).sqrt() * z[Trait::KnownAbility as usize];
        customer.belief_mean = known + customer.overconfidence;
        customer.ability = known + variance.sqrt() * unknown;
        customer.belief_variance = variance / traits.overprecision;
        customer.mental_cost = traits.mental_cost.at(z[Trait::MentalCost as usize]);
        if traits.relief > 0.0 {
            customer.mental_cost *= (-traits.relief * customer.ability).exp();
        }
        customer.material_cost = traits.material_cost.at(z[Trait::MaterialCost as usize]);
        customer.risk_aversion = traits.risk_aversion.at(z[Trait::RiskAversion as usize]);
        customer
    }
}

/// Fields that the data of every process with a population begin with: its covariates.
pub(super) fn covariate_fields(population: &Population) -> Vec<Field> {
    population.covariates().into_iter().map(data).collect()
}
