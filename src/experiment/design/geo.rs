//! Geo experiments: regions are treated, in pairs of like markets.

use super::analysis::DesignFit;
use super::assigned::Assigned;
use super::pairs::{assign_pairs, closest};
use crate::data::{Frame, MISSING};
use crate::error::{Error, Result};
use crate::inference::{Estimate, RandomizationFit};
use crate::numeric::Seed;
use serde::{Deserialize, Serialize};

/// A geo experiment on a panel with one row for every region and time: regions are matched in pairs by the squared distance of their
/// outcomes over the times before the experiment (the best pairing of up to 16 regions, greedy beyond), and one of each pair is treated.
///
/// ```
/// use cocreate::prelude::*;
/// let (mut geo, mut week, mut sales) = (vec![], vec![], vec![]);
/// for g in 0..10_u32 {
///     for t in 0..40_u32 {
///         geo.push(format!("region {g}"));
///         week.push(f64::from(t));
///         sales.push(100.0 + 20.0 * f64::from(g) + f64::from(t) + f64::from((g * 31 + t * 17) % 13));
///     }
/// }
/// let panel = Frame::new().with("geo", geo)?.with("week", week)?.with("sales", sales.clone())?;
/// // Treated from week 30 on; the panel so far decides the pairs.
/// let assigned = GeoExperiment::new("geo", "week", "sales").assign(&panel, 30.0, 7)?;
/// let exposed = assigned.exposed(&panel)?;
/// let after: Vec<f64> = sales.iter().zip(&exposed).map(|(y, z)| y + if *z { 15.0 } else { 0.0 }).collect();
/// let panel = panel.replace("sales", after)?;
/// let effect = assigned.analyze(&panel)?.coefficient("treated - control")?;
/// assert!((effect.estimate - 15.0).abs() < 3.0);
/// let regression = assigned.time_based_regression(&panel)?;
/// assert!((regression.average.estimate - 15.0).abs() < 3.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for an odd number of regions, a panel with gaps, or fewer than three times before the start; [`Error::ColumnNotFound`];
/// [`Error::OutOfRange`] for missing outcomes; [`Error::MissingClusters`].
///
/// # References
/// Vaver & Koehler (2011), *Measuring Ad Effectiveness Using Geo Experiments*, Google; Kerman, Wang & Vaver (2017), *Estimating Ad
/// Effectiveness using Geo Experiments in a Time-Based Regression Framework*, Google.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeoExperiment {
    geo: String,
    time: String,
    outcome: String,
}

/// The outcome of every region at every time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Panel {
    pub(crate) geos: Vec<String>,
    pub(crate) times: Vec<f64>,
    /// One series a region.
    pub(crate) series: Vec<Vec<f64>>,
}

impl GeoExperiment {
    /// The columns of region, time and outcome.
    pub fn new(
        geo: impl Into<String>,
        time: impl Into<String>,
        outcome: impl Into<String>,
    ) -> Self {
        Self {
            geo: geo.into(),
            time: time.into(),
            outcome: outcome.into(),
        }
    }

    /// Pairs the regions by their outcomes at the times before `start`, and draws who is treated from `start` on.
    ///
    /// # Errors
    /// See [`GeoExperiment`].
    pub fn assign(&self, panel: &Frame, start: f64, seed: impl Into<Seed>) -> Result<GeoAssigned> {
        let panel = self.panel(panel)?;
        let before = panel.times.iter().filter(|t| **t < start).count();
        let assigned = pair_up(&panel, before, seed.into())?;
        Ok(GeoAssigned {
            design: self.clone(),
            geos: panel.geos,
            start,
            assigned,
        })
    }

