//! Power of a geo experiment by placebo experiments on its history.

use super::planner::{Planner, Setting, Shape};
use super::simulated::{Simulation, direction, planned_by_simulation, simulated};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::experiment::design::{GeoExperiment, Panel, pair_up};
use crate::numeric::Seed;
use crate::numeric::permutation::below;
use crate::numeric::special::student_t;
use rand::Rng;

/// Power of a [`GeoExperiment`] by placebo experiments on its own history; the size is the number of times of the experiment.
///
/// Every placebo experiment draws a start, pairs the regions by what came before, treats one of each pair, raises its outcomes by the
/// relative `effect` over as many times as the size says, and tests as [`GeoAssigned::analyze`](crate::experiment::design::GeoAssigned::analyze)
/// does: the t test of the pairs' differences in differences. No model of the noise is assumed, only that the future is like the past.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `history` | | panel from before the experiment | complete |
/// | `before` | half of the history | times that come before a placebo start, at least | ≥ 3 |
/// | `replications`, `seed` | 2000, required | | |
///
/// ```
/// use cocreate::prelude::*;
/// let cells = (0..12_u32).flat_map(|g| (0..60_u32).map(move |t| (g, t)));
/// let (mut geo, mut week, mut sales) = (vec![], vec![], vec![]);
/// for (g, t) in cells {
///     geo.push(f64::from(g));
///     week.push(f64::from(t));
///     sales.push(100.0 + 20.0 * f64::from(g / 2) + f64::from((g * 31 + t * 17 + g * t) % 23));
/// }
/// let history = Frame::new().with("geo", geo)?.with("week", week)?.with("sales", sales)?;
/// let planner = GeoPower::new(&GeoExperiment::new("geo", "week", "sales"), &history)?.replications(200).seed(7);
/// assert!(planner.clone().effect(0.10).power(8.0)?.power > 0.9);
/// assert!(planner.effect(0.0).power(8.0)?.power < 0.12); // placebos without effect
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`] for a history that is too short for the size; those of [`GeoExperiment`] and of the verbs
/// of [`Planner`].
#[derive(Clone, Debug, PartialEq)]
pub struct GeoPower {
    panel: Panel,
    before: usize,
    simulation: Simulation,
}

simulated!(GeoPower);

impl GeoPower {
    /// Power from this history.
    ///
    /// # Errors
    /// Those of [`GeoExperiment`].
    pub fn new(design: &GeoExperiment, history: &Frame) -> Result<Self> {
        let panel = design.panel(history)?;
        Ok(Self {
            before: panel.times.len() / 2,
            panel,
            simulation: Simulation::default(),
        })
    }

    /// Times that come before a placebo start, at least.
    pub fn before(mut self, times: usize) -> Self {
        self.before = times;
        self
    }
}

impl Planner for GeoPower {
    planned_by_simulation!();

    fn check(&self) -> Result<()> {
        const FEWEST: usize = 3;
        self.simulation.check()?;
        if self.before < FEWEST || self.before >= self.panel.times.len() {
            return Err(Error::invalid_option(
                "before",
                self.before,
                format!(
                    "from {FEWEST} to less than the {} times of the history",
                    self.panel.times.len()
                ),
            ));
        }
        pair_up(&self.panel, self.before, Seed::new(0)).map(|_| ())
    }

    fn setting(&self) -> Setting {
        let mut setting = Setting::new(
            "Geo experiment, differences in differences of pairs, placebo experiments",
            "times",
            "Relative lift",
            1.0,
        )
        .assume("Regions", self.panel.geos.len())
        .assume("Times of history", self.panel.times.len())
        .assume("Times before a placebo start, at least", self.before)
        .assume("Placebo experiments", self.simulation.replications);
        setting.direction = direction(self.simulation.effect);
        if setting.direction < 0.0 {
            setting.limit = 1.0;
        }
        setting.shape = Shape::Simulated {
            replications: self.simulation.replications,
        };
        setting
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let window = size as usize;
        let times = self.panel.times.len();
        if self.before + window > times {
            return Err(Error::invalid_option(
                "size",
                window,
                format!(
                    "at most {}: the history has {times} times, of which {} come before",
                    times - self.before,
                    self.before
                ),
            ));
        }
        let starts = (times - window - self.before + 1) as u64;
        self.simulation.share(|random| {
            let start = self.before + below(random, starts) as usize;
            let assigned = pair_up(&self.panel, start, Seed::new(random.next_u64()))?;
            let strata = assigned.strata_by_row();
            let mut differences = vec![0.0; self.panel.geos.len() / 2];
            for ((series, pair), arm) in self.panel.series.iter().zip(strata).zip(assigned.codes())
            {
                let after = series[start..start + window].iter().sum::<f64>() / window as f64;
                let before = series[..start].iter().sum::<f64>() / start as f64;
                differences[pair as usize] += if *arm == 1 {
                    after * (1.0 + effect) - before
                } else {
                    before - after
                };
            }
            let pairs = differences.len() as f64;
            let mean = differences.iter().sum::<f64>() / pairs;
            let squares: f64 = differences.iter().map(|d| (d - mean).powi(2)).sum();
            let t = mean / (squares / (pairs * (pairs - 1.0))).sqrt();
            Ok(student_t::two_sided(t, pairs - 1.0) <= self.simulation.alpha)
        })
    }
}
