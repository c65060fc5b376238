//! Logit with many fixed effects: the likelihood given the number of ones in each group.

use super::LikelihoodFit;
use super::binary::check_binary;
use super::likelihood::{Finished, Index, Options, Parts, StoredRows, likelihood_builder};
use super::sample::Sample;
use crate::data::{Formula, Frame, Groups};
use crate::error::{Error, Result, Warning};
use crate::inference::Covariance;
use crate::numeric::linalg::Cholesky;
use crate::numeric::optimize::{Newton, Objective, Stopping};
use crate::numeric::{Progress, blocks};
use crate::summary::gram::{packed_index, packed_len, unpack};
use nalgebra::{DMatrix, DVector};
use serde::Serialize;
use std::cell::RefCell;
use std::sync::Arc;

/// Demeaning is exact to about this share of a column.
const CONSTANT_WITHIN: f64 = 1e-13;

/// A likelihood with a maximum needs five to twenty iterations.
const MOST_ITERATIONS: usize = 100;

/// Groups of a parallel block.
const BLOCK: usize = 64;

/// The fixed-effects (conditional) logit: `P(y_g | Σ_i y_i = k_g) = exp(Σ_i y_i x_i'β)/Σ_{d: Σd = k_g} exp(Σ_i d_i x_i'β)`,
/// which is free of the effect of group g, by maximum likelihood. The formula names the groups as its only fixed effect:
/// `"bought ~ price + rank | customer"`.
///
/// β are log odds ratios within groups. Groups whose outcomes are all equal say nothing and are left out with a warning;
/// regressors that do not vary within groups are left out too. Errors are clustered by the groups unless another covariance
/// is asked for: rows of a group are not independent, so HC errors are refused. Dummies instead of conditioning would be
/// biased when groups are small (Neyman & Scott 1948). The sum over assignments is exact, by recursion.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `covariance` | clusters of the effect | sampling variance | clusters in which the groups are nested; classical |
/// | `offset` | none | a column with coefficient one | finite |
///
/// # Errors
/// Those of [`super::Logit`]; [`Error::InvalidOption`] without exactly one fixed effect, with weights, or for HC errors;
/// [`Error::Unidentified`] when no group has both outcomes.
///
/// # References
/// Chamberlain, G. (1980). Analysis of covariance with qualitative data. *REStud* 47(1), 225–238. doi:10.2307/2297110.
/// Howard, S. (1972), in the discussion of Cox's regression models and life tables, *JRSS B* 34(2), 210–211.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = Frame::new()
///     .with("customer", vec![1, 1, 1, 2, 2, 2, 3, 3, 4, 4])?
///     .with("price", vec![3.0, 2.0, 1.0, 2.5, 1.0, 2.0, 3.0, 1.0, 2.0, 4.0])?
///     .with("bought", vec![0, 0, 1, 1, 1, 0, 0, 1, 0, 1])?;
/// let fit = ConditionalLogit::new("bought ~ price | customer").covariance(Covariance::Classical).fit(&frame)?;
/// assert_eq!(fit.names(), ["price"]);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConditionalLogit {
    options: Options,
    default_covariance: bool,
}

impl ConditionalLogit {
    /// The model of a formula with one fixed effect, with errors clustered by it.
    pub fn new(formula: impl Into<Formula>) -> Self {
        let options = Options::new(formula.into());
        Self {
            default_covariance: true,
            options,
        }
    }

