//! The causal survival forest: how much longer until an event because of a treatment.

use super::causal::CausalForest;
use super::causal_survival_fit::CausalSurvivalForestFit;
use super::censoring::{Curves, SurvivalTarget};
use super::fit::CausalForestFit;
use super::moment::Moment;
use super::nuisance::{ForestNuisances, LEAST_TREES, TREES_SHARE};
use super::options::{TreeOptions, tree_options};
use super::plan::Plan;
use super::prepare::{Part, Prepared};
use super::survival::{SurvivalForest, ended};
use crate::causal::builders::row_columns;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::numeric::Progress;
use serde::{Deserialize, Serialize};

/// A forest of honest trees for the effect of a treatment on the time T until an event, when some rows are censored before it. With f(T) one of
///
/// | target | f(T) | |
/// |---|---|---|
/// | [`SurvivalTarget::RestrictedMean`] | min(T, h) | mean time without the event until h |
/// | [`SurvivalTarget::Probability`] | 1{T > h} | probability to be without the event after h |
///
/// it estimates `τ(x) = E[f(T(1)) − f(T(0)) | X = x]`, which needs that nothing but X drives both treatment and time, that every x has some of
/// both treatments and some rows that are followed until h, and that the time C of censoring is independent of T given X and the treatment.
///
/// A row seen until U = min(T, C, h) counts for what is left of f when censoring is taken out,
///
/// `Γ = f/G(U−) − Σ_{s<U} Q(s) d(1/G(s))` if f is known, `Γ = Q(U)/G(U) − Σ_{s≤U} Q(s) d(1/G(s))` if not,
///
/// with `G(s) = P(C > s | X, W)` and `Q(s) = E[f(T) | T > s, X, W]` from survival forests, out of bag, of each arm by itself (of all rows with the treatment
/// as a feature when it is not 0 or 1). Γ has the mean of f when either curve is right. The local moment is that of [`CausalForest`] with
/// `Ỹ = Γ − E[Γ | X]`: where G steps at the same times as the sum, `1/G(U) − Σ d(1/G) = 1`, and the numerator and denominator of Cui et al.
/// are `W̃ (Γ − m)` and `W̃²`. Without censoring it is the causal forest of f(T).
///
/// G is kept above 0.05, so that no row counts for more than twenty. An event comes before a censoring of the same time.
///
/// Options, defaults and averages are those of [`CausalForest`] without instrument and tuning; `nuisances` learn `E[Γ | X]` and `E[W | X]`. The survival
/// forests have a quarter of the trees. Every target of one time is learned on the same folds and draws, those of the causal forest of that column.
///
/// # Errors
/// Those of [`CausalForest`]; [`Error::OutOfRange`] for negative times, and events other than 0 and 1; [`Error::InvalidOption`] for a horizon that is not
/// above 0; [`Error::Unidentified`] without an event before the horizon, and for an arm whose rows are censored before it, all or almost.
///
/// # References
/// - Cui, Kosorok, Sverdrup, Wager & Zhu (2023), *JRSS-B* 85(2), doi:10.1093/jrsssb/qkac001.
/// - Rubin & van der Laan (2007), *International Journal of Biostatistics* 3(1), doi:10.2202/1557-4679.1052 (outcomes freed of censoring).
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let n = 1200_usize;
/// let age: Vec<f64> = (0..n).map(|i| (i * 37 % 100) as f64 / 100.0).collect();
/// let invited: Vec<f64> = (0..n).map(|i| (i * 7919 % 1009 % 2) as f64).collect();
/// // Months until a customer leaves: the invited old stay three times as long. Half are observed for at most 10 months.
/// let months: Vec<f64> = (0..n).map(|i| {
///     let stay = 4.0 * if age[i] > 0.5 { 1.0 + 2.0 * invited[i] } else { 1.0 };
///     -stay * ((i * 389 % 1201 + 1) as f64 / 1202.0).ln()
/// }).collect();
/// let seen: Vec<f64> = (0..n).map(|i| if i * 53 % 101 % 2 == 0 { 10.0 } else { 24.0 }).collect();
/// let left: Vec<f64> = (0..n).map(|i| f64::from(u8::from(months[i] <= seen[i]))).collect();
/// let followed: Vec<f64> = (0..n).map(|i| months[i].min(seen[i])).collect();
/// let frame = Frame::new().with("age", age)?.with("invited", invited)?.with("months", followed)?.with("left", left)?;
/// let forest = CausalSurvivalForest::new("months", "left", "invited", &["age"], SurvivalTarget::RestrictedMean(12.0));
/// let fit = forest.nuisances(ForestNuisances::OutOfBag).trees(200).seed(7).fit(&frame)?;
/// let gained = fit.predict(&Frame::new().with("age", vec![0.2, 0.8])?)?;
/// // 12 (1 − e⁻¹) − 4 (1 − e⁻³) months of the old, none of the young.
/// assert!(gained.estimates[0].abs() < 1.0 && (gained.estimates[1] - 3.78).abs() < 1.0);
/// let average = fit.average_effect(ForestTarget::All)?;
/// assert!((average.estimate - 1.85).abs() < 4.0 * average.std_error);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CausalSurvivalForest {
    /// Its outcome is the time.
    pub(super) causal: CausalForest,
    pub(super) event: String,
    pub(super) target: SurvivalTarget,
}