    /// The panel as series, which must be complete.
    pub(crate) fn panel(&self, frame: &Frame) -> Result<Panel> {
        let groups = super::plan::whole(frame, &self.geo)?;
        let time = super::plan::finite(frame, &self.time)?;
        let y = super::plan::finite(frame, &self.outcome)?;
        let mut times = time.clone();
        times.sort_by(f64::total_cmp);
        times.dedup_by(|a, b| a.total_cmp(b).is_eq());
        let mut series = vec![vec![f64::NAN; times.len()]; groups.count()];
        for row in 0..frame.rows() {
            let Ok(at) = times.binary_search_by(|t| t.total_cmp(&time[row])) else {
                continue; // every time is in the list
            };
            let cell = &mut series[groups.codes[row] as usize][at];
            if !cell.is_nan() {
                return Err(Error::invalid_option(
                    "panel",
                    format!(
                        "two rows of `{}` at time {}",
                        groups.levels[groups.codes[row] as usize], time[row]
                    ),
                    "of one row for every region and time; sum them first",
                ));
            }
            *cell = y[row];
        }
        for (geo, values) in groups.levels.iter().zip(&series) {
            if let Some(at) = values.iter().position(|v| v.is_nan()) {
                return Err(Error::invalid_option(
                    "panel",
                    format!("without `{geo}` at time {}", times[at]),
                    "complete: one row for every region and time (a zero, if nothing was sold)",
                ));
            }
        }
        Ok(Panel {
            geos: groups.levels.to_vec(),
            times,
            series,
        })
    }
}

/// Matched pairs of regions by the squared distance of their series over the first `before` times.
pub(crate) fn pair_up(panel: &Panel, before: usize, seed: Seed) -> Result<Assigned> {
    const FEWEST: usize = 3;
    if before < FEWEST || before > panel.times.len() {
        return Err(Error::invalid_option(
            "start",
            format!("after {before} times"),
            format!("after at least {FEWEST} times that show how regions differ"),
        ));
    }
    let pairs = closest(panel.geos.len(), |i, j| {
        let series = panel.series[i][..before]
            .iter()
            .zip(&panel.series[j][..before]);
        series.map(|(a, b)| (a - b).powi(2)).sum()
    })?;
    let arms = vec!["control".to_owned(), "treated".to_owned()];
    assign_pairs(pairs, panel.geos.len(), arms, seed)
}

/// A drawn [`GeoExperiment`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeoAssigned {
    design: GeoExperiment,
    geos: Vec<String>,
    start: f64,
    assigned: Assigned,
}

/// The effect by time-based regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeBasedRegression {
    /// Effect a treated region and time.
    pub average: Estimate,
    /// Effect on all treated regions over all times of the experiment.
    pub cumulative: Estimate,
    /// Intercept and slope of the treated total on the control total before the experiment.
    pub coefficients: [f64; 2],
    /// Times before and in the experiment.
    pub times: [usize; 2],
}

impl std::fmt::Display for TimeBasedRegression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {}", self.average, self.cumulative)
    }
}

crate::report::notebook_line!(TimeBasedRegression);

impl GeoAssigned {
    /// The treated regions.
    pub fn treated(&self) -> Vec<&str> {
        let pairs = self.geos.iter().zip(self.assigned.codes());
        pairs
            .filter(|(_, arm)| **arm == 1)
            .map(|(geo, _)| geo.as_str())
            .collect()
    }

    /// The pairs, control first.
    pub fn pairs(&self) -> Vec<[&str; 2]> {
        let strata = self.assigned.strata_by_row();
        let mut pairs = vec![[""; 2]; self.geos.len() / 2];
        for ((geo, pair), arm) in self.geos.iter().zip(strata).zip(self.assigned.codes()) {
            pairs[pair as usize][*arm as usize] = geo;
        }
        pairs
    }

    /// Whether each row of a panel is treated: a treated region from the start on.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`]; [`Error::InvalidOption`] for a region that was not assigned.
    pub fn exposed(&self, panel: &Frame) -> Result<Vec<bool>> {
        let groups = panel.groups(&self.design.geo)?;
        let time = panel.numeric(&self.design.time)?;
        let arms = groups
            .levels
            .iter()
            .map(|geo| {
                let at = self.geos.iter().position(|g| g == geo);
                at.map(|at| self.assigned.codes()[at] == 1).ok_or_else(|| {
                    Error::invalid_option("panel", geo, "of the regions that were assigned")
                })
            })
            .collect::<Result<Vec<bool>>>()?;
        let rows = groups.codes.iter().zip(time.values().iter());
        Ok(rows
            .map(|(code, time)| *code != MISSING && arms[*code as usize] && *time >= self.start)
            .collect())
    }

    /// Difference in differences within pairs: for each region the mean since the start less the mean before it, compared within pairs; the
    /// variance is that of the pairs' differences, whatever the correlation over time.
    ///
    /// # Errors
    /// See [`GeoExperiment`]; [`Error::InvalidOption`] for another set of regions or without any time since the start.
    pub fn analyze(&self, panel: &Frame) -> Result<DesignFit> {
        self.assigned.analyze(&self.changes(panel)?, CHANGE)
    }