    fn estimate(&self, frame: &Frame, progress: &Progress) -> Result<LikelihoodFit> {
        if self.options.weights.is_some() {
            return Err(Error::invalid_option(
                "weights",
                "given",
                "left out of a conditional logit, whose likelihood is one of groups",
            ));
        }
        let also: Vec<&str> = self.options.offset.iter().map(String::as_str).collect();
        let mut sample = Sample::new(&self.options.formula, None, &also, frame)?;
        let [effect] = sample.design.fixed_effects.as_slice() else {
            return Err(Error::invalid_option(
                "formula",
                &sample.parsed,
                "with exactly one fixed effect, the groups: y ~ x | group",
            ));
        };
        let effect = effect.clone();
        check_binary(&sample.design.outcome, &sample.design.rows)?;
        let covariance = match (&self.options.covariance, self.default_covariance) {
            (Covariance::Hc1, true) => Covariance::cluster(effect.name.clone()),
            (other, _) => other.clone(),
        };
        let clustered = matches!(
            covariance,
            Covariance::Classical | Covariance::Cluster { .. }
        );
        if !clustered {
            return Err(Error::invalid_option(
                "covariance",
                covariance,
                "clustered by the groups or coarser, or classical, for a conditional logit",
            ));
        }
        let kept = informative(&sample, &effect);
        let dropped = kept.iter().filter(|k| !**k).count();
        if dropped == kept.len() {
            return Err(Error::Unidentified {
                what: format!("a conditional logit of `{}`", sample.design.outcome.name),
                needs: "a group with both outcomes".to_owned(),
            });
        }
        if dropped > 0 {
            sample.warnings.push(Warning::Note {
                message: format!(
                    "{dropped} rows in groups whose outcomes are all equal left out: they say nothing about the coefficients"
                ),
            });
            sample.restrict(&kept);
        }
        let strata = Strata::new(&self.options, frame, &mut sample)?;
        strata.estimate(sample, frame, &covariance, progress)
    }
}

likelihood_builder!(ConditionalLogit);

/// Rows of groups with both outcomes.
fn informative(sample: &Sample, effect: &Groups) -> Vec<bool> {
    let y = sample.design.outcome.values(&sample.design.rows);
    let mut seen = vec![[false; 2]; effect.count()];
    for (code, y) in effect.codes.iter().zip(&y) {
        seen[*code as usize][usize::from(*y > 0.5)] = true;
    }
    effect
        .codes
        .iter()
        .map(|code| seen[*code as usize] == [true, true])
        .collect()
}

/// The data group by group: demeaned and scaled regressors, row after row.
struct Strata {
    names: Vec<String>,
    scale: Vec<f64>,
    /// `k` numbers a row, rows sorted by group.
    x: Vec<f64>,
    y: Vec<bool>,
    offset: Vec<f64>,
    /// Where each group begins, and the end.
    starts: Vec<usize>,
    /// The used row that stands at each place.
    order: Vec<usize>,
    cache: RefCell<Option<(Vec<f64>, Pass)>>,
}

/// What a pass over the groups finds.
#[derive(Clone)]
struct Pass {
    value: f64,
    gradient: Vec<f64>,
    information: Vec<f64>,
}

impl Strata {
    fn new(options: &Options, frame: &Frame, sample: &mut Sample) -> Result<Self> {
        let design = &sample.design;
        let rows = &design.rows;
        let effect = &design.fixed_effects[0];
        let n = rows.len();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_key(|i| effect.codes[*i]);
        let mut starts: Vec<usize> = (0..n)
            .filter(|i| *i == 0 || effect.codes[order[*i]] != effect.codes[order[i - 1]])
            .collect();
        starts.push(n);
        let mut columns: Vec<Vec<f64>> = design.exogenous.iter().map(|c| c.values(rows)).collect();
        for column in &mut columns {
            for group in starts.windows(2) {
                let members = &order[group[0]..group[1]];
                let mean = members.iter().map(|i| column[*i]).sum::<f64>() / members.len() as f64;
                members.iter().for_each(|i| column[*i] -= mean);
            }
        }
        // Regressors without variation within groups, or combinations of others there, are left out by their cross-product.
        let within: Vec<crate::data::DesignColumn> = design
            .exogenous
            .iter()
            .zip(&columns)
            .map(|(source, values)| {
                let mut all = vec![0.0; rows.total()];
                let before = source.values(rows).iter().map(|v| v * v).sum::<f64>();
                let spread = values.iter().map(|v| v * v).sum::<f64>();
                if spread > (CONSTANT_WITHIN.powi(2)) * before {
                    (0..n).for_each(|i| all[rows.index(i)] = values[i]);
                }
                crate::data::DesignColumn::new(source.name.clone(), Arc::new(all))
            })
            .collect();
        let index = Index::new("", within, true, rows, None, &mut sample.warnings);
        let names: Vec<String> = index.regressors().map(str::to_owned).collect();
        let kept: Vec<usize> = names
            .iter()
            .filter_map(|name| design.exogenous.iter().position(|c| c.name == *name))
            .collect();
        let scale: Vec<f64> = kept
            .iter()
            .map(|j| (columns[*j].iter().map(|v| v * v).sum::<f64>() / n as f64).sqrt())
            .collect();
        let y = design.outcome.values(rows);
        let offset = options
            .offset_column(frame, rows)?
            .map_or_else(|| vec![0.0; n], |c| c.values(rows));
        Ok(Self {
            x: order
                .iter()
                .flat_map(|i| kept.iter().zip(&scale).map(|(j, s)| columns[*j][*i] / s))
                .collect(),
            y: order.iter().map(|i| y[*i] > 0.5).collect(),
            offset: order.iter().map(|i| offset[*i]).collect(),
            names,
            scale,
            starts,
            order,
            cache: RefCell::new(None),
        })
    }

