//! The plot of a regression discontinuity design: means by bin, and a global polynomial.

use super::bandwidth::has_mass_points;
use super::local::LocalFit;
use super::observed::Observed;
use super::options::LocalKernel;
use super::regression_discontinuity::RegressionDiscontinuity;
use super::side::Side;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::numeric::special::{normal, student_t};
use crate::report::{BinnedScatter, Cell, Figure, LinePlot, Table};
use serde::{Deserialize, Serialize};

/// The order of the polynomials from which the number of bins comes.
const BIN_ORDER: usize = 4;
/// Fewer rows than this make no bins.
const FEWEST_ROWS: usize = 20;
/// Points of the curve of a side.
const CURVE_POINTS: usize = 500;

/// How bins are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BinRule {
    /// Bins of equal width, so many that the means vary as the outcomes do.
    #[default]
    EvenVariance,
    /// Bins of equal width, whose means are nearest to the regression function (least integrated mean squared error).
    EvenError,
    /// Bins of equal numbers of rows, so many that the means vary as the outcomes do.
    QuantileVariance,
    /// Bins of equal numbers of rows with the least integrated mean squared error.
    QuantileError,
}

/// Means of the outcome by bins of the running variable and a global polynomial on each side (Calonico, Cattaneo & Titiunik 2015, doi:10.1080/01621459.2015.1017578). It shows the data; the effect
/// is estimated by [`RegressionDiscontinuity`], not by the distance of the curves at the cutoff.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `order` | 4 | of the global polynomial | 0 to 8 |
/// | `bin_rule` | [`BinRule::EvenVariance`] | how bins are made | |
/// | `bins` | by the rule | bins on the left and on the right | from 1 |
/// | `smooth_variance` | no, yes with mass points | variances of outcomes from polynomials instead of from neighbours | |
///
/// Bins and curves are those of rdplot in rdrobust 2.1.1 (Python) to nine digits. Intervals of means are t intervals; bands of curves are pointwise, with HC1 errors.
///
/// # Errors
/// As [`RegressionDiscontinuity`]; [`Error::TooFewRows`] below 20 rows.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let x: Vec<f64> = (0..500).map(|i| f64::from(i) / 250.0 - 1.0).collect();
/// let y: Vec<f64> = (x.iter().enumerate())
///     .map(|(i, x)| x + f64::from(u8::from(*x >= 0.0)) + (i * 7919 % 101) as f64 / 100.0)
///     .collect();
/// let frame = Frame::new().with("x", x)?.with("y", y)?;
/// let plot = DiscontinuityPlot::new("y", "x", 0.0).fit(&frame)?;
/// assert!(plot.curves[1].mean[0] - plot.curves[0].mean[499] > 0.8);
/// let figure = plot.figure()?;
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscontinuityPlot {
    outcome: String,
    running: String,
    cutoff: f64,
    order: usize,
    rule: BinRule,
    bins: Option<[usize; 2]>,
    smooth_variance: bool,
}

/// The rows of a bin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscontinuityBin {
    /// Its lower end.
    pub from: f64,
    /// Its upper end.
    pub to: f64,
    /// The mean of the running variable.
    pub mean_x: f64,
    /// The mean of the outcome.
    pub mean: f64,
    /// The 95 % interval of the mean; the mean itself for a single row.
    pub interval: [f64; 2],
    /// Rows.
    pub rows: usize,
}

/// A global polynomial on one side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscontinuityCurve {
    /// Values of the running variable, rising.
    pub at: Vec<f64>,
    /// The polynomial there.
    pub mean: Vec<f64>,
    /// Lower end of the pointwise 95 % band.
    pub lower: Vec<f64>,
    /// Upper end.
    pub upper: Vec<f64>,
}

