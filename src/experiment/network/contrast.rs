//! Horvitz–Thompson and Hájek contrasts of exposures with the conservative variance of Aronow & Samii.

use super::probabilities::Probabilities;
use crate::error::{Error, Result, Warning};
use crate::experiment::arms::note;
use crate::inference::Estimate;
use crate::numeric::blocks;
use crate::report::shown;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// A Monte Carlo error above this share of the standard error deserves more draws.
const NOISY: f64 = 0.1;

/// A probability below this makes single people count a great deal.
const RARE: f64 = 0.01;

/// Mean outcomes under one exposure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConditionMean {
    /// The exposure.
    pub exposure: String,
    /// People who had it.
    pub people: usize,
    /// Smallest probability of it.
    pub smallest_probability: f64,
    /// Horvitz–Thompson mean.
    pub horvitz_thompson: f64,
    /// Hájek mean.
    pub hajek: f64,
}

/// The effect of one exposure against another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExposureContrast {
    /// The exposure.
    pub exposed: String,
    /// That compared with.
    pub base: String,
    /// Horvitz–Thompson, with the conservative standard error.
    pub horvitz_thompson: Estimate,
    /// Hájek, with the conservative standard error of its linearisation.
    pub hajek: Estimate,
    /// Error of the Horvitz–Thompson estimate from simulated probabilities; zero when they are exact.
    pub horvitz_thompson_monte_carlo: f64,
    /// The same of the Hájek estimate.
    pub hajek_monte_carlo: f64,
}

/// What [`NetworkExperiment`](super::NetworkExperiment) found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkFit {
    /// Mean outcomes by exposure.
    pub conditions: Vec<ConditionMean>,
    /// Contrasts.
    pub contrasts: Vec<ExposureContrast>,
    /// People analysed.
    pub people: usize,
    /// People left out because an exposure is impossible for them.
    pub excluded: usize,
    /// Whether probabilities are exact.
    pub exact: bool,
    /// Assignments listed or drawn.
    pub draws: usize,
    pub(super) level: f64,
    pub(super) design: String,
    pub(super) warnings: Vec<Warning>,
}

/// What was observed, and under which probabilities.
pub(super) struct Observed<'a> {
    pub(super) y: &'a [f64],
    pub(super) exposure: &'a [u16],
    pub(super) members: &'a [usize],
    pub(super) probabilities: &'a Probabilities,
}

/// Means under one exposure, and who had it.
struct Mean {
    exposure: usize,
    people: Vec<usize>,
    horvitz_thompson: f64,
    hajek: f64,
}

/// The conservative variance of a contrast, and a bound for when that is not positive.
struct Variance {
    value: f64,
    bound: f64,
}