    fn estimate(
        self,
        sample: Sample,
        frame: &Frame,
        covariance: &Covariance,
        progress: &Progress,
    ) -> Result<LikelihoodFit> {
        let k = self.names.len();
        if k == 0 {
            return Err(Error::Unidentified {
                what: "a conditional logit".to_owned(),
                needs: "a regressor that varies within the groups".to_owned(),
            });
        }
        let found = Newton::new()
            .stopping(Stopping::new().max_iterations(MOST_ITERATIONS))
            .minimize_with(&self, &vec![0.0; k], progress)?;
        if !found.convergence.converged && self.is_separated(&found.point) {
            return Err(Error::Separated {
                columns: self.names,
                rows: sample.design.rows.len(),
                complete: false,
                remedy: "leave out the columns that tell the outcome within groups".to_owned(),
            });
        }
        let found = found.or_error("the conditional likelihood of the logit")?;
        let pass = self.pass_at(&found.point);
        let information = unpack(&pass.information, k);
        let bread = Cholesky::full_rank(&information, "the information of the conditional logit")?
            .inverse();
        let map = DMatrix::from_diagonal(&DVector::from_iterator(
            k,
            self.scale.iter().map(|s| 1.0 / s),
        ));
        let estimates = &map * DVector::from_column_slice(&found.point);
        let source = self.scores(&found.point, bread);
        Finished {
            title: "Conditional logit",
            formula: sample.parsed.to_string(),
            names: self.names.clone(),
            estimates,
            log_likelihood: pass.value,
            null_log_likelihood: Some(self.pass_at(&vec![0.0; k]).value),
            observations: sample.design.rows.len() as f64,
            convergence: found.convergence,
            warnings: sample.warnings,
            parts: Parts {
                source: Arc::new(source),
                leverages: false,
                likelihood: None,
                rows: sample.design.rows,
                frame: frame.clone(),
                formulas: vec![],
                map,
                effects: vec![],
                absorbed: vec![],
            },
        }
        .fit(covariance)
    }

    /// Whether the indices of the last point tell the outcomes of a group without error.
    fn is_separated(&self, point: &[f64]) -> bool {
        /// Odds of e^15 within a group are not estimated, they diverge.
        const FAR: f64 = 15.0;
        let k = self.names.len();
        self.starts.windows(2).any(|group| {
            let eta = |i: usize| dot(&self.x[i * k..(i + 1) * k], point);
            let of = |one: bool| {
                (group[0]..group[1])
                    .filter(move |i| self.y[*i] == one)
                    .map(eta)
            };
            let lowest = of(true).fold(f64::INFINITY, f64::min);
            let highest = of(false).fold(f64::NEG_INFINITY, f64::max);
            lowest - highest > FAR
        })
    }

