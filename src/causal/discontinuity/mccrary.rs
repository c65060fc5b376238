//! McCrary's test of a jump of the density: a histogram, smoothed on each side.

use super::density_window::Sorted;
use super::local::LocalFit;
use super::observed::few_rows_warning;
use super::options::{LocalKernel, check_cutoff, check_positive};
use super::side::Side;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::{Distribution, Estimate, Inference, TestResult, coefficient_table};
use crate::report::{BinnedScatter, Cell, Figure, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// The constant of the bandwidth of a boundary estimate with a triangular kernel (Fan & Gijbels 1996, table 3.2).
const BANDWIDTH: f64 = 3.348;
/// The order of the global polynomials from which bandwidths come.
const ORDER: usize = 4;
/// The variance of a density at a boundary is `24/5 f/(n h)`.
const VARIANCE: f64 = 24.0 / 5.0;
/// More bins than this are not made.
const MOST_BINS: f64 = 1e7;
/// Points at which a curve is drawn on each side.
const CURVE_POINTS: usize = 50;
/// The name of the difference of the logs.
const JUMP: &str = "log difference";

/// McCrary's (2008) test whether the density of the running variable jumps at the cutoff: the log of its height on the right less that on the left.
///
/// Rows are counted in bins of width b that end at the cutoff, `g_j = n_j/(n b)`. A line is fitted to the `g_j` on each side, with triangular weights `1 − |x_j − c|/h`; its ends at the
/// cutoff are `f̂₋` and `f̂₊`. The statistic is `θ̂ = ln f̂₊ − ln f̂₋` over `√(24/5 (1/f̂₊ + 1/f̂₋)/(n h))`, and normal. The verbs of [`Inference`] are those of `θ̂`, named `log difference`.
///
/// Bandwidths that are not given are chosen as there: `h = 3.348 (σ̂² L/Σ f̃″(x_j)²)^{1/5}` of a global polynomial of order 4 on each side with residual variance σ̂² over the length L, and their mean. The bias of a
/// line is not taken off: [`DiscontinuityDensity`](crate::causal::DiscontinuityDensity), which needs no bins, is the test to prefer today; this one is in many earlier papers.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `bin_width` | `2 s/√n` | b, with the standard deviation s | positive |
/// | `bandwidth` | chosen | h | positive |
///
/// Numbers are those that DCdensity in R's rdd 0.57 defines.
///
/// # Errors
/// [`Error::InvalidOption`] for a cutoff outside the running variable, or options out of range; [`Error::Unidentified`] for bins or bandwidths too few or too narrow for a line, or densities that are not
/// positive; [`Error::WrongKind`] for a running variable that is not numeric; [`Error::NoRows`].
///
/// # References
/// McCrary (2008), doi:10.1016/j.jeconom.2007.05.005.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let even: Vec<f64> = (0..4000).map(|i| (f64::from(i) * 0.618_033_988_75).fract()).collect();
/// // Two of five of those who would just miss the cutoff are lifted over it.
/// let lifted = even.iter().enumerate().map(|(i, x)| if *x > 0.45 && *x < 0.5 && i % 5 < 2 { 1.0 - x } else { *x });
/// let frame = Frame::new().with("even", even.clone())?.with("lifted", lifted.collect::<Vec<f64>>())?;
/// assert!(McCraryTest::new("even", 0.5).fit(&frame)?.test().p_value > 0.2);
/// assert!(McCraryTest::new("lifted", 0.5).fit(&frame)?.test().p_value < 1e-4);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct McCraryTest {
    running: String,
    cutoff: f64,
    bin_width: Option<f64>,
    bandwidth: Option<f64>,
}

/// What [`McCraryTest`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct McCraryFit {
    model: McCraryTest,
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    densities: [f64; 2],
    bin_width: f64,
    bandwidth: f64,
    rows: [usize; 2],
    effective_rows: [usize; 2],
    bins: Vec<f64>,
    heights: Vec<f64>,
    warnings: Vec<Warning>,
}

impl McCraryTest {
    /// The density of a running variable at a cutoff.
    pub fn new(running: &str, cutoff: f64) -> Self {
        Self {
            running: running.to_owned(),
            cutoff,
            bin_width: None,
            bandwidth: None,
        }
    }

