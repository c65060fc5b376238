//! Plausible values: draws from what is known of each person's ability.

use super::fit::ItemResponseFit;
use super::measurement_error::PooledFit;
use super::scores::ln_posterior;
use super::tables::Tables;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::Inference;
use crate::numeric::linalg::spectral;
use crate::numeric::{Seed, blocks};
use crate::report::{Cell, Table};
use nalgebra::DVector;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};
use serde::Serialize;

/// Parts of a cell between nodes: draws are uniform within one, which adds `(h/16)²/12` to the variance at most.
const PARTS: usize = 16;

/// Persons of a parallel block.
const BLOCK: usize = 256;

/// Draws of ability from its posterior `p(a | answers, group, regressors)`, several for each person. A regression is fitted to each
/// completed data set and the fits are combined ([`PlausibleValues::pool`]); other than posterior means, plausible values have the right
/// variance.
///
/// They suit regressions on variables that were regressors of ability in the item response model, **the outcome among them** when
/// ability is to be a regressor: what the model left out is attenuated by the share of the posterior variance.
///
/// Each draw takes the item and population parameters anew from the normal distribution around their estimates (covariance: inverse of the
/// observed information of the free parameters), then abilities given these. Rubin's rules need that: with the parameters held at
/// their estimates the standard errors of a regression on ability are too small (where the outcome was a regressor, by a third on ten
/// items).
///
/// # References
/// - Mislevy, R. J. (1991). Randomization-based inference about latent variables from complex samples. *Psychometrika* 56, 177–196.
///   doi:10.1007/BF02294457
/// - Rubin, D. B. (1987). *Multiple Imputation for Nonresponse in Surveys*, chapter 4 (proper imputation). doi:10.1002/9780470316696
#[derive(Clone, Debug, Serialize)]
pub struct PlausibleValues {
    /// One vector a draw, one entry a row of the frame.
    draws: Vec<Vec<f64>>,
    persons: usize,
    regressors: Vec<String>,
}

impl ItemResponseFit {
    /// Draws `count` plausible values for every person. Row i of the frame has stream i of a draw's seed, and all rows share the draw's
    /// parameters.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let frame = datasets::load("lsat6_patterns")?;
    /// let fit = ItemResponse::new(["item1", "item2", "item3", "item4", "item5"]).frequency_weights("count").fit(&frame)?;
    /// let values = fit.plausible_values(5, 7)?;
    /// let model = |completed: &Frame| Ols::new("skill ~ item1").frequency_weights("count").fit(completed);
    /// let pooled = values.pool(&frame, "skill", model)?;
    /// assert!(pooled.coefficient("item1")?.estimate > 0.0);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for fewer than two; [`Error::DataNotKept`] after `lean`.
    pub fn plausible_values(&self, count: usize, seed: impl Into<Seed>) -> Result<PlausibleValues> {
        if count < 2 {
            return Err(Error::invalid_option(
                "count",
                count,
                "2 or more, to see how far plausible values differ",
            ));
        }
        let seed = seed.into().child("plausible values");
        let parts = self.parts("plausible values")?;
        let responses = &parts.responses;
        // Every parameter was identified when the fit's covariance was computed.
        let root = spectral(&parts.information, |v| 1.0 / v.sqrt());
        let mut draws = vec![vec![f64::NAN; parts.frame.rows()]; count];
        let seeds = seed.child("parameters");
        for (m, draw) in draws.iter_mut().enumerate() {
            let mut random = seeds.stream(m as u64);
            let z = DVector::from_fn(root.ncols(), |_, _| StandardNormal.sample(&mut random));
            let shift = &root * z;
            let theta: Vec<f64> = (parts.theta.iter().zip(shift.iter()))
                .map(|(t, s)| t + s)
                .collect();
            let phi = parts.structure.working(&theta);
            let tables = Tables::new(&parts.structure.items_at(&phi), self.nodes().to_vec());
            let population =
                parts
                    .structure
                    .population_at(&phi, responses.groups(), responses.regressors());
            let own = seed.child("abilities").child(&m.to_string());
            let persons: Vec<_> = blocks::ranges(responses.persons(), BLOCK).collect();
            let drawn = blocks::map(persons.len(), |b| -> Vec<f64> {
                persons[b]
                    .clone()
                    .map(|person| {
                        let ln = ln_posterior(
                            &tables,
                            responses,
                            &population,
                            responses.pattern_of(person),
                        );
                        let row = responses.rows().index(person) as u64;
                        Fine::new(self.nodes(), &ln).draw(&mut own.stream(row))
                    })
                    .collect()
            })
            .concat();
            for (person, value) in drawn.into_iter().enumerate() {
                draw[responses.rows().index(person)] = value;
            }
        }
        Ok(PlausibleValues {
            draws,
            persons: responses.persons(),
            regressors: responses.regressors().to_vec(),
        })
    }
}

/// A density on a fine grid: its logarithm at the nodes, interpolated by cubics between them.
struct Fine {
    first: f64,
    step: f64,
    cumulative: Vec<f64>,
}