    fn pass_at(&self, point: &[f64]) -> Pass {
        if let Some((known, pass)) = &*self.cache.borrow()
            && known == point
        {
            return pass.clone();
        }
        let pass = self.view().pass(point);
        *self.cache.borrow_mut() = Some((point.to_vec(), pass.clone()));
        pass
    }

    fn view(&self) -> View<'_> {
        View {
            k: self.names.len(),
            x: &self.x,
            y: &self.y,
            offset: &self.offset,
            starts: &self.starts,
        }
    }

    /// Scores in the order of the used rows: `x_i (y_i − E[y_i | Σy])` sums to the score of the group.
    fn scores(&self, point: &[f64], bread: DMatrix<f64>) -> StoredRows {
        let k = self.names.len();
        let n = self.order.len();
        let view = self.view();
        let mut residual = vec![0.0; n];
        for group in self.starts.windows(2) {
            let expected = view.expected(group[0]..group[1], point);
            for (i, e) in (group[0]..group[1]).zip(expected) {
                residual[self.order[i]] = f64::from(u8::from(self.y[i])) - e;
            }
        }
        let mut columns = vec![vec![0.0; n]; k];
        for (place, row) in self.order.iter().enumerate() {
            for (column, x) in columns.iter_mut().zip(&self.x[place * k..(place + 1) * k]) {
                column[*row] = *x;
            }
        }
        StoredRows {
            columns,
            residual,
            bread,
            frequencies: None,
        }
    }
}

/// The data without the cache, for passes in parallel.
#[derive(Clone, Copy)]
struct View<'a> {
    k: usize,
    x: &'a [f64],
    y: &'a [bool],
    offset: &'a [f64],
    starts: &'a [usize],
}

