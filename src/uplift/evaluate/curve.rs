//! Uplift curves from doubly robust scores.

use super::rate::{Rate, RateWeights, half_sample_errors, rank_sums, rates};
use crate::causal::ArmScores;
use crate::causal::units::{Units, check_column, contrast_arms};
use crate::error::{Error, Result};
use crate::inference::Estimate;
use crate::numeric::Seed;
use crate::report::shown;
use crate::report::{Cell, Table, p_text};
use crate::uplift::path::{Path, Step};
use crate::uplift::shape::{Shape, steps};
use serde::{Deserialize, Serialize};

/// How much is gained by treating those of highest priority first. With scores `Γ` of the effect of an arm and `U` the rank of a row's
/// priority (the share of rows above it), the curves at a share q are
///
/// - gain `G(q) = E[Γ 1{U ≤ q}]`: what treating the share adds to the mean outcome of all (Qini curve);
/// - uplift `G(q)/q`: the mean effect among those treated (uplift@k);
/// - excess `G(q) − q E[Γ]`: the gain over treating as many at random;
/// - `TOC(q) = G(q)/q − E[Γ]`: the targeting operator characteristic;
///
/// and their areas are AUTOC, the Qini coefficient and AUUC ([`RateWeights`]). An AUTOC or Qini coefficient of zero means that the priorities
/// say nothing of effects. Rows of equal priority are treated in equal parts, so curves are straight lines over them, and areas are exact
/// integrals of these curves: neither the order of rows nor the scale of weights matters, and a weight of two is the row twice.
/// grf adds up the curves at the ranks instead, `AUTOC = Σ_j TOC(j/n)/n` and `Qini = Σ_j j TOC(j/n)/n²`, which differs by the order of `log(n)/n`;
/// [`UpliftCurve::areas_at_ranks`] does that.
///
/// Errors are from influence functions that take account of estimated ranks; rows, or clusters when the scores have them, are independent.
/// The priorities must not be made from the outcomes of the same rows: predict them out of fold, or from other data.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `arm`, `control` | the second and the first | whose effect, against which arm | arms of the scores |
/// | `at` | 0.1, 0.2, …, 1 | shares that the table shows | (0, 1] |
/// | `points` | 100 | points of the curves | 2 to 10 000 |
/// | `level` | 0.95 | of intervals and bands | (0, 1) |
/// | `areas_at_ranks` | no | areas as sums over rows, as in grf | |
/// | `half_samples` | none | errors of the areas from so many half-samples instead; needs `seed` | 20 or more |
///
/// # Errors
/// [`Error::LengthMismatch`] and [`Error::OutOfRange`] for priorities that are not one finite number a row;
/// [`Error::InvalidOption`], [`Error::SeedRequired`].
///
/// # References
/// Yadlowsky, S., Fleming, S., Shah, N., Brunskill, E. & Wager, S. (2025). Evaluating treatment prioritization rules via rank-weighted
/// average treatment effects. *JASA* 120, 38–51. doi:10.1080/01621459.2024.2393466. Radcliffe, N. J. (2007). Using control groups to
/// target on predicted lift. *Direct Marketing Analytics Journal*, 14–21.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let scores = ArmScores::new(["none", "coupon"], vec![vec![0.0; 4], vec![4.0, 2.0, 0.0, -2.0]])?;
/// let curve = UpliftCurve::new().at(&[0.5, 1.0]).fit(&scores, &[9.0, 5.0, 2.0, 1.0])?;
/// let half = &curve.shown()[0];
/// assert_eq!((half.gain.estimate, half.uplift.estimate, half.excess.estimate), (1.5, 3.0, 1.0));
/// assert!((curve.qini().estimate - 0.625).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UpliftCurve {
    arm: Option<String>,
    control: Option<String>,
    #[serde(flatten)]
    shape: Shape,
    at_ranks: bool,
    half_samples: Option<usize>,
    seed: Option<Seed>,
}

impl Default for UpliftCurve {
    fn default() -> Self {
        Self::new()
    }
}

/// The curves at one share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpliftPoint {
    /// The share treated, those of highest priority first.
    pub share: f64,
    /// What treating them adds to the mean outcome of all.
    pub gain: Estimate,
    /// The mean effect among them.
    pub uplift: Estimate,
    /// The gain over treating as many at random.
    pub excess: Estimate,
    /// The mean effect among them less that of all.
    pub toc: Estimate,
}

/// What [`UpliftCurve`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpliftCurveFit {
    pub(super) arm: String,
    pub(super) control: String,
    rows: usize,
    clusters: Option<usize>,
    pub(super) level: f64,
    average: Estimate,
    autoc: Estimate,
    qini: Estimate,
    auuc: Estimate,
    shown: Vec<UpliftPoint>,
    pub(super) points: Vec<UpliftPoint>,
    errors: String,
}