impl Fine {
    fn new(nodes: &[f64], ln: &[f64]) -> Self {
        let top = ln.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let spacing = nodes[1] - nodes[0];
        let mut cumulative = Vec::with_capacity((nodes.len() - 1) * PARTS);
        let mut total = 0.0;
        for q in 0..nodes.len() - 1 {
            for part in 0..PARTS {
                let t = (part as f64 + 0.5) / PARTS as f64;
                total += (cubic(ln, q, t) - top).exp();
                cumulative.push(total);
            }
        }
        Self {
            first: nodes[0],
            step: spacing / PARTS as f64,
            cumulative,
        }
    }

    fn draw(&self, random: &mut impl Rng) -> f64 {
        let total = self.cumulative.last().copied().unwrap_or(1.0);
        let u = random.random::<f64>() * total;
        let at = self.cumulative.partition_point(|c| *c <= u);
        let at = at.min(self.cumulative.len() - 1);
        self.first + self.step * (at as f64 + random.random::<f64>())
    }
}

/// The cubic through four neighbouring nodes at the share `t` of the way from node q to the next; linear at the ends.
fn cubic(values: &[f64], q: usize, t: f64) -> f64 {
    let (here, next) = (values[q], values[q + 1]);
    if q == 0 || q + 2 >= values.len() {
        return here + t * (next - here);
    }
    let (before, after) = (values[q - 1], values[q + 2]);
    // Lagrange's weights at −1, 0, 1, 2.
    let w = [
        -t * (t - 1.0) * (t - 2.0) / 6.0,
        (t + 1.0) * (t - 1.0) * (t - 2.0) / 2.0,
        -(t + 1.0) * t * (t - 2.0) / 2.0,
        (t + 1.0) * t * (t - 1.0) / 6.0,
    ];
    w[0] * before + w[1] * here + w[2] * next + w[3] * after
}

impl PlausibleValues {
    /// The values of one draw, one a row of the frame; NaN for rows that are no persons.
    pub fn draw(&self, index: usize) -> Option<&[f64]> {
        self.draws.get(index).map(Vec::as_slice)
    }

    /// Number of draws.
    pub fn count(&self) -> usize {
        self.draws.len()
    }

    /// The completed data sets: the frame with a draw as column `name`.
    ///
    /// # Errors
    /// [`Error::DuplicateColumn`]; [`Error::LengthMismatch`] for another frame.
    pub fn frames(&self, frame: &Frame, name: &str) -> Result<Vec<Frame>> {
        self.draws
            .iter()
            .map(|draw| frame.clone().with(name, draw.clone()))
            .collect()
    }

    /// Fits a model to each completed data set and combines the fits by Rubin's rules.
    ///
    /// # Errors
    /// As [`PlausibleValues::frames`] and [`PooledFit::from_fits`]; those of the model.
    pub fn pool<F: Inference>(
        &self,
        frame: &Frame,
        name: &str,
        fit: impl Fn(&Frame) -> Result<F>,
    ) -> Result<PooledFit> {
        let fits = self
            .frames(frame, name)?
            .iter()
            .map(fit)
            .collect::<Result<Vec<F>>>()?;
        PooledFit::from_fits(&fits)
    }

    /// Mean and standard deviation of each draw.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Plausible values").columns(["Draw", "Mean", "Std. dev."]);
        for (i, draw) in self.draws.iter().enumerate() {
            let known: Vec<f64> = draw.iter().copied().filter(|v| v.is_finite()).collect();
            let n = known.len() as f64;
            let mean = known.iter().sum::<f64>() / n;
            let variance = known.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
            table = table.row([
                Cell::count(i + 1),
                Cell::significant(mean, 4),
                Cell::significant(variance.sqrt(), 4),
            ]);
        }
        let given = if self.regressors.is_empty() {
            "the answers alone".to_owned()
        } else {
            format!("the answers and {}", self.regressors.join(", "))
        };
        table.note(format!(
            "{} persons, drawn given {given}",
            Cell::count(self.persons)
        ))
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl std::fmt::Display for PlausibleValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(PlausibleValues);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_the_moments_of_the_density() {
        let nodes: Vec<f64> = (0..61).map(|q| -6.0 + 0.2 * f64::from(q)).collect();
        let ln: Vec<f64> = nodes
            .iter()
            .map(|a| -0.5 * ((a - 0.37) / 0.45_f64).powi(2))
            .collect();
        let fine = Fine::new(&nodes, &ln);
        let mut random = Seed::new(3).stream(0);
        let n = 40_000;
        let values: Vec<f64> = (0..n).map(|_| fine.draw(&mut random)).collect();
        let mean = values.iter().sum::<f64>() / f64::from(n);
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / f64::from(n);
        let error = 0.45 / f64::from(n).sqrt();
        assert!((mean - 0.37).abs() < 4.0 * error, "{mean}");
        // The standard error of a variance is σ²√(2/n).
        let error = 0.45_f64.powi(2) * (2.0 / f64::from(n)).sqrt();
        assert!((variance - 0.45_f64.powi(2)).abs() < 4.0 * error);
        // A normal log-density is a parabola, which cubics meet exactly.
        let exact = -0.5 * ((-6.0 + 0.2 * 20.5 - 0.37) / 0.45_f64).powi(2);
        assert!((cubic(&ln, 20, 0.5) - exact).abs() < 1e-10);
    }
}