/// Bins and curves of both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscontinuityPlotFit {
    model: DiscontinuityPlot,
    /// Bins with rows, from left to right, of the left and of the right.
    pub bins: [Vec<DiscontinuityBin>; 2],
    /// The curves of the left and of the right.
    pub curves: [DiscontinuityCurve; 2],
    /// Bins asked for on the left and on the right, empty ones included.
    pub bin_counts: [usize; 2],
    warnings: Vec<Warning>,
}

impl DiscontinuityPlot {
    /// The plot of an outcome by a running variable around a cutoff.
    pub fn new(outcome: &str, running: &str, cutoff: f64) -> Self {
        Self {
            outcome: outcome.to_owned(),
            running: running.to_owned(),
            cutoff,
            order: BIN_ORDER,
            rule: BinRule::EvenVariance,
            bins: None,
            smooth_variance: false,
        }
    }

    /// The order of the global polynomial.
    pub fn order(mut self, order: usize) -> Self {
        self.order = order;
        self
    }

    /// How bins are made.
    pub fn bin_rule(mut self, rule: BinRule) -> Self {
        self.rule = rule;
        self
    }

    /// The number of bins on the left and on the right.
    pub fn bins(mut self, left: usize, right: usize) -> Self {
        self.bins = Some([left, right]);
        self
    }

    /// Variances of outcomes from global polynomials of the outcome and of its square, not from neighbours: for running variables with repeated values.
    pub fn smooth_variance(mut self) -> Self {
        self.smooth_variance = true;
        self
    }

    /// Makes bins and curves.
    ///
    /// # Errors
    /// See [`DiscontinuityPlot`].
    pub fn fit(&self, frame: &Frame) -> Result<DiscontinuityPlotFit> {
        let design = RegressionDiscontinuity::new(&self.outcome, &self.running, self.cutoff);
        let design = design.order(self.order);
        design.check()?;
        if self.bins.is_some_and(|bins| bins.contains(&0)) {
            return Err(Error::invalid_option("bins", "0", "1 or more on each side"));
        }
        let observed = Observed::read(&design, frame)?;
        let rows = observed.sides[0].len() + observed.sides[1].len();
        if rows < FEWEST_ROWS {
            return Err(Error::TooFewRows {
                rows,
                parameters: FEWEST_ROWS,
            });
        }
        let smooth = self.smooth_variance || observed.sides.iter().any(has_mass_points);
        let mut counts = [1; 2];
        for (count, side) in counts.iter_mut().zip(&observed.sides) {
            *count = self.count(side, rows as f64, smooth)?;
        }
        let counts = self.bins.unwrap_or(counts);
        let curve = |at: usize| curve(&observed.sides[at], self, at == 1);
        Ok(DiscontinuityPlotFit {
            bins: [0, 1].map(|at| bins(&observed.sides[at], self, at == 1, counts[at])),
            curves: [curve(0)?, curve(1)?],
            bin_counts: counts,
            warnings: observed.warnings,
            model: self.clone(),
        })
    }

