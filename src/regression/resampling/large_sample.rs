//! The coefficient/p-value/sample-size chart: what becomes of an estimate and its p-value as the sample grows.

use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::{Estimate, Inference as _};
use crate::numeric::permutation::below;
use crate::numeric::{Progress, Seed, blocks};
use crate::regression::Ols;
use crate::report::{Cell, Figure, LinePlot, Page, Table};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Sizes of the default grid.
const SIZES: usize = 10;

/// Smallest sample of the default grid.
const SMALLEST: usize = 100;

/// The chart of Lin, Lucas & Shmueli (2013) for very large samples, where every p-value is small: random subsamples of growing size
/// are drawn without replacement, the model is fitted to each, and the estimate with its interval and the p-value are shown
/// against the size. An effect that matters keeps its size; only its p-value falls.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `sizes` | 10 from 100 to n, evenly on the log scale | sizes of the subsamples | 2 to n |
/// | `repetitions` | 20 | subsamples of each size (one of the whole frame) | ≥ 1 |
/// | `level` | 0.95 | of the intervals | (0, 1) |
/// | `seed` | none | required | any |
///
/// A subsample that cannot be fitted is counted; the others stand.
///
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("card")?;
/// let chart = SampleSizeChart::new().seed(7).ols(&frame, &Ols::new("lwage ~ educ + exper"), "educ")?;
/// let (small, whole) = (&chart.points[0], &chart.points[9]);
/// assert!(whole.rows == 3010 && whole.p_value < small.p_value);
/// assert!(chart.p_value_figure()?.to_svg().starts_with("<svg"));
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`] for sizes, repetitions or level out of range; [`Error::Unidentified`] when no
/// subsample of some size can be fitted, with the first reason; [`Error::Cancelled`].
///
/// # References
/// Lin, Lucas & Shmueli (2013), "Too big to fail: large samples and the p-value problem", *Information Systems Research* 24(4),
/// doi:10.1287/isre.2013.0480.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleSizeChart {
    sizes: Vec<usize>,
    repetitions: usize,
    level: f64,
    seed: Option<Seed>,
}

impl Default for SampleSizeChart {
    fn default() -> Self {
        Self::new()
    }
}

impl SampleSizeChart {
    /// The default grid, no seed yet.
    pub fn new() -> Self {
        Self {
            sizes: vec![],
            repetitions: 20,
            level: 0.95,
            seed: None,
        }
    }

    /// Sets the sizes of the subsamples.
    pub fn sizes(mut self, sizes: impl IntoIterator<Item = usize>) -> Self {
        self.sizes = sizes.into_iter().collect();
        self
    }

    /// Sets how many subsamples of each size are drawn.
    pub fn repetitions(mut self, repetitions: usize) -> Self {
        self.repetitions = repetitions;
        self
    }

    /// Sets the confidence level.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// The chart of one coefficient of a least-squares model.
    ///
    /// # Errors
    /// See [`SampleSizeChart`].
    pub fn ols(&self, frame: &Frame, model: &Ols, coefficient: &str) -> Result<SampleSizeFit> {
        self.run(frame, |sample| model.fit(sample)?.coefficient(coefficient))
    }

    /// The chart of any estimate of a frame.
    ///
    /// # Errors
    /// See [`SampleSizeChart`].
    pub fn run(
        &self,
        frame: &Frame,
        estimator: impl Fn(&Frame) -> Result<Estimate> + Sync,
    ) -> Result<SampleSizeFit> {
        self.run_with(frame, &Progress::none(), estimator)
    }

    /// The same, watched by `progress`.
    ///
    /// # Errors
    /// See [`SampleSizeChart`].
    pub fn run_with(
        &self,
        frame: &Frame,
        progress: &Progress,
        estimator: impl Fn(&Frame) -> Result<Estimate> + Sync,
    ) -> Result<SampleSizeFit> {
        let rows = frame.rows();
        let sizes = if self.sizes.is_empty() {
            grid(rows)
        } else {
            self.sizes.clone()
        };
        crate::inference::check_level(self.level)?;
        if sizes.iter().any(|s| *s < 2 || *s > rows) || self.repetitions == 0 {
            return Err(Error::invalid_option(
                "sizes or repetitions",
                format!("{sizes:?}, {} repetitions", self.repetitions),
                format!(
                    "sizes between 2 and {rows}, the rows of the frame, and at least one repetition"
                ),
            ));
        }
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: "the chart over sample sizes".to_owned(),
        })?;
        let seed = seed.child("sample-size");
        let whole = estimator(frame)?;
        let mut points = Vec::with_capacity(sizes.len());
        for (place, &size) in sizes.iter().enumerate() {
            let repetitions = if size == rows { 1 } else { self.repetitions };
            let fits = blocks::map(repetitions, |i| {
                if size == rows {
                    return Ok(whole.clone());
                }
                let stream = (place * self.repetitions + i) as u64;
                estimator(&frame.take(&subsample(rows, size, seed, stream))?)
            });
            points.push(self.point(size, fits)?);
            progress.report("the chart over sample sizes", place + 1, sizes.len())?;
        }
        Ok(SampleSizeFit {
            name: whole.name,
            level: self.level,
            points,
        })
    }

    /// Summarises the fits of one size.
    fn point(&self, rows: usize, fits: Vec<Result<Estimate>>) -> Result<SampleSizePoint> {
        let mut failed = 0;
        let mut reason = None;
        let mut point = SampleSizePoint {
            rows,
            estimate: 0.0,
            lower: 0.0,
            upper: 0.0,
            p_value: 0.0,
            significant: 0.0,
            fits: 0,
            failed: 0,
        };
        let mut p = Vec::new();
        for fit in fits {
            match fit.and_then(|e| Ok((e.confidence_interval(self.level)?, e))) {
                Ok((interval, e)) if e.p_value().is_finite() => {
                    point.estimate += e.estimate;
                    point.lower += interval.lower;
                    point.upper += interval.upper;
                    p.push(e.p_value());
                }
                Ok(_) => failed += 1,
                Err(error) => {
                    failed += 1;
                    reason.get_or_insert(error);
                }
            }
        }
        if p.is_empty() {
            return Err(Error::Unidentified {
                what: format!("the estimate in subsamples of {rows} rows"),
                needs: reason.map_or("a finite p-value".to_owned(), |e| {
                    format!("larger samples; the first reason: {e}")
                }),
            });
        }
        let count = p.len() as f64;
        p.sort_unstable_by(f64::total_cmp);
        let middle = p.len() / 2;
        point.estimate /= count;
        point.lower /= count;
        point.upper /= count;
        point.p_value = if p.len() % 2 == 1 {
            p[middle]
        } else {
            0.5 * (p[middle - 1] + p[middle])
        };
        point.significant = p.iter().filter(|p| **p <= 1.0 - self.level).count() as f64 / count;
        point.fits = p.len();
        point.failed = failed;
        Ok(point)
    }
}

/// Sizes from 100 (or all) to n, evenly on the log scale.
fn grid(rows: usize) -> Vec<usize> {
    let first = SMALLEST.min(rows) as f64;
    let ratio = (rows as f64 / first).max(1.0);
    let mut sizes: Vec<usize> = (0..SIZES)
        .map(|i| (first * ratio.powf(i as f64 / (SIZES - 1) as f64)).round() as usize)
        .collect();
    sizes.dedup();
    sizes
}

/// Rows drawn without replacement, in their order (Floyd's algorithm, Bentley & Floyd 1987).
fn subsample(rows: usize, size: usize, seed: Seed, stream: u64) -> Vec<usize> {
    let mut random = seed.stream(stream);
    let mut chosen = std::collections::BTreeSet::new();
    for last in rows - size..rows {
        let row = below(&mut random, last as u64 + 1) as usize;
        if !chosen.insert(row) {
            chosen.insert(last);
        }
    }
    chosen.into_iter().collect()
}

/// The estimate at one sample size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleSizePoint {
    /// Rows of each subsample.
    pub rows: usize,
    /// Mean of the estimates.
    pub estimate: f64,
    /// Mean of the lower ends of the intervals.
    pub lower: f64,
    /// Mean of the upper ends.
    pub upper: f64,
    /// Median p-value.
    pub p_value: f64,
    /// Share of subsamples whose p-value is at most 1 − level.
    pub significant: f64,
    /// Subsamples fitted.
    pub fits: usize,
    /// Subsamples that could not be fitted.
    pub failed: usize,
}

/// Estimates and p-values by sample size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleSizeFit {
    /// What is estimated.
    pub name: String,
    /// Level of the intervals.
    pub level: f64,
    /// One entry a size.
    pub points: Vec<SampleSizePoint>,
}

impl SampleSizeFit {
    /// One row a size.
    pub fn table(&self) -> Table {
        let percent = self.level * 100.0;
        let mut table = Table::new(format!("{} by sample size", self.name))
            .columns([
                "n",
                "Estimate",
                &format!("{percent} % from"),
                "to",
                "p",
                "Significant",
            ])
            .note("means over random subsamples; the p-value is their median");
        for p in &self.points {
            table = table.row([
                Cell::count(p.rows),
                Cell::significant(p.estimate, 4),
                Cell::significant(p.lower, 4),
                Cell::significant(p.upper, 4),
                Cell::p_value(p.p_value),
                Cell::percent(p.significant, 0),
            ]);
        }
        let failed: usize = self.points.iter().map(|p| p.failed).sum();
        if failed > 0 {
            table = table.note(format!(
                "Warning: {failed} subsamples could not be fitted and are left out"
            ));
        }
        table
    }

    fn over_size(&self, value: impl Fn(&SampleSizePoint) -> f64) -> (Vec<f64>, Vec<f64>) {
        let x = self
            .points
            .iter()
            .map(|p| (p.rows as f64).log10())
            .collect();
        (x, self.points.iter().map(value).collect())
    }

    /// The upper panel: the estimate with its interval against log₁₀ n.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when nothing finite can be drawn.
    pub fn coefficient_figure(&self) -> Result<Figure> {
        let (x, estimate) = self.over_size(|p| p.estimate);
        let (_, lower) = self.over_size(|p| p.lower);
        let (_, upper) = self.over_size(|p| p.upper);
        LinePlot::new()
            .title(format!("{} by sample size", self.name))
            .x_title("log10 of the sample size")
            .y_title("estimate")
            .line(self.name.as_str(), &x, &estimate)
            .band(&lower, &upper)
            .reference_y(0.0)
            .draw()
    }

    /// The lower panel: the p-value against log₁₀ n, with the significance level.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when nothing finite can be drawn.
    pub fn p_value_figure(&self) -> Result<Figure> {
        let (x, p) = self.over_size(|p| p.p_value);
        LinePlot::new()
            .title(format!("p-value of {} by sample size", self.name))
            .x_title("log10 of the sample size")
            .y_title("p-value (median)")
            .line("p-value", &x, &p)
            .reference_y(1.0 - self.level)
            .draw()
    }

    /// Both panels and the table on one page.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when nothing finite can be drawn.
    pub fn page(&self) -> Result<Page> {
        Ok(Page::new(format!("{} by sample size", self.name))
            .figure(&self.coefficient_figure()?)
            .figure(&self.p_value_figure()?)
            .table(&self.table()))
    }

    /// Both panels and the table as HTML.
    pub fn to_html(&self) -> String {
        let figures = [self.coefficient_figure(), self.p_value_figure()];
        let drawn: String = figures.iter().flatten().map(Figure::to_html).collect();
        drawn + &self.table().to_html()
    }
}

impl fmt::Display for SampleSizeFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(SampleSizeFit);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsamples_have_their_size_and_every_row_its_chance() {
        let mut counts = [0_u32; 10];
        for stream in 0..5000 {
            let rows = subsample(10, 3, Seed::new(1), stream);
            assert_eq!(rows.len(), 3);
            assert!(rows.windows(2).all(|w| w[0] < w[1]));
            for row in rows {
                counts[row] += 1;
            }
        }
        let chi2: f64 = counts
            .iter()
            .map(|c| (f64::from(*c) - 1500.0).powi(2) / 1500.0)
            .sum();
        assert!(chi2 < 27.9, "{chi2}"); // 99.9 % point of χ²(9)
    }

    #[test]
    fn the_grid_ends_at_the_whole() {
        assert_eq!(grid(40), [40]);
        let sizes = grid(1_000_000);
        assert_eq!((sizes[0], sizes[9], sizes.len()), (100, 1_000_000, 10));
    }
}