impl UpliftCurve {
    /// The default curves.
    pub fn new() -> Self {
        Self {
            arm: None,
            control: None,
            shape: Shape::new(steps(10, 1.0)),
            at_ranks: false,
            half_samples: None,
            seed: None,
        }
    }

    /// The arm whose effect is ranked.
    pub fn arm(mut self, arm: impl Into<String>) -> Self {
        self.arm = Some(arm.into());
        self
    }

    /// The arm it is compared with.
    pub fn control(mut self, arm: impl Into<String>) -> Self {
        self.control = Some(arm.into());
        self
    }

    /// The shares that the table shows.
    pub fn at(mut self, shares: &[f64]) -> Self {
        self.shape.at = shares.to_vec();
        self
    }

    /// How many points the curves have.
    pub fn points(mut self, points: usize) -> Self {
        self.shape.points = points;
        self
    }

    /// The level of intervals and bands.
    pub fn level(mut self, level: f64) -> Self {
        self.shape.level = level;
        self
    }

    /// Adds up the areas at the ranks of rows, to the digits of `rank_average_treatment_effect` of grf, instead of integrating the curves. (Errors by
    /// influence functions are the same.)
    pub fn areas_at_ranks(mut self, at_ranks: bool) -> Self {
        self.at_ranks = at_ranks;
        self
    }

    /// Takes the errors of the areas from this many half-samples of rows or clusters, as grf does, instead of influence functions.
    pub fn half_samples(mut self, draws: usize) -> Self {
        self.half_samples = Some(draws);
        self
    }

    /// The seed of half-samples.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// The curves of one priority per row, higher is treated first.
    ///
    /// # Errors
    /// See [`UpliftCurve`].
    pub fn fit(&self, scores: &ArmScores, priority: &[f64]) -> Result<UpliftCurveFit> {
        self.check()?;
        let ranked = self.rank(scores, "priority", priority)?;
        let Ranked {
            units,
            effects,
            path,
            ..
        } = &ranked;
        let kinds = [RateWeights::Autoc, RateWeights::Qini, RateWeights::Auuc];
        let found = self.areas(&ranked, kinds);
        let mut names = ["AUTOC", "Qini", "AUUC"].into_iter();
        let mut areas = found.map(|rate| {
            let name = names.next().unwrap_or_default();
            units.of_contributions(name, rate.estimate, &rate.contributions)
        });
        let mut errors = "influence functions".to_owned();
        if let Some(draws) = self.half_samples {
            let seed = self.seed.ok_or_else(|| Error::SeedRequired {
                what: "the half-sample bootstrap of UpliftCurve".to_owned(),
            })?;
            let drawn = (draws, seed);
            let found = half_sample_errors(path, units, effects, &kinds, self.at_ranks, drawn);
            for (area, error) in areas.iter_mut().zip(found) {
                area.std_error = error;
            }
            errors = format!("influence functions, those of areas from {draws} half-samples");
        }
        let grid = self.shape.steps(1.0);
        let mut shares = [grid.as_slice(), &self.shape.at].concat();
        shares.sort_by(f64::total_cmp);
        shares.dedup();
        let all = ranked.points(&shares);
        let only = |wanted: &[f64]| -> Vec<UpliftPoint> {
            let asked = all.iter().filter(|p| wanted.contains(&p.share));
            asked.cloned().collect()
        };
        let [autoc, qini, auuc] = areas;
        Ok(UpliftCurveFit {
            rows: scores.len(),
            clusters: units.clusters.as_ref().map(|_| units.count),
            level: self.shape.level,
            average: units.average("average effect", effects),
            autoc,
            qini,
            auuc,
            shown: only(&self.shape.at),
            points: only(&grid),
            arm: ranked.arm.clone(),
            control: ranked.control.clone(),
            errors,
        })
    }

    /// Areas with the contributions of units to their errors.
    pub(super) fn areas<const K: usize>(&self, of: &Ranked, kinds: [RateWeights; K]) -> [Rate; K] {
        let (path, units, effects) = (&of.path, &of.units, &of.effects);
        let mut found = rates(path, units, effects, kinds);
        if self.at_ranks {
            let sums = rank_sums(path, units, effects, &kinds, |_| true);
            for (rate, sum) in found.iter_mut().zip(sums) {
                rate.estimate = sum;
            }
        }
        found
    }

    /// The rows in the order of their priority.
    pub(super) fn rank(&self, scores: &ArmScores, name: &str, priority: &[f64]) -> Result<Ranked> {
        check_column(name, priority, scores.len())?;
        let (arm, control) = contrast_arms(scores, self.arm.as_deref(), self.control.as_deref())?;
        let effects = scores.contrast(&arm, &control)?;
        let units = Units::of(scores);
        let path = Path::new(&units, priority, |row| Step {
            row: row as u32,
            gain: effects[row],
            cost: 1.0,
        });
        Ok(Ranked {
            arm,
            control,
            units,
            effects,
            path,
        })
    }

