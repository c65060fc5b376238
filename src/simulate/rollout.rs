//! Staggered roll-out of a tool over cohorts, with effects that change with time: where two-way fixed effects go wrong.

use super::closed::{flag, not_negative, process, seeded};
use super::generate::{data, data_flag, generate_units, oracle};
use super::oracle::{Oracle, Simulated};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use serde::{Deserialize, Serialize};

/// One cohort: the period in which its units get the tool, and how the effect goes on from there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cohort {
    /// First treated period, from 0; at or beyond the number of periods for never.
    pub start: usize,
    /// Effect in the first treated period.
    pub effect: f64,
    /// What every further period adds.
    pub growth: f64,
}

/// Units in cohorts that get a tool at different times: `y_it = α_i + λ_t + τ(cohort, t − start) + ε`. Goodman-Bacon
/// (2021) explains what two-way fixed effects then estimate; all levels are **assumed**.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `units` | 1,200 | spread evenly over the cohorts, unit i in cohort i mod number |
/// | `periods` | 12 | |
/// | `cohorts` | at 3, 6, 9, never; 1 rising by .1 | |
/// | `unit_deviation`, `noise` | 1, 1 | of α_i and ε |
/// | `trend` | .1 | λ_t = trend·t |
/// | `pretrend` | 0 | what cohorts that are ever treated gain per period without treatment (breaks parallel trends) |
///
/// **Data**: `unit`, `period`, `cohort` (start; `periods` for never), `treated`, `y`. **Oracle**: `effect` (of the
/// cell if treated), `y_0`; effects: `att` (mean over treated cells), `twfe` (what two-way fixed effects estimate in
/// expectation, Σ weights × effects), `negative_weight` (sum of the negative weights).
///
/// # Errors
/// [`Error::SeedRequired`], [`Error::InvalidOption`], [`Error::Unidentified`] when treatment does not vary within
/// units and periods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StaggeredRollout {
    /// How many units.
    pub units: usize,
    /// How many periods.
    pub periods: usize,
    /// The cohorts.
    pub cohorts: Vec<Cohort>,
    /// Deviation of α_i.
    pub unit_deviation: f64,
    /// Deviation of ε.
    pub noise: f64,
    /// λ_t per period.
    pub trend: f64,
    /// Differential trend of the ever treated.
    pub pretrend: f64,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for StaggeredRollout {
    fn default() -> Self {
        const PERIODS: usize = 12;
        let cohort = |start| Cohort {
            start,
            effect: 1.0,
            growth: 0.1,
        };
        Self {
            units: 1_200,
            periods: PERIODS,
            cohorts: [3, 6, 9, PERIODS].map(cohort).to_vec(),
            unit_deviation: 1.0,
            noise: 1.0,
            trend: 0.1,
            pretrend: 0.0,
            keep_oracle: true,
            seed: None,
        }
    }
}

process!(StaggeredRollout, units, "units");

impl StaggeredRollout {
    /// The process at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The preset in which every effect is positive and two-way fixed effects estimate a negative number: nobody is
    /// never treated, and the effects of the early grow while they serve as controls of the late.
    pub fn sign_flip() -> Self {
        Self {
            cohorts: vec![
                Cohort {
                    start: 2,
                    effect: 0.1,
                    growth: 1.0,
                },
                Cohort {
                    start: 9,
                    effect: 0.1,
                    growth: 1.0,
                },
            ],
            ..Self::default()
        }
    }

    /// Breaks parallel trends: the ever treated gain this much a period without treatment.
    pub fn misspecify(mut self, pretrend: f64) -> Self {
        self.pretrend = pretrend;
        self
    }

    /// Draws the panel.
    ///
    /// # Errors
    /// As on the type.
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "the staggered roll-out")?.child("rollout");
        not_negative("unit_deviation", self.unit_deviation)?;
        not_negative("noise", self.noise)?;
        let finite = (self.cohorts.iter()).all(|c| c.effect.is_finite() && c.growth.is_finite());
        if self.cohorts.is_empty() || self.periods < 2 || !finite {
            return Err(Error::invalid_option(
                "cohorts, periods",
                format!("{}, {}", self.cohorts.len(), self.periods),
                "at least one cohort with finite effects and two periods",
            ));
        }
        let (twfe, negative) = self.two_way_weights()?;
        let fields = [
            data("unit"),
            data("period"),
            data("cohort"),
            data_flag("treated"),
            data("y"),
            oracle("effect"),
            oracle("y_0"),
            super::generate::summed("treated_effect"),
        ];
        let made = generate_units(
            self.units,
            seed,
            &fields,
            self.keep_oracle,
            |draws, unit, out| {
                let cohort = self.cohorts[unit % self.cohorts.len()];
                let ever = flag(cohort.start < self.periods);
                let alpha = self.unit_deviation * draws.normal();
                for t in 0..self.periods {
                    let treated = flag(t >= cohort.start);
                    let tau = effect(cohort, t);
                    let time = t as f64;
                    let y0 = alpha
                        + (self.trend + self.pretrend * ever) * time
                        + self.noise * draws.normal();
                    out.extend([
                        unit as f64,
                        time,
                        cohort.start.min(self.periods) as f64,
                        treated,
                        y0 + treated * tau,
                        tau,
                        y0,
                        treated * tau,
                    ]);
                }
            },
        )?;
        let att = made.ratio("treated_effect", "treated");
        let oracle = Oracle::new(made.oracle)
            .with("att", att)
            .with("twfe", twfe)
            .with("negative_weight", negative);
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }

    /// By Frisch–Waugh the coefficient is Σ D̃·E y / Σ D̃·D with D̃ the treatment less its means by unit and period
    /// plus the grand mean, so every treated cell has weight D̃ / ΣD̃D.
    fn two_way_weights(&self) -> Result<(f64, f64)> {
        let sizes: Vec<f64> = (0..self.cohorts.len())
            .map(|c| (self.units + self.cohorts.len() - 1 - c) / self.cohorts.len())
            .map(|n| n as f64)
            .collect();
        let total: f64 = sizes.iter().sum();
        let periods = self.periods as f64;
        let d = |c: usize, t: usize| flag(t >= self.cohorts[c].start);
        let by_period = |t: usize| {
            let treated: f64 = (0..sizes.len()).map(|c| sizes[c] * d(c, t)).sum();
            treated / total
        };
        let by_cohort = |c: usize| (0..self.periods).map(|t| d(c, t)).sum::<f64>() / periods;
        let grand: f64 = (0..self.periods).map(by_period).sum::<f64>() / periods;
        let (mut bottom, mut top, mut negative) = (0.0, 0.0, 0.0);
        for (c, size) in sizes.iter().enumerate() {
            let ever = flag(self.cohorts[c].start < self.periods);
            for t in 0..self.periods {
                let residual = d(c, t) - by_cohort(c) - by_period(t) + grand;
                let mean = d(c, t) * effect(self.cohorts[c], t) + self.pretrend * ever * t as f64;
                bottom += size * residual * d(c, t);
                top += size * residual * mean;
                negative += size * d(c, t) * residual.min(0.0);
            }
        }
        if bottom <= f64::EPSILON * total {
            return Err(Error::Unidentified {
                what: "the two-way fixed effects coefficient".to_owned(),
                needs: "cohorts that start at different periods within the panel".to_owned(),
            });
        }
        Ok((top / bottom, negative / bottom))
    }
}

/// τ: the effect of a cohort in period t.
fn effect(cohort: Cohort, t: usize) -> f64 {
    if t < cohort.start {
        return 0.0;
    }
    cohort.effect + cohort.growth * (t - cohort.start) as f64
}