impl Observed<'_> {
    pub(super) fn estimate(
        &self,
        names: &[String],
        used: &[usize],
        pairs: &[(usize, usize)],
    ) -> Result<NetworkFit> {
        let means = used
            .iter()
            .map(|d| self.mean(*d, &names[*d]))
            .collect::<Result<Vec<_>>>()?;
        let mut fit = NetworkFit {
            conditions: (means.iter())
                .map(|m| ConditionMean {
                    exposure: names[m.exposure].clone(),
                    people: m.people.len(),
                    smallest_probability: (self.members.iter())
                        .map(|i| self.probabilities.of(*i, m.exposure))
                        .fold(1.0, f64::min),
                    horvitz_thompson: m.horvitz_thompson,
                    hajek: m.hajek,
                })
                .collect(),
            contrasts: vec![],
            people: self.members.len(),
            excluded: 0,
            exact: self.probabilities.exact,
            draws: self.probabilities.draws,
            level: 0.95,
            design: String::new(),
            warnings: vec![],
        };
        let of = |d: usize| means.iter().find(|m| m.exposure == d);
        for (exposed, base) in pairs {
            let (Some(k), Some(l)) = (of(*exposed), of(*base)) else {
                continue;
            };
            let name = format!("{} − {}", names[*exposed], names[*base]);
            let mut make = |estimate: f64, centers: (f64, f64)| -> Result<(Estimate, f64)> {
                let variance = self.variance(k, l, centers);
                let used = if variance.value > 0.0 {
                    variance.value
                } else {
                    fit.warnings.push(note(format!(
                        "{name}: the variance estimate is not positive; the bound 2(V₁ + V₀), without negative terms, is used"
                    )));
                    variance.bound
                };
                if used <= 0.0 {
                    return Err(Error::Unidentified {
                        what: format!("the standard error of {name}"),
                        needs: "an outcome that varies among those with each exposure".to_owned(),
                    });
                }
                let estimate = Estimate {
                    name: name.clone(),
                    estimate,
                    std_error: used.sqrt(),
                    degrees_of_freedom: f64::INFINITY,
                };
                Ok((estimate, self.monte_carlo(k, l, centers)))
            };
            let (horvitz_thompson, horvitz_thompson_monte_carlo) =
                make(k.horvitz_thompson - l.horvitz_thompson, (0.0, 0.0))?;
            let (hajek, hajek_monte_carlo) = make(k.hajek - l.hajek, (k.hajek, l.hajek))?;
            fit.contrasts.push(ExposureContrast {
                exposed: names[*exposed].clone(),
                base: names[*base].clone(),
                horvitz_thompson,
                hajek,
                horvitz_thompson_monte_carlo,
                hajek_monte_carlo,
            });
        }
        Ok(fit)
    }

    fn mean(&self, exposure: usize, name: &str) -> Result<Mean> {
        let people: Vec<usize> = (self.members.iter())
            .copied()
            .filter(|i| usize::from(self.exposure[*i]) == exposure)
            .collect();
        if people.is_empty() {
            return Err(Error::Unidentified {
                what: format!("the mean outcome under `{name}`"),
                needs: "somebody with this exposure; name the contrasts that can be made with `.contrast()`".to_owned(),
            });
        }
        let (mut sum, mut weight) = (0.0, 0.0);
        for i in &people {
            let p = self.probabilities.of(*i, exposure);
            sum += self.y[*i] / p;
            weight += 1.0 / p;
        }
        Ok(Mean {
            exposure,
            people,
            horvitz_thompson: sum / self.members.len() as f64,
            hajek: sum / weight,
        })
    }

    /// Variance of the total under one exposure: Aronow & Samii's equation 7 with the correction 8 for pairs never seen together. The second
    /// number leaves negative terms out: it is never smaller, and positive unless all outcomes are the centre.
    fn of_total(&self, mean: &Mean, center: f64) -> (f64, f64) {
        let d = mean.exposure;
        let p = |i: usize| self.probabilities.of(i, d);
        let z = |i: usize| (self.y[i] - center) / p(i);
        let parts = blocks::map(mean.people.len(), |at| {
            let i = mean.people[at];
            let mut sum = (1.0 - p(i)) * z(i) * z(i);
            let mut without_negative = sum;
            let mut never = 0.0;
            for j in self.members.iter().copied().filter(|j| *j != i) {
                let both = self.probabilities.both(i, d, j, d);
                if both <= 0.0 {
                    never += 1.0;
                } else if usize::from(self.exposure[j]) == d {
                    let term = (both - p(i) * p(j)) / both * z(i) * z(j);
                    sum += term;
                    without_negative += term.max(0.0);
                }
            }
            // Each pair gives half of y²/π to both of its people, in both orders.
            let correction = never * (self.y[i] - center).powi(2) / p(i);
            (sum + correction, without_negative + correction)
        });
        (parts.iter()).fold((0.0, 0.0), |total, part| {
            (total.0 + part.0, total.1 + part.1)
        })
    }

    /// Covariance of two totals, estimated from below (equation 10): pairs never seen together, oneself among them, take their bound.
    fn between(&self, k: &Mean, l: &Mean, centers: (f64, f64)) -> f64 {
        let p = |i: usize, d: usize| self.probabilities.of(i, d);
        let side = |one: &Mean, other: &Mean, center: f64, other_center: f64, cross: bool| -> f64 {
            let (d, e) = (one.exposure, other.exposure);
            let parts = blocks::map(one.people.len(), |at| {
                let i = one.people[at];
                let gap = self.y[i] - center;
                let (mut sum, mut never) = (0.0, 0.0);
                for j in self.members.iter().copied() {
                    let both = self.probabilities.both(i, d, j, e);
                    if both <= 0.0 {
                        never += 1.0;
                    } else if cross && usize::from(self.exposure[j]) == e {
                        sum += (both - p(i, d) * p(j, e)) / both * gap / p(i, d)
                            * (self.y[j] - other_center)
                            / p(j, e);
                    }
                }
                sum - never * gap * gap / (2.0 * p(i, d))
            });
            parts.iter().sum()
        };
        side(k, l, centers.0, centers.1, true) + side(l, k, centers.1, centers.0, false)
    }

    fn variance(&self, k: &Mean, l: &Mean, centers: (f64, f64)) -> Variance {
        let n2 = (self.members.len() as f64).powi(2);
        let (one, zero) = (self.of_total(k, centers.0), self.of_total(l, centers.1));
        Variance {
            value: (one.0 + zero.0 - 2.0 * self.between(k, l, centers)) / n2,
            bound: 2.0 * (one.1 + zero.1) / n2,
        }
    }

    /// Standard error that simulated probabilities bring: the estimate moves by `−Σ (y/π²)(π̂ − π)/n`, and π̂ is a mean over draws.
    fn monte_carlo(&self, k: &Mean, l: &Mean, centers: (f64, f64)) -> f64 {
        if self.probabilities.exact {
            return 0.0;
        }
        let draws = self.probabilities.draws;
        let mut moves = vec![0.0; draws];
        for (mean, center, sign) in [(k, centers.0, 1.0), (l, centers.1, -1.0)] {
            for i in &mean.people {
                let p = self.probabilities.of(*i, mean.exposure);
                let value = sign * (self.y[*i] - center) / (p * p * self.members.len() as f64);
                self.probabilities
                    .add_to_draws(*i, mean.exposure, value, &mut moves);
            }
        }
        let count = draws as f64;
        let center = moves.iter().sum::<f64>() / count;
        let squares: f64 = moves.iter().map(|m| (m - center).powi(2)).sum();
        (squares / (count - 1.0) / count).sqrt()
    }
}