    pub(super) fn shares(&self) -> &[f64] {
        &self.shape.at
    }

    pub(super) fn check(&self) -> Result<f64> {
        const FEWEST_DRAWS: usize = 20;
        self.shape.check(1.0)?;
        match self.half_samples {
            Some(draws) if draws < FEWEST_DRAWS => Err(Error::invalid_option(
                "half_samples",
                draws,
                format!("at least {FEWEST_DRAWS}"),
            )),
            _ => Ok(self.shape.level),
        }
    }
}

/// Rows in the order of a priority.
pub(super) struct Ranked {
    pub(super) arm: String,
    pub(super) control: String,
    pub(super) units: Units,
    pub(super) effects: Vec<f64>,
    pub(super) path: Path,
}

impl Ranked {
    /// The curves at ascending shares.
    fn points(&self, shares: &[f64]) -> Vec<UpliftPoint> {
        /// Of the mean absolute effect: what sums over rows in another order differ by.
        const ROUNDING: f64 = 1e-12;
        let sizes: Vec<f64> = self.effects.iter().map(|e| e.abs()).collect();
        let rounding = ROUNDING * self.units.mean(&sizes);
        let totals = self.units.sums(&self.effects);
        let average: f64 = totals.iter().sum();
        let degrees_of_freedom = self.units.degrees_of_freedom();
        let traced = self.path.trace(&self.units, shares, &totals);
        let point = |(p, share): (&crate::uplift::path::PathPoint, &f64)| {
            let estimate = |name: &str, estimate: f64, std_error: f64| Estimate {
                name: format!("{name} at {share}"),
                estimate,
                std_error,
                degrees_of_freedom,
            };
            let excess = p.gain - share * average;
            // Treating all is no choice, and neither are priorities that are all equal: what is left there is rounding.
            let none = *share >= 1.0 || excess.abs() <= rounding;
            let excess = if none { 0.0 } else { excess };
            let excess_error = if *share >= 1.0 { 0.0 } else { p.excess_error };
            UpliftPoint {
                share: *share,
                gain: estimate("gain", p.gain, p.gain_error),
                uplift: estimate("uplift", p.gain / share, p.gain_error / share),
                excess: estimate("excess", excess, excess_error),
                toc: estimate("TOC", excess / share, excess_error / share),
            }
        };
        traced.iter().zip(shares).map(point).collect()
    }
}

impl UpliftCurveFit {
    /// The average effect.
    pub fn average(&self) -> &Estimate {
        &self.average
    }

    /// `∫ TOC(q) dq`.
    pub fn autoc(&self) -> &Estimate {
        &self.autoc
    }

    /// The Qini coefficient: the area between the gain curve and the line of treating at random.
    pub fn qini(&self) -> &Estimate {
        &self.qini
    }

    /// The area under the gain curve.
    pub fn auuc(&self) -> &Estimate {
        &self.auuc
    }

    /// The curves at the shares that were asked for.
    pub fn shown(&self) -> &[UpliftPoint] {
        &self.shown
    }

    /// The curves at equal steps.
    pub fn points(&self) -> &[UpliftPoint] {
        &self.points
    }

    /// Areas, and the curves at the shares asked for.
    pub fn table(&self) -> Table {
        let title = format!("Uplift of {} against {}", self.arm, self.control);
        let percent = self.level * 100.0;
        let mut table = Table::new(title).columns([
            "Share treated",
            "Gain",
            "Std. error",
            "Uplift",
            "Std. error",
            "TOC",
            "Std. error",
            "p (TOC = 0)",
        ]);
        for point in &self.shown {
            let mut row = vec![Cell::percent(point.share, 1)];
            let estimates = [&point.gain, &point.uplift, &point.toc];
            let count = if point.share < 1.0 { 3 } else { 2 };
            for estimate in &estimates[..count] {
                row.push(Cell::significant(estimate.estimate, 4));
                row.push(Cell::significant(estimate.std_error, 3).parenthesised());
            }
            if count == 3 {
                row.push(Cell::p_value(point.toc.p_value()));
            }
            table = table.row(row);
        }
        for area in [&self.average, &self.autoc, &self.qini, &self.auuc] {
            let ends = area.confidence_interval(self.level);
            let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
            table = table.summary([
                Cell::text(area.name.as_str()),
                Cell::significant(area.estimate, 4),
                Cell::significant(area.std_error, 3).parenthesised(),
                Cell::text(p_text(area.p_value())),
                Cell::text(format!("{percent} %:")),
                Cell::significant(low, 4),
                Cell::significant(high, 4),
            ]);
        }
        let sample = match self.clusters {
            None => format!("{} rows", Cell::count(self.rows)),
            Some(clusters) => format!(
                "{} rows in {} clusters",
                Cell::count(self.rows),
                Cell::count(clusters)
            ),
        };
        table.note(format!("{sample}; errors from {}.", self.errors))
    }
}

shown!(UpliftCurveFit);