    /// Fisher's randomisation test of those changes, exchanging regions within pairs.
    ///
    /// # Errors
    /// Those of [`analyze`](Self::analyze) and of [`Assigned::randomization_test`].
    pub fn randomization_test(
        &self,
        panel: &Frame,
        draws: usize,
        seed: impl Into<Seed>,
    ) -> Result<RandomizationFit> {
        let changes = self.changes(panel)?;
        self.assigned
            .randomization_test(&changes, CHANGE, "treated", draws, seed)
    }

    fn changes(&self, panel: &Frame) -> Result<Frame> {
        let (panel, before) = self.split(panel)?;
        let after = panel.times.len() - before;
        let change = |series: &Vec<f64>| {
            series[before..].iter().sum::<f64>() / after as f64
                - series[..before].iter().sum::<f64>() / before as f64
        };
        Frame::new().with(
            CHANGE,
            panel.series.iter().map(change).collect::<Vec<f64>>(),
        )
    }

    /// Regression of the treated total on the control total before the start, which predicts the treated total without treatment: the effect
    /// is what was observed less that. With m times in the experiment the cumulative effect has variance
    /// `σ² (m + m² (1/n + (x̄_m − x̄)²/S_xx))` and t(n − 2).
    ///
    /// It assumes that the relation of both totals would have gone on, and errors independent over time.
    ///
    /// # Errors
    /// Those of [`analyze`](Self::analyze); [`Error::Unidentified`] when the control total does not vary before the start.
    pub fn time_based_regression(&self, panel: &Frame) -> Result<TimeBasedRegression> {
        let (panel, before) = self.split(panel)?;
        let total = |arm: u32, t: usize| -> f64 {
            let mine = panel.series.iter().zip(self.assigned.codes());
            mine.filter(|(_, a)| **a == arm).map(|(s, _)| s[t]).sum()
        };
        let x: Vec<f64> = (0..panel.times.len()).map(|t| total(0, t)).collect();
        let y: Vec<f64> = (0..panel.times.len()).map(|t| total(1, t)).collect();
        let (n, m) = (before as f64, (panel.times.len() - before) as f64);
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let (x_mean, y_mean) = (mean(&x[..before]), mean(&y[..before]));
        let sxx: f64 = x[..before].iter().map(|x| (x - x_mean).powi(2)).sum();
        let sxy: f64 = (0..before).map(|t| (x[t] - x_mean) * (y[t] - y_mean)).sum();
        if sxx <= 0.0 {
            return Err(Error::Unidentified {
                what: "the regression of treated on control regions".to_owned(),
                needs: "control regions whose outcome varies before the start".to_owned(),
            });
        }
        let slope = sxy / sxx;
        let residual = |t: usize| y[t] - y_mean - slope * (x[t] - x_mean);
        let variance = (0..before).map(|t| residual(t).powi(2)).sum::<f64>() / (n - 2.0);
        let cumulative: f64 = (before..panel.times.len()).map(residual).sum();
        let gap = mean(&x[before..]) - x_mean;
        let error = (variance * (m + m * m * (1.0 / n + gap * gap / sxx))).sqrt();
        let cells = m * self.treated().len() as f64;
        let record = |name: &str, scale: f64| Estimate {
            name: name.to_owned(),
            estimate: cumulative / scale,
            std_error: error / scale,
            degrees_of_freedom: n - 2.0,
        };
        Ok(TimeBasedRegression {
            average: record("effect a treated region and time", cells),
            cumulative: record("cumulative effect", 1.0),
            coefficients: [y_mean - slope * x_mean, slope],
            times: [before, panel.times.len() - before],
        })
    }

    /// The panel of the assigned regions, and the number of times before the start.
    fn split(&self, frame: &Frame) -> Result<(Panel, usize)> {
        let panel = self.design.panel(frame)?;
        if panel.geos != self.geos {
            return Err(Error::invalid_option(
                "panel",
                format!("of {} regions", panel.geos.len()),
                format!("of the {} regions that were assigned", self.geos.len()),
            ));
        }
        let before = panel.times.iter().filter(|t| **t < self.start).count();
        if before < 3 || before == panel.times.len() {
            return Err(Error::invalid_option(
                "panel",
                format!("{before} of {} times before the start", panel.times.len()),
                "with at least three times before the start and one since",
            ));
        }
        Ok((panel, before))
    }
}