impl CausalSurvivalForest {
    /// The effect of a treatment on the time until an event (1, or 0 when it was not seen until then), as a function of these columns.
    pub fn new<S: AsRef<str>>(
        time: impl Into<String>,
        event: impl Into<String>,
        treatment: impl Into<String>,
        features: &[S],
        target: SurvivalTarget,
    ) -> Self {
        Self {
            causal: CausalForest::new(time, treatment, features),
            event: event.into(),
            target,
        }
    }

    /// A column that holds `E[f(T) | X]`.
    pub fn outcome_hat(mut self, column: impl Into<String>) -> Self {
        self.causal = self.causal.outcome_hat(column);
        self
    }

    /// A column that holds `E[W | X]`: in an experiment, the share that was treated.
    pub fn propensity_hat(mut self, column: impl Into<String>) -> Self {
        self.causal = self.causal.propensity_hat(column);
        self
    }

    /// How the means given the features are learned.
    pub fn nuisances(mut self, nuisances: ForestNuisances) -> Self {
        self.causal = self.causal.nuisances(nuisances);
        self
    }

    /// Fits to the frame.
    ///
    /// # Errors
    /// See [`CausalSurvivalForest`].
    pub fn fit(&self, frame: &Frame) -> Result<CausalSurvivalForestFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits to the frame, watched.
    ///
    /// # Errors
    /// See [`CausalSurvivalForest`]; [`Error::Cancelled`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<CausalSurvivalForestFit> {
        let (plan, seed) = self.causal.drawing()?;
        self.causal.nuisances.check()?;
        let horizon = self.target.horizon();
        if !(horizon > 0.0 && horizon.is_finite()) {
            return Err(Error::invalid_option(
                "horizon",
                horizon,
                "above 0 and finite",
            ));
        }
        let mut prepared = Prepared::new(&self.causal, &[&self.event], frame)?;
        let (times, events) = ended(frame, &self.causal.outcome, &self.event, &prepared.rows)?;
        let weight = |i: usize| prepared.weights.as_ref().map_or(1.0, |w| w[i]);
        let soon = |i: &usize| events[*i] && times[*i] <= horizon && weight(*i) > 0.0;
        if !(0..times.len()).any(|i| soon(&i)) {
            return Err(Error::Unidentified {
                what: format!("an effect on `{}` until {horizon}", self.causal.outcome),
                needs: "at least one event until then (a later horizon)".to_owned(),
            });
        }
        let curves = Curves {
            clusters: self.causal.clusters.as_deref(),
            plan: &self.curves()?,
            seed: seed.child("curves"),
            progress,
        };
        let freed = curves.free(&prepared, &times, &events, self.target)?;
        let name = self.target.of(&self.causal.outcome);
        let hat = prepared.outcome.hat.take();
        prepared.outcome = Part {
            draws: self.causal.outcome.clone(),
            ..Part::new(name, freed.outcomes, hat)
        };
        prepared.outcome.check(prepared.weights.as_deref(), 1)?;
        prepared.warnings.extend(freed.warnings);
        let causal = &self.causal;
        let effects = CausalForestFit::new(causal, frame, prepared, &plan, seed, progress)?;
        Ok(CausalSurvivalForestFit {
            forest: self.clone(),
            effects,
            followed: freed.followed,
            censored: freed.censored,
        })
    }

    /// How the survival forests are grown.
    fn curves(&self) -> Result<Plan> {
        let (base, own) = (
            SurvivalForest::new::<&str>("", "", &[]).options,
            &self.causal.options,
        );
        let options = TreeOptions {
            trees: (own.trees / TREES_SHARE).max(LEAST_TREES),
            bag_size: 1,
            ..base
        };
        options.plan(Moment::Mean, self.causal.features.len())
    }
}

row_columns!(
    CausalSurvivalForest,
    "A column of clusters: rows of a cluster are drawn, held out and summed together.",
    causal
);

tree_options!(
    CausalSurvivalForest,
    "Fewest rows on each side of the mean treatment in a child.",
    causal.options
);