    /// The width of the bins.
    pub fn bin_width(mut self, b: f64) -> Self {
        self.bin_width = Some(b);
        self
    }

    /// The bandwidth on both sides.
    pub fn bandwidth(mut self, h: f64) -> Self {
        self.bandwidth = Some(h);
        self
    }

    /// Estimates both heights and tests their difference.
    ///
    /// # Errors
    /// See [`McCraryTest`].
    pub fn fit(&self, frame: &Frame) -> Result<McCraryFit> {
        check_cutoff(self.cutoff)?;
        check_positive("bin_width", &self.bin_width)?;
        check_positive("bandwidth", &self.bandwidth)?;
        let (sorted, mut warnings) = Sorted::read(frame, &self.running, self.cutoff)?;
        let n = sorted.len() as f64;
        let width = (self.bin_width).unwrap_or_else(|| 2.0 * sorted.deviation() / n.sqrt());
        let (low, high) = (sorted.x[0], sorted.x[sorted.len() - 1]);
        let bin = |x: f64| (x / width).floor();
        let [first, last] = [bin(low), bin(high)];
        // As many bins as the range may touch: the last one may be empty.
        let count = (((high - low) / width).floor() + 2.0).max(last - first + 1.0);
        let widest = self.bandwidth.unwrap_or(0.0);
        if count + 2.0 * widest / width > MOST_BINS {
            return Err(Error::invalid_option(
                "bin_width",
                width,
                format!(
                    "wide enough for no more than {MOST_BINS} bins over the data and the bandwidth"
                ),
            ));
        }
        let mut heights = vec![0.0; count as usize];
        for x in &sorted.x {
            heights[(bin(*x) - first) as usize] += 1.0 / (n * width);
        }
        let middle = |bin: f64| (bin + 0.5) * width;
        let bins: Vec<f64> = (0..heights.len())
            .map(|i| middle(first + i as f64))
            .collect();
        let ends = [middle(first), middle(last)];
        let h = if let Some(h) = self.bandwidth {
            h
        } else {
            let sides = sides(&bins, &heights);
            let each = [0, 1].map(|at: usize| global_bandwidth(&sides[at], ends[at].abs()));
            let [left, right] = each;
            f64::midpoint(left?, right?)
        };
        // Bins without rows beyond both ends.
        let more = (h / width).ceil();
        let before = (1..=more as usize).map(|i| middle(first - i as f64));
        let after = (1..=more as usize).map(|i| middle(last + i as f64));
        let padded: Vec<f64> = bins.iter().copied().chain(before).chain(after).collect();
        let mut all = heights.clone();
        all.resize(padded.len(), 0.0);
        let mut densities = [0.0; 2];
        for (density, side) in densities.iter_mut().zip(&sides(&padded, &all)) {
            *density = LocalFit::new(side, LocalKernel::Triangular, h, 1)
                .map_err(|_| too_narrow(h, width))?
                .coefficient(0, &[1.0]);
            if density.is_nan() || *density <= 0.0 {
                return Err(Error::Unidentified {
                    what: format!("the log of the density on the {}, which is estimated as {density:.4}", side.name),
                    needs: "rows near the cutoff on both sides; widen the bandwidth with `.bandwidth(h)`, or use `DiscontinuityDensity`".to_owned(),
                });
            }
        }
        let jump = densities[1].ln() - densities[0].ln();
        let variance = VARIANCE / (n * h) * (1.0 / densities[0] + 1.0 / densities[1]);
        let near = |right: bool| {
            let own = sorted.x.iter().filter(|x| (**x >= 0.0) == right);
            own.filter(|x| x.abs() < h).count()
        };
        let effective_rows = [near(false), near(true)];
        warnings.extend(few_rows_warning(
            effective_rows,
            "the test rests on few rows",
        ));
        Ok(McCraryFit {
            names: vec![JUMP.to_owned()],
            estimates: DVector::from_element(1, jump),
            covariance: DMatrix::from_element(1, 1, variance),
            densities,
            bin_width: width,
            bandwidth: h,
            rows: sorted.rows(),
            effective_rows,
            bins: bins.iter().map(|x| x + self.cutoff).collect(),
            heights,
            warnings,
            model: self.clone(),
        })
    }
}