/// The column of changes by region.
const CHANGE: &str = "change";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::Inference;

    fn panel(geos: u32, times: u32) -> Frame {
        let cells: Vec<(u32, u32)> = (0..geos)
            .flat_map(|g| (0..times).map(move |t| (g, t)))
            .collect();
        let y = |(g, t): &(u32, u32)| f64::from(10 * (g / 2) + t + (g * 7 + t * 5) % 4);
        Frame::new()
            .with(
                "g",
                cells
                    .iter()
                    .map(|(g, _)| format!("g{g:02}"))
                    .collect::<Vec<_>>(),
            )
            .unwrap()
            .with(
                "t",
                cells.iter().map(|(_, t)| f64::from(*t)).collect::<Vec<_>>(),
            )
            .unwrap()
            .with("y", cells.iter().map(y).collect::<Vec<_>>())
            .unwrap()
    }

    #[test]
    fn markets_are_paired_with_their_like() {
        let assigned = GeoExperiment::new("g", "t", "y")
            .assign(&panel(8, 20), 15.0, 3)
            .unwrap();
        assert_eq!(assigned.treated().len(), 4);
        for [control, treated] in assigned.pairs() {
            let number = |geo: &str| geo[1..].parse::<u32>().unwrap();
            assert_eq!(
                number(control) / 2,
                number(treated) / 2,
                "{control} {treated}"
            );
        }
    }

    #[test]
    fn regression_over_time_by_least_squares() {
        let frame = panel(6, 24);
        let assigned = GeoExperiment::new("g", "t", "y")
            .assign(&frame, 18.0, 1)
            .unwrap();
        let fit = assigned.time_based_regression(&frame).unwrap();
        // The same by least squares with one dummy for all times of the experiment, whose coefficient is the mean residual there.
        let p = assigned.design.panel(&frame).unwrap();
        let total = |arm: u32| -> Vec<f64> {
            (0..24)
                .map(|t| {
                    (0..6)
                        .filter(|g| assigned.assigned.codes()[*g] == arm)
                        .map(|g| p.series[g][t])
                        .sum()
                })
                .collect()
        };
        let (x, y) = (total(0), total(1));
        // Prediction by hand from the pre-period regression.
        let data = Frame::new()
            .with("x", x[..18].to_vec())
            .unwrap()
            .with("y", y[..18].to_vec())
            .unwrap();
        let ols = crate::regression::Ols::new("y ~ x")
            .covariance(crate::inference::Covariance::Classical)
            .fit(&data)
            .unwrap();
        let (a, b) = (ols.estimates()[0], ols.estimates()[1]);
        let gap: f64 = (18..24).map(|t| y[t] - a - b * x[t]).sum();
        assert!((fit.cumulative.estimate - gap).abs() < 1e-9);
        let x_sum: f64 = x[18..].iter().sum();
        let v = ols.covariance();
        let parameters =
            36.0 * v[(0, 0)] + 2.0 * 6.0 * x_sum * v[(0, 1)] + x_sum * x_sum * v[(1, 1)];
        let rss: f64 = (0..18).map(|t| (y[t] - a - b * x[t]).powi(2)).sum();
        let error = (parameters + 6.0 * rss / 16.0).sqrt();
        assert!((fit.cumulative.std_error / error - 1.0).abs() < 1e-8);
        assert_eq!(fit.times, [18, 6]);
    }

    #[test]
    fn nonsense_is_refused() {
        let design = GeoExperiment::new("g", "t", "y");
        assert!(design.assign(&panel(7, 20), 15.0, 1).is_err());
        assert!(design.assign(&panel(8, 20), 2.0, 1).is_err());
        let gap = panel(8, 20).head(159);
        let error = design.assign(&gap, 15.0, 1).unwrap_err();
        assert!(error.to_string().contains("without `g07`"), "{error}");
        let assigned = design.assign(&panel(8, 20), 15.0, 1).unwrap();
        assert!(assigned.analyze(&panel(6, 20)).is_err());
        assert!(assigned.analyze(&panel(8, 12)).is_err());
    }
}