    /// The number of bins of a side.
    fn count(&self, side: &Side, n: f64, smooth: bool) -> Result<usize> {
        let (y, own) = (&side.columns[0], side.len() as f64);
        let mean = y.iter().sum::<f64>() / own;
        let variance = y.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / (own - 1.0);
        if variance.is_nan() || variance <= 0.0 {
            return Ok(1);
        }
        let order = BIN_ORDER.min(side.distinct() - 1);
        let mut both = side.clone();
        both.columns.push(y.iter().map(|y| y * y).collect());
        let reach = side.reach();
        let fit = LocalFit::new(&both, LocalKernel::Uniform, reach, order)?;
        let spread = |x: &[f64]| -> f64 {
            let squares = fit.values(&[0.0, 1.0], x).into_iter();
            let means = fit.values(&[1.0, 0.0], x);
            let each = squares
                .zip(means)
                .map(|(square, mean)| square - mean * mean);
            // A polynomial may give a variance below zero.
            each.map(|v| if v < 0.0 { variance } else { v }).sum()
        };
        let pairs = || side.x.windows(2).zip(y.windows(2));
        let gaps: Vec<f64> = side.x.windows(2).map(|x| (x[1] - x[0]).abs()).collect();
        let middles: Vec<f64> = side
            .x
            .windows(2)
            .map(|x| f64::midpoint(x[0], x[1]))
            .collect();
        let even = matches!(self.rule, BinRule::EvenVariance | BinRule::EvenError);
        let noise = match (even, smooth) {
            (true, false) => {
                let each = pairs().map(|(x, y)| (x[1] - x[0]).abs() * (y[1] - y[0]).powi(2));
                each.sum::<f64>() / (2.0 * reach)
            }
            (true, true) => {
                let each = gaps
                    .iter()
                    .zip(&middles)
                    .map(|(gap, at)| gap * spread(&[*at]));
                each.sum::<f64>() / reach
            }
            (false, false) => {
                pairs().map(|(_, y)| (y[1] - y[0]).powi(2)).sum::<f64>() / (2.0 * own)
            }
            (false, true) => spread(&side.x) / own,
        };
        let count = if matches!(self.rule, BinRule::EvenVariance | BinRule::QuantileVariance) {
            variance / noise * n / n.ln().powi(2)
        } else {
            let bias = if even {
                let slopes = fit.slopes(&[1.0, 0.0], &side.x).into_iter();
                reach * reach / (12.0 * n) * slopes.map(|s| s * s).sum::<f64>()
            } else {
                let slopes = fit.slopes(&[1.0, 0.0], &middles).into_iter();
                let each = gaps.iter().zip(slopes).map(|(gap, s)| (gap * s).powi(2));
                own * own / (24.0 * n) * each.sum::<f64>()
            };
            (2.0 * bias / noise * n).cbrt()
        };
        // Outcomes without noise leave the number open: a bin a row is the most that can be shown.
        let most = side.len();
        Ok(if count.is_finite() {
            (count.ceil() as usize).clamp(1, most)
        } else {
            most
        })
    }
}

/// The bins of a side that have rows.
fn bins(
    side: &Side,
    model: &DiscontinuityPlot,
    right: bool,
    count: usize,
) -> Vec<DiscontinuityBin> {
    let mut rows: Vec<usize> = (0..side.len()).collect();
    if !right {
        rows.reverse();
    }
    let x: Vec<f64> = rows.iter().map(|row| side.x[*row]).collect();
    let edges: Vec<f64> = if matches!(model.rule, BinRule::EvenVariance | BinRule::EvenError) {
        let (low, high) = if right {
            (0.0, side.reach())
        } else {
            (-side.reach(), 0.0)
        };
        let step = (high - low) / count as f64;
        let inner = (0..count).map(|i| low + i as f64 * step);
        inner.chain(std::iter::once(high)).collect()
    } else {
        (0..=count)
            .map(|i| quantile(&x, i as f64 / count as f64))
            .collect()
    };
    let mut bins = Vec::new();
    for (i, ends) in edges.windows(2).enumerate() {
        let from = x.partition_point(|x| *x < ends[0]);
        let to = if i + 1 == count {
            x.len()
        } else {
            x.partition_point(|x| *x < ends[1])
        };
        if from >= to {
            continue;
        }
        let n = (to - from) as f64;
        let y: Vec<f64> = rows[from..to]
            .iter()
            .map(|row| side.columns[0][*row])
            .collect();
        let mean = y.iter().sum::<f64>() / n;
        let half = if to - from > 1 {
            let squares: f64 = y.iter().map(|y| (y - mean).powi(2)).sum();
            student_t::quantile(0.975, n - 1.0) * (squares / (n - 1.0) / n).sqrt()
        } else {
            0.0
        };
        bins.push(DiscontinuityBin {
            from: model.cutoff + ends[0],
            to: model.cutoff + ends[1],
            mean_x: model.cutoff + x[from..to].iter().sum::<f64>() / n,
            mean,
            interval: [mean - half, mean + half],
            rows: to - from,
        });
    }
    bins
}