/// Bins on the left and on the right of the cutoff.
fn sides(bins: &[f64], heights: &[f64]) -> [Side; 2] {
    [("left", false), ("right", true)].map(|(name, right)| {
        let rows: Vec<u32> = (0..bins.len() as u32)
            .filter(|i| (bins[*i as usize] >= 0.0) == right)
            .collect();
        Side::new(name, bins, &rows, &[heights.to_vec()], None, None)
    })
}

/// The bandwidth of a side that ends at `length` from the cutoff.
fn global_bandwidth(side: &Side, length: f64) -> Result<f64> {
    let unknown = || Error::Unidentified {
        what: format!(
            "the bandwidth from {} bins on the {}",
            side.len(),
            side.name
        ),
        needs: format!(
            "more than {} bins whose heights vary; narrow them with `.bin_width(b)`, or give `.bandwidth(h)`",
            ORDER + 1
        ),
    };
    if side.len() <= ORDER + 1 {
        return Err(unknown());
    }
    let fit = LocalFit::new(side, LocalKernel::Uniform, side.reach(), ORDER)?;
    let own = fit.values(&[1.0], &side.x);
    let squares: f64 = (side.columns[0].iter().zip(own))
        .map(|(g, f)| (g - f).powi(2))
        .sum();
    let variance = squares / (side.len() - ORDER - 1) as f64;
    let [a, b, c] = [2, 3, 4].map(|power| {
        let factor = (power * (power - 1)) as f64;
        factor * fit.coefficient(power, &[1.0])
    });
    let curves = side.x.iter().map(|x| (a + x * (b + x * c)).powi(2));
    let h = BANDWIDTH * (variance * length / curves.sum::<f64>()).powf(0.2);
    if h > 0.0 && h.is_finite() {
        Ok(h)
    } else {
        Err(unknown())
    }
}

/// The value at a point of the line fitted to bins with triangular weights around it; none where fewer than two have weight.
fn line_at(at: f64, bins: &[(f64, f64)], bandwidth: f64) -> Option<f64> {
    let (mut total, mut first, mut second, mut sum, mut product) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (x, height) in bins {
        let u = (x - at) / bandwidth;
        let weight = (1.0 - u.abs()).max(0.0);
        total += weight;
        first += weight * u;
        second += weight * u * u;
        sum += weight * height;
        product += weight * u * height;
    }
    let spread = total * second - first * first;
    (spread > 1e-9 * total * second).then(|| (second * sum - first * product) / spread)
}

fn too_narrow(h: f64, width: f64) -> Error {
    Error::Unidentified {
        what: format!("a line through the bins of width {width:.4} within the bandwidth {h:.4}"),
        needs: "two bins on each side at least: a bandwidth of more than one and a half bins; widen it with `.bandwidth(h)`, or narrow bins with `.bin_width(b)`".to_owned(),
    }
}

impl Inference for McCraryFit {
    crate::inference::fields::inference_of_fields!();
}

impl McCraryFit {
    /// The log of the density on the right less that on the left.
    pub fn difference(&self) -> Estimate {
        self.estimate_at(0)
    }

    /// The test of a density that is continuous at the cutoff.
    pub fn test(&self) -> TestResult {
        TestResult::new(
            format!(
                "the density of {} does not jump at {}",
                self.model.running, self.model.cutoff
            ),
            self.difference().statistic(0.0),
            Distribution::T { df: f64::INFINITY },
        )
    }

    /// The densities on the left and on the right.
    pub fn densities(&self) -> [f64; 2] {
        self.densities
    }

    /// The width of the bins.
    pub fn bin_width(&self) -> f64 {
        self.bin_width
    }

    /// The bandwidth.
    pub fn bandwidth(&self) -> f64 {
        self.bandwidth
    }

    /// Rows on the left and on the right.
    pub fn rows(&self) -> [usize; 2] {
        self.rows
    }

    /// Rows within the bandwidth.
    pub fn effective_rows(&self) -> [usize; 2] {
        self.effective_rows
    }

    /// Middles of the bins.
    pub fn bins(&self) -> &[f64] {
        &self.bins
    }