impl View<'_> {
    fn pass(&self, point: &[f64]) -> Pass {
        let groups = self.starts.len() - 1;
        let work = |block: std::ops::Range<usize>| {
            let mut pass = Pass::empty(self.k);
            for g in block {
                self.add(self.starts[g]..self.starts[g + 1], point, &mut pass);
            }
            pass
        };
        blocks::reduce(groups, BLOCK, work, |total, part| {
            total.value += part.value;
            total
                .gradient
                .iter_mut()
                .zip(part.gradient)
                .for_each(|(a, b)| *a += b);
            total
                .information
                .iter_mut()
                .zip(part.information)
                .for_each(|(a, b)| *a += b);
        })
        .unwrap_or_else(|| Pass::empty(self.k))
    }

    /// `e^η` of the rows of a group, the largest of which is one, and the logarithm taken out.
    fn odds(&self, rows: std::ops::Range<usize>, point: &[f64]) -> (Vec<f64>, f64) {
        let eta: Vec<f64> = rows
            .map(|i| self.offset[i] + dot(&self.x[i * self.k..(i + 1) * self.k], point))
            .collect();
        let largest = eta.iter().fold(f64::NEG_INFINITY, |m, e| m.max(*e));
        (eta.iter().map(|e| (e - largest).exp()).collect(), largest)
    }

    /// Adds a group: `ln B(n, m)` with `B(t, j) = B(t − 1, j) + e^{η_t} B(t − 1, j − 1)` and its derivatives (Howard 1972).
    /// Everything is kept relative to B, so that nothing overflows.
    fn add(&self, rows: std::ops::Range<usize>, point: &[f64], pass: &mut Pass) {
        let k = self.k;
        let ones = self.y[rows.clone()].iter().filter(|y| **y).count();
        let (odds, largest) = self.odds(rows.clone(), point);
        let width = packed_len(k);
        // ln B, the mean of Σ d x, and its second moments, given j ones among the rows so far.
        let mut log = vec![f64::NEG_INFINITY; ones + 1];
        let mut mean = vec![0.0; (ones + 1) * k];
        let mut second = vec![0.0; (ones + 1) * width];
        log[0] = 0.0;
        for (t, odds) in odds.iter().enumerate() {
            let x = &self.x[(rows.start + t) * k..(rows.start + t + 1) * k];
            let log_odds = odds.ln();
            for j in (1..=ones.min(t + 1)).rev() {
                let with = log[j - 1] + log_odds;
                if with == f64::NEG_INFINITY {
                    continue;
                }
                let high = log[j].max(with);
                let sum = high + ((log[j] - high).exp() + (with - high).exp()).ln();
                let share = (with - sum).exp();
                let (below, above) = mean.split_at_mut(j * k);
                let from = &below[(j - 1) * k..];
                let to = &mut above[..k];
                let (low, up) = second.split_at_mut(j * width);
                let second_from = &low[(j - 1) * width..];
                let second_to = &mut up[..width];
                for a in 0..k {
                    for b in 0..=a {
                        let at = packed_index(a, b);
                        let moved = second_from[at] + from[a] * x[b] + from[b] * x[a] + x[a] * x[b];
                        second_to[at] += share * (moved - second_to[at]);
                    }
                }
                for a in 0..k {
                    to[a] += share * (from[a] + x[a] - to[a]);
                }
                log[j] = sum;
            }
        }
        let mean = &mean[ones * k..];
        let second = &second[ones * width..];
        let mut chosen = 0.0;
        for i in rows.filter(|i| self.y[*i]) {
            let x = &self.x[i * k..(i + 1) * k];
            chosen += self.offset[i] + dot(x, point);
            for (g, x) in pass.gradient.iter_mut().zip(x) {
                *g += x;
            }
        }
        pass.value += chosen - (log[ones] + ones as f64 * largest);
        for a in 0..k {
            pass.gradient[a] -= mean[a];
            for b in 0..=a {
                pass.information[packed_index(a, b)] +=
                    second[packed_index(a, b)] - mean[a] * mean[b];
            }
        }
    }

    /// `E[y_i | Σ y]` of the rows of a group: `e^{η_i} B(without i, m − 1)/B(all, m)`.
    fn expected(&self, rows: std::ops::Range<usize>, point: &[f64]) -> Vec<f64> {
        let ones = self.y[rows.clone()].iter().filter(|y| **y).count();
        let (odds, _) = self.odds(rows, point);
        let n = odds.len();
        // ln B of the first t rows, and of the last n − t, with j ones.
        let forward = log_sums(odds.iter(), ones);
        let mut backward = log_sums(odds.iter().rev(), ones);
        backward.reverse();
        let whole = forward[n][ones];
        (0..n)
            .map(|i| {
                let (before, after) = (&forward[i], &backward[i + 1]);
                let ways: f64 = (0..ones)
                    .map(|j| (before[j] + after[ones - 1 - j] + odds[i].ln() - whole).exp())
                    .sum();
                ways
            })
            .collect()
    }
}

/// `ln B` of each number of leading rows, for 0 to `ones` ones.
fn log_sums<'a>(odds: impl Iterator<Item = &'a f64>, ones: usize) -> Vec<Vec<f64>> {
    let mut log = vec![f64::NEG_INFINITY; ones + 1];
    log[0] = 0.0;
    let mut out = vec![log.clone()];
    for odds in odds {
        for j in (1..=ones).rev() {
            let with = log[j - 1] + odds.ln();
            let high = log[j].max(with);
            if high > f64::NEG_INFINITY {
                log[j] = high + ((log[j] - high).exp() + (with - high).exp()).ln();
            }
        }
        out.push(log.clone());
    }
    out
}

impl Pass {
    fn empty(k: usize) -> Self {
        Self {
            value: 0.0,
            gradient: vec![0.0; k],
            information: vec![0.0; packed_len(k)],
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Objective for Strata {
    fn value(&self, x: &[f64]) -> f64 {
        -self.pass_at(x).value
    }

    fn gradient(&self, x: &[f64], gradient: &mut [f64]) {
        for (out, g) in gradient.iter_mut().zip(self.pass_at(x).gradient) {
            *out = -g;
        }
    }

    fn hessian(&self, x: &[f64]) -> DMatrix<f64> {
        unpack(&self.pass_at(x).information, self.names.len())
    }
}
