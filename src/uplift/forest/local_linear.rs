//! Local linear effects: a ridge regression with the forest's weights takes away the slope that leaves leave.

use super::codes::{Binned, Codes};
use super::fit::{CausalForestFit, prediction};
use super::neighbours::{Grove, ask};
use super::plan::Seen;
use super::prediction::ForestPrediction;
use super::ridge::{Locals, Scale, check_penalty};
use crate::data::{Frame, Rows};
use crate::error::{Error, Result};
use crate::regression::learners::Features;

impl CausalForestFit {
    /// Effects at the rows of a frame that has the features, corrected by a local linear regression in some of them (all numbers for an empty
    /// list): with forest weights α(x) and `d = X − x`, the coefficient τ of
    ///
    /// `min Σ_i α_i(x) (Ỹ_i − c − τ W̃_i − d_i'β − W̃_i d_i'δ)² + λ |β|² + λ Var_α(W̃) |δ|²`,
    ///
    /// d in standard deviations of the features. Where effects are smooth, leaves are too flat: the correction takes away the slope across a leaf,
    /// most at the edges of the data. λ is given, or chosen by the R-loss of out-of-bag effects (on at most 1 000 rows); larger ones come
    /// closer to [`CausalForestFit::predict`]. Variances are those of little bags with the influence of each row on τ.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let made = HeterogeneousEffects::new(EffectDesign::NieWagerB).customers(600).seed(7).simulate()?;
    /// let features: Vec<String> = (1..=5).map(|j| format!("x{j}")).collect();
    /// let forest = CausalForest::new("y", "w", &features).nuisances(ForestNuisances::OutOfBag).trees(100).seed(7);
    /// let fit = forest.fit(&made.data)?;
    /// let straight = fit.predict_local_linear(&made.data, &["x1", "x2"], Some(0.1))?;
    /// assert_eq!(straight.len(), 600);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after [`CausalForestFit::lean`] or from a file; [`Error::InvalidOption`] for an instrumental forest, a column that is no
    /// feature or no number, or a penalty that is not positive; those of [`CausalForestFit::predict`].
    ///
    /// # References
    /// Friedberg, Tibshirani, Athey & Wager (2021), *JCGS* 30(2), doi:10.1080/10618600.2020.1831930.
    pub fn predict_local_linear(
        &self,
        frame: &Frame,
        columns: &[&str],
        penalty: Option<f64>,
    ) -> Result<ForestPrediction> {
        if self.forest.instrument.is_some() {
            return Err(Error::invalid_option(
                "predict_local_linear",
                "an instrumental forest",
                "a forest without instrument",
            ));
        }
        check_penalty("penalty", penalty)?;
        let known = self.training_features("a local linear correction")?;
        let new = Features::matching(frame, &self.info)?;
        let n = self.rows();
        let weight = self.sample.weights.clone();
        let weight = weight.unwrap_or_else(|| vec![1.0; n]);
        let scale = Scale::new(&known, columns, &weight)?;
        let residual = |i: usize| self.sample.outcome[i] - self.sample.outcome_hat[i];
        let locals = Locals {
            y: (0..n).map(residual).collect(),
            w: Some(
                (0..n)
                    .map(|i| self.sample.treatment[i] - self.sample.propensity[i])
                    .collect(),
            ),
            weight,
            x: scale.rows(&known),
            count: scale.count(),
        };
        let codes = Codes::cut(&known, &self.cuts);
        let (groves, seen) = self.groves(&known, &codes)?;
        let penalty = match penalty {
            Some(given) => given,
            None => locals.penalty(&groves, &seen, &codes, self.ensemble.overall[0]),
        };
        let x = scale.rows(&new);
        let (count, bag) = (scale.count(), self.ensemble.bag);
        let cut = Codes::cut(&new, &self.cuts);
        let mut predicted = ask(&groves, n, &cut, None, |row, near| {
            locals.predicted(near, &x[row * count..][..count], penalty, bag)
        });
        let overall = self.ensemble.overall[0];
        for p in predicted.iter_mut().filter(|p| !p.known) {
            (p.estimate, p.variance) = (overall, f64::INFINITY);
        }
        Ok(prediction(&predicted, new.unseen()))
    }

    /// The features of the rows in use.
    pub(super) fn training_features(&self, what: &str) -> Result<Features> {
        let trained = self.frame.as_ref().ok_or_else(|| Error::DataNotKept {
            what: what.to_owned(),
            remedy: "fit the forest again, or use .predict()".to_owned(),
        })?;
        let rows = if self.sample.kept.is_empty() {
            Rows::all(trained.rows())
        } else {
            Rows::some(trained.rows(), self.sample.kept.clone())
        };
        Features::matching(trained, &self.info)?.gather(&rows)
    }

    /// The trees with the rows in their leaves: what each has drawn follows from the seed.
    pub(super) fn groves(&self, features: &Features, codes: &Codes) -> Result<(Vec<Grove>, Seen)> {
        let (plan, seed) = self.forest.drawing()?;
        let clusters = self.sample.clusters.as_ref();
        let weights = self.sample.weights.as_ref();
        let units = Binned::units(features.rows(), clusters);
        let drawn = crate::numeric::blocks::map(plan.bags, |bag| {
            let drawn = plan.draws(&units, bag, seed).zip(bag * plan.sampling.bag..);
            let filled = drawn.map(|((drawn, _), t)| {
                let mut fill = drawn.fill;
                fill.retain(|row| weights.is_none_or(|w| w[*row as usize] > 0.0));
                let grove = Grove::of(self.ensemble.trees[t].clone(), &fill, codes);
                (grove, drawn.seen)
            });
            filled.collect::<Vec<_>>()
        });
        let (groves, seen) = drawn.into_iter().flatten().unzip();
        Ok((groves, Seen(seen)))
    }
}
