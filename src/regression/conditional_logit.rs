//! Logit with many fixed effects: the likelihood given the number of ones in each group.

use super::LikelihoodFit;
use super::binary::check_binary;
use super::conditional_sums::{Groupwise, Pass, dot};
use super::likelihood::{Finished, Index, Options, Parts, StoredRows, likelihood_builder};
use super::sample::Sample;
use crate::data::{Formula, Frame, Groups};
use crate::error::{Error, Result, Warning};
use crate::inference::Covariance;
use crate::numeric::Progress;
use crate::numeric::linalg::Cholesky;
use crate::numeric::optimize::{Newton, Objective, Stopping};
use crate::summary::gram::unpack;
use nalgebra::{DMatrix, DVector};
use serde::Serialize;
use std::cell::RefCell;
use std::sync::Arc;

/// Demeaning is exact to about this share of a column.
const CONSTANT_WITHIN: f64 = 1e-13;

/// A likelihood with a maximum needs five to twenty iterations.
const MOST_ITERATIONS: usize = 100;

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
                for i in members {
                    column[*i] -= mean;
                }
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
        let index = Index::new("", &within, true, rows, None, &mut sample.warnings);
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

    fn view(&self) -> Groupwise<'_> {
        Groupwise {
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