/// The linear quantile of sorted values.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let below = sorted[at.floor() as usize];
    let above = sorted[at.ceil() as usize];
    below + (above - below) * at.fract()
}

/// The global polynomial of a side and its band.
fn curve(side: &Side, model: &DiscontinuityPlot, right: bool) -> Result<DiscontinuityCurve> {
    let fit = LocalFit::new(side, LocalKernel::Uniform, side.reach(), model.order)?;
    let (low, high) = if right {
        (0.0, side.reach())
    } else {
        (-side.reach(), 0.0)
    };
    let step = (high - low) / (CURVE_POINTS - 1) as f64;
    let x: Vec<f64> = (0..CURVE_POINTS).map(|i| low + i as f64 * step).collect();
    let mean = fit.values(&[1.0], &x);
    let z = normal::quantile(0.975);
    let half: Vec<f64> = fit.value_errors(&[1.0], &x).iter().map(|e| z * e).collect();
    let with = |sign: f64| mean.iter().zip(&half).map(|(m, h)| m + sign * h).collect();
    Ok(DiscontinuityCurve {
        at: x.iter().map(|x| model.cutoff + x).collect(),
        lower: with(-1.0),
        upper: with(1.0),
        mean,
    })
}

impl DiscontinuityPlotFit {
    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Means by bin with 95 % intervals, and the curves.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when values are too large to be drawn.
    pub fn figure(&self) -> Result<Figure> {
        let m = &self.model;
        let mut plot = BinnedScatter::new()
            .title(format!(
                "{} by {} around {}",
                m.outcome, m.running, m.cutoff
            ))
            .x_title(&m.running)
            .y_title(&m.outcome);
        for ((name, bins), curve) in ["left", "right"].iter().zip(&self.bins).zip(&self.curves) {
            let pick = |of: fn(&DiscontinuityBin) -> f64| bins.iter().map(of).collect::<Vec<f64>>();
            plot = plot
                .group(*name)
                .points(pick(|b| f64::midpoint(b.from, b.to)), pick(|b| b.mean))
                .intervals(pick(|b| b.interval[0]), pick(|b| b.interval[1]))
                .line(&curve.at, &curve.mean);
        }
        plot.draw()
    }

    /// The curves with their pointwise 95 % bands, and means by bin as points.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when values are too large to be drawn.
    pub fn band_figure(&self) -> Result<Figure> {
        let m = &self.model;
        let mut plot = LinePlot::new()
            .title(format!(
                "{} by {} around {}",
                m.outcome, m.running, m.cutoff
            ))
            .x_title(&m.running)
            .y_title(&m.outcome)
            .reference_x(m.cutoff);
        for (name, curve) in ["left", "right"].iter().zip(&self.curves) {
            plot = plot
                .line(*name, &curve.at, &curve.mean)
                .band(&curve.lower, &curve.upper);
        }
        // Points are lines that gaps break.
        let (x, y): (Vec<f64>, Vec<f64>) = (self.bins.iter().flatten())
            .flat_map(|b| [(f64::midpoint(b.from, b.to), b.mean), (f64::NAN, f64::NAN)])
            .unzip();
        plot.line("means by bin", x, y).draw()
    }

    /// The bins as a table.
    pub fn table(&self) -> Table {
        let m = &self.model;
        let mut table = Table::new(format!(
            "{} by {} around {}",
            m.outcome, m.running, m.cutoff
        ))
        .columns(["from", "to", "mean", "95 % from", "to", "rows"]);
        for bin in self.bins.iter().flatten() {
            table = table.row([
                Cell::significant(bin.from, 4),
                Cell::significant(bin.to, 4),
                Cell::significant(bin.mean, 4),
                Cell::significant(bin.interval[0], 4),
                Cell::significant(bin.interval[1], 4),
                Cell::count(bin.rows),
            ]);
        }
        table.warned(&self.warnings)
    }
}

crate::report::notebook::shown!(DiscontinuityPlotFit);