    /// Heights of the bins.
    pub fn heights(&self) -> &[f64] {
        &self.heights
    }

    /// The heights of the bins and the lines fitted to those of the same side at each point, within twice the bandwidth; the lines end at the densities that are compared.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when values are too large to be drawn.
    pub fn density_plot(&self) -> Result<Figure> {
        let (cutoff, reach) = (self.model.cutoff, 2.0 * self.bandwidth);
        let mut plot = BinnedScatter::new()
            .title(format!("Density of {} around {cutoff}", self.model.running))
            .x_title(&self.model.running)
            .y_title("density");
        for (name, sign) in [("left", -1.0), ("right", 1.0)] {
            // Middles of bins as distances from the cutoff, on this side.
            let own: Vec<(f64, f64)> = (self.bins.iter().zip(&self.heights))
                .map(|(middle, height)| (sign * (middle - cutoff), *height))
                .filter(|(distance, _)| *distance > 0.0)
                .collect();
            let furthest = own.iter().fold(0.0_f64, |far, (x, _)| far.max(*x));
            let (mut x, mut y) = (Vec::new(), Vec::new());
            for step in 0..=CURVE_POINTS {
                let at = reach.min(furthest) * step as f64 / CURVE_POINTS as f64;
                if let Some(height) = line_at(at, &own, self.bandwidth) {
                    x.push(cutoff + sign * at);
                    y.push(height);
                }
            }
            let shown: Vec<&(f64, f64)> = own.iter().filter(|(x, _)| *x <= reach).collect();
            plot = plot
                .group(name)
                .points(
                    shown
                        .iter()
                        .map(|(x, _)| cutoff + sign * x)
                        .collect::<Vec<f64>>(),
                    shown
                        .iter()
                        .map(|(_, height)| *height)
                        .collect::<Vec<f64>>(),
                )
                .line(x, y);
        }
        plot.draw()
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The difference and its test.
    pub fn table(&self) -> Table {
        let m = &self.model;
        let [width, h, left, right] = [
            self.bin_width,
            self.bandwidth,
            self.densities[0],
            self.densities[1],
        ]
        .map(|v| Cell::significant(v, 4));
        coefficient_table(self)
            .with_title(format!("McCrary's test of {} at {}", m.running, m.cutoff))
            .note(format!("{}.", self.test()))
            .note(format!(
                "Densities {left} and {right} on the left and right; bins of {width}, h = {h} with {} and {} of {} and {} rows.",
                self.effective_rows[0], self.effective_rows[1], self.rows[0], self.rows[1]
            ))
            .warned(&self.warnings)
    }
}

crate::report::notebook::shown!(McCraryFit);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_through_lines_and_end_at_the_densities() {
        let line: Vec<(f64, f64)> = (0..20)
            .map(|i| (f64::from(i) + 0.5, 3.0 - 0.1 * f64::from(i)))
            .collect();
        for at in [0.0, 0.3, 7.0, 19.0] {
            let found = line_at(at, &line, 4.0).unwrap();
            assert!((found - (3.05 - 0.1 * at)).abs() < 1e-12, "{at} {found}");
        }
        assert_eq!(line_at(40.0, &line, 4.0), None);
        assert_eq!(line_at(0.0, &line[..1], 4.0), None);
        let x: Vec<f64> = (0..3000)
            .map(|i| (f64::from(i) * 0.618_033_988_75).fract().powi(2))
            .collect();
        let frame = Frame::new().with("x", x).unwrap();
        let fit = McCraryTest::new("x", 0.3)
            .bandwidth(0.1)
            .fit(&frame)
            .unwrap();
        for (side, sign) in [-1.0, 1.0].into_iter().enumerate() {
            let own: Vec<(f64, f64)> = (fit.bins.iter().zip(&fit.heights))
                .map(|(x, height)| (sign * (x - 0.3), *height))
                .filter(|(x, _)| *x > 0.0)
                .collect();
            let end = line_at(0.0, &own, 0.1).unwrap();
            assert!(
                (end - fit.densities[side]).abs() < 1e-9,
                "{end} {:?}",
                fit.densities
            );
        }
        let drawn = fit.density_plot().unwrap();
        assert!(drawn.to_svg().contains("Density of x around 0.3"));
    }
}
