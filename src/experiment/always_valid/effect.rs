//! Confidence sequences of any estimate that comes with a standard error: differences of arms, ratios, adjusted effects.

use super::mixture::{MixtureBoundary, positive};
use super::stitched::StitchedBoundary;
use super::track::{ConfidenceLook, Statement, Track, sequence, sided};
use crate::error::{Error, Result};
use crate::experiment::Effect;
use crate::inference::Alternative;
use serde::{Deserialize, Serialize};

/// Rows before the sequence speaks, unless told otherwise.
const FIRST_ROWS: u64 = 100;

/// A confidence sequence of an effect θ from its estimate and standard error at each look: the asymptotic confidence sequence, whose test is the
/// mixture sequential probability ratio test with the estimated variance. With information `v = 1/se²` and the normal mixture of strength ρ,
///
/// `M = √(ρ/(v+ρ)) exp{(θ̂ − θ₀)² v²/(2(v+ρ))}`, `p = 1/max M`, `θ̂ ± se √{(1 + ρ/v) (ln(1 + v/ρ) + 2 ln(1/α))}`.
///
/// The estimate may be any that is asymptotically a mean of independent rows: a difference of means, a ratio, an effect adjusted by covariates, a
/// weighted one. Clustered errors need cluster totals as rows. It is asymptotic: the mean of a few rows is not normal, so it says
/// nothing before `first_rows`. Between arms of one size it is robust, since skews cancel: rates of 1 % in two arms left its 95 % intervals in 2 % of runs when looked at
/// every 100 rows. Very unequal arms with rare events or heavy tails want more rows first (see [`MeanSequence`](super::MeanSequence)).
///
/// | constructor | ρ | meaning |
/// |---|---|---|
/// | [`planned`](Self::planned) | `v · planned/rows / {2 ln(1/α) + ln(1 + 2 ln(1/α))}` | narrowest when this many rows of all arms are in |
/// | [`prior_variance`](Self::prior_variance) | `1/τ²` | the sequential test of Johari et al. with effects N(θ₀, τ²) as alternative |
/// | [`stitched`](Self::stitched) | | the curve of the iterated logarithm in the place of the mixture, low from this many rows on |
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0.95 | confidence of the whole sequence | (0, 1), one-sided (½, 1) |
/// | `null` | 0 | θ₀ | finite |
/// | `alternative` | two-sided | side of test and interval | |
/// | `first_rows` | 100 | rows before the sequence speaks | any |
///
/// # Errors
/// [`Error::InvalidOption`] for a plan or τ² that is not positive (a prior without mass), standard errors that are negative or not finite, an estimate
/// that is not finite, rows fewer than at the look before, an effect on another metric or arm than at the first look, options set after a look.
///
/// # References
/// - Johari, R., Koomen, P., Pekelis, L. & Walsh, D. (2022). Always valid inference: continuous monitoring of A/B tests. *Operations Research*
///   70(3), 1806–1821. doi:10.1287/opre.2021.2135
/// - Waudby-Smith, I., Arbour, D., Sinha, R., Kennedy, E. H. & Ramdas, A. (2024). Time-uniform central limit theory and asymptotic confidence
///   sequences. *Annals of Statistics* 52(6), 2613–2640. doi:10.1214/24-AOS2408
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let mut effect = EffectSequence::prior_variance(0.01)?;
/// effect.observe_estimate("week 1", 1_000, 0.10, (2.0_f64 / 1_000.0).sqrt())?;
/// effect.observe_estimate("week 2", 10_000, 0.05, (2.0_f64 / 10_000.0).sqrt())?;
/// let set = effect.interval();
/// assert!((set.upper - 0.05 - 0.044_992_790_5).abs() < 1e-10);
/// assert!(effect.p_value() < 0.05);
///
/// // Effects of an experiment whose rows come in batches, adjusted by what was known before.
/// let spend = Metric::mean("spend").cuped(["before"]);
/// let mut stream = ExperimentStream::new(Experiment::new("arm", "control").metric(spend))?;
/// let mut effect = EffectSequence::planned(2_000)?;
/// for day in 0..10_u32 {
///     let rows = (0..200).map(|i| i + 200 * day);
///     let before: Vec<f64> = rows.clone().map(|i| f64::from(i * 37 % 101)).collect();
///     let arm: Vec<&str> = rows.clone().map(|i| ["control", "tool"][(i % 2) as usize]).collect();
///     let spend: Vec<f64> = rows.map(|i| f64::from(i * 37 % 101 + i * 13 % 29 + 3 * (i % 2))).collect();
///     stream.push(&Frame::new().with("arm", arm)?.with("before", before)?.with("spend", spend)?)?;
///     effect.observe(format!("day {day}"), stream.analyze()?.effect("spend", "tool")?)?;
/// }
/// assert!(effect.interval().lower > 1.0 && effect.p_value() < 0.001);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectSequence {
    track: Track,
    strength: Strength,
    first_rows: u64,
    /// Metric, arm and control of the effects, once one was seen.
    compared: Option<[String; 3]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Strength {
    Planned { rows: f64 },
    Stitched { rows: f64 },
    Prior { variance: f64 },
}