impl NetworkFit {
    /// Adds what follows from the numbers.
    pub(super) fn warn(&mut self) {
        let noisy = self.contrasts.iter().any(|c| {
            c.hajek_monte_carlo > NOISY * c.hajek.std_error
                || c.horvitz_thompson_monte_carlo > NOISY * c.horvitz_thompson.std_error
        });
        if noisy {
            self.warnings.push(note(
                "the Monte Carlo error of the probabilities is more than a tenth of a standard error: use more draws",
            ));
        }
        for c in &self.conditions {
            if c.smallest_probability < RARE {
                self.warnings.push(note(format!(
                    "`{}` has a probability of {:.4} for somebody: single people decide; prefer Hájek, or a coarser mapping",
                    c.exposure, c.smallest_probability
                )));
            }
        }
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The contrast of these exposures.
    pub fn contrast(&self, exposed: &str, base: &str) -> Option<&ExposureContrast> {
        (self.contrasts.iter()).find(|c| c.exposed == exposed && c.base == base)
    }

    /// Mean outcomes and contrasts.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Effects of exposures on a network").columns([
            "",
            "People",
            "HT",
            "Std. error",
            "Hájek",
            "Std. error",
            "from",
            "to",
        ]);
        for c in &self.conditions {
            table = table.row([
                Cell::from(c.exposure.as_str()),
                Cell::count(c.people),
                Cell::significant(c.horvitz_thompson, 4),
                Cell::empty(),
                Cell::significant(c.hajek, 4),
            ]);
        }
        table = table.rule();
        for c in &self.contrasts {
            let ends = c.hajek.confidence_interval(self.level);
            let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
            table = table.row([
                Cell::from(c.hajek.name.as_str()),
                Cell::empty(),
                Cell::significant(c.horvitz_thompson.estimate, 4),
                Cell::significant(c.horvitz_thompson.std_error, 3),
                Cell::significant(c.hajek.estimate, 4),
                Cell::significant(c.hajek.std_error, 3),
                Cell::significant(low, 4),
                Cell::significant(high, 4),
            ]);
        }
        table = table.note(format!(
            "n = {}; probabilities from {} assignments ({}) of {}",
            Cell::count(self.people),
            Cell::count(self.draws),
            if self.exact { "all there are" } else { "drawn" },
            self.design
        ));
        let largest = (self.contrasts.iter())
            .map(|c| c.hajek_monte_carlo.max(c.horvitz_thompson_monte_carlo))
            .fold(0.0, f64::max);
        if !self.exact {
            table = table.note(format!(
                "Largest Monte Carlo error of a contrast: {largest:.4}"
            ));
        }
        table = table.note("Conservative standard errors (Aronow & Samii 2017)");
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }
}

shown!(NetworkFit);