sequence!(EffectSequence);
sided!(EffectSequence);

impl EffectSequence {
    /// Narrowest at this many rows of all arms together.
    ///
    /// # Errors
    /// See [`EffectSequence`].
    pub fn planned(rows: u64) -> Result<Self> {
        positive("planned", rows as f64)?;
        Ok(Self::of(Strength::Planned { rows: rows as f64 }))
    }

    /// With the [curve of the iterated logarithm](StitchedBoundary), low from this many rows of all arms on: for an effect that is watched for ever.
    ///
    /// # Errors
    /// See [`EffectSequence`].
    pub fn stitched(rows: u64) -> Result<Self> {
        positive("stitched", rows as f64)?;
        Ok(Self::of(Strength::Stitched { rows: rows as f64 }))
    }

    /// With the variance τ² of effects under the alternative.
    ///
    /// # Errors
    /// See [`EffectSequence`].
    pub fn prior_variance(variance: f64) -> Result<Self> {
        if !(variance > 0.0 && variance.is_finite()) {
            return Err(Error::invalid_option(
                "prior_variance",
                variance,
                "positive: a prior without mass on effects can find none; the square of an effect that is worth finding will do",
            ));
        }
        Ok(Self::of(Strength::Prior { variance }))
    }

    fn of(strength: Strength) -> Self {
        Self {
            track: Track::new("effect"),
            strength,
            first_rows: FIRST_ROWS,
            compared: None,
        }
    }

    /// Rows before the sequence speaks.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] after a look.
    pub fn first_rows(mut self, rows: u64) -> Result<Self> {
        self.before_looks("first_rows", rows)?;
        self.first_rows = rows;
        Ok(self)
    }

    /// Takes in the estimate from all rows so far, those of earlier looks included.
    ///
    /// # Errors
    /// See [`EffectSequence`].
    pub fn observe_estimate(
        &mut self,
        label: impl Into<String>,
        rows: u64,
        estimate: f64,
        std_error: f64,
    ) -> Result<ConfidenceLook> {
        self.track.check()?;
        self.track.check_total(rows)?;
        if !estimate.is_finite() {
            return Err(Error::invalid_option(
                "estimate",
                estimate,
                "finite; skip looks without one",
            ));
        }
        if !(std_error >= 0.0 && std_error.is_finite()) {
            return Err(Error::invalid_option(
                "std_error",
                std_error,
                "zero or more, and finite: the square root of a variance",
            ));
        }
        let now = if rows < self.first_rows || std_error <= 0.0 {
            // An error of zero is that of data which have not varied yet, not of certainty.
            Statement::nothing(rows, estimate)
        } else {
            let information = std_error.powi(-2);
            self.statement(rows, estimate, information)?
        };
        Ok(self.track.record(label.into(), now))
    }

    /// Takes in an effect of an experiment analysed with all rows so far.
    ///
    /// # Errors
    /// See [`EffectSequence`].
    pub fn observe(&mut self, label: impl Into<String>, effect: &Effect) -> Result<ConfidenceLook> {
        let compared = [&effect.metric, &effect.arm, &effect.control].map(Clone::clone);
        if let Some(first) = self.compared.as_ref().filter(|first| **first != compared) {
            return Err(Error::invalid_option(
                "effect",
                compared.join(", "),
                format!(
                    "that of the first look, {}; keep a sequence for each",
                    first.join(", ")
                ),
            ));
        }
        let look = self.observe_estimate(
            label,
            effect.units.iter().sum(),
            effect.difference.estimate,
            effect.difference.std_error,
        )?;
        if self.compared.is_none() {
            self.track.name = format!("{}: {} against {}", compared[0], compared[1], compared[2]);
        }
        self.compared = Some(compared);
        Ok(look)
    }

    fn statement(&self, rows: u64, estimate: f64, information: f64) -> Result<Statement> {
        let n = rows as f64;
        let mixture = match self.strength {
            Strength::Stitched { rows: start } => {
                let curve = StitchedBoundary::new(start)?;
                let slope = (information * n).sqrt();
                return (self.track).stitched_statement(curve, rows, estimate, n, slope);
            }
            Strength::Planned { rows: planned } => {
                self.track.normal_mixture(information * (planned / n))?
            }
            Strength::Prior { variance } => match self.track.alternative {
                Alternative::TwoSided => MixtureBoundary::normal(1.0 / variance)?,
                _ => MixtureBoundary::one_sided_normal(1.0 / variance)?,
            },
        };
        (self.track).normal_statement(mixture, rows, estimate, information, 1.0)
    }

    fn method(&self) -> String {
        let tuning = match self.strength {
            Strength::Planned { rows } => format!("planned for {rows} rows"),
            Strength::Stitched { rows } => format!("stitched, low from {rows} rows on"),
            Strength::Prior { variance } => format!("prior variance {variance}"),
        };
        format!("Asymptotic, from {} rows on, {tuning}", self.first_rows)
    }
}
