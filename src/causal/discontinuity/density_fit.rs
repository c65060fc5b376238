//! What the density of a running variable says.

use super::density::DiscontinuityDensity;
use super::density_window::{DensityFit, Sorted};
use crate::error::{Error, Result, Warning};
use crate::inference::{Distribution, Estimate, Inference, TestResult, coefficient_table};
use crate::numeric::{blocks, special::normal};
use crate::report::{Cell, Figure, LinePlot, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Points of a curve and bins of a histogram on each side of the density plot.
const CURVE_POINTS: usize = 40;
const BINS: usize = 20;

/// What [`DiscontinuityDensity`] found. The verbs of [`Inference`] are those of the densities `left` and `right` of the cutoff.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscontinuityDensityFit {
    model: DiscontinuityDensity,
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    bandwidths: [f64; 2],
    rows: [usize; 2],
    effective_rows: [usize; 2],
    distinct_values: [usize; 2],
    curves: [DensityCurve; 2],
    warnings: Vec<Warning>,
}

/// The density on one side, from the cutoff outwards: a curve of local polynomials with pointwise 95 % bands, and a histogram.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DensityCurve {
    /// Values of the running variable.
    pub at: Vec<f64>,
    /// Densities there.
    pub density: Vec<f64>,
    /// Lower ends of their intervals.
    pub lower: Vec<f64>,
    /// Upper ends.
    pub upper: Vec<f64>,
    /// Middles of the bins.
    pub bins: Vec<f64>,
    /// Heights of the bins.
    pub heights: Vec<f64>,
}

impl Inference for DiscontinuityDensityFit {
    crate::inference::fields::inference_of_fields!();
}

impl DiscontinuityDensityFit {
    pub(super) fn new(
        model: &DiscontinuityDensity,
        sorted: &Sorted,
        bandwidths: [f64; 2],
        fit: &DensityFit,
        warnings: Vec<Warning>,
    ) -> Result<Self> {
        let mut numbers = fit.densities.iter().chain(fit.covariance.iter());
        if !numbers.all(|v| v.is_finite()) {
            return Err(Error::NotFinite {
                what: "the density at the cutoff".to_owned(),
            });
        }
        Ok(Self {
            names: vec!["left".to_owned(), "right".to_owned()],
            estimates: DVector::from_column_slice(&fit.densities),
            covariance: fit.covariance.clone(),
            bandwidths,
            rows: sorted.rows(),
            effective_rows: fit.rows,
            distinct_values: sorted.values(),
            curves: [0, 1].map(|side| curve(model, sorted, side, bandwidths[side])),
            warnings,
            model: model.clone(),
        })
    }

    /// The density on the right less that on the left.
    pub fn difference(&self) -> Estimate {
        let v = &self.covariance;
        let variance = v[(0, 0)] + v[(1, 1)] - 2.0 * v[(0, 1)];
        Estimate {
            name: "right - left".to_owned(),
            estimate: self.estimates[1] - self.estimates[0],
            std_error: variance.max(0.0).sqrt(),
            degrees_of_freedom: f64::INFINITY,
        }
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

    /// The bandwidths on the left and on the right.
    pub fn bandwidths(&self) -> [f64; 2] {
        self.bandwidths
    }

    /// Rows on the left and on the right.
    pub fn rows(&self) -> [usize; 2] {
        self.rows
    }

    /// Rows within the bandwidths.
    pub fn effective_rows(&self) -> [usize; 2] {
        self.effective_rows
    }

    /// Distinct values on the left and on the right.
    pub fn distinct_values(&self) -> [usize; 2] {
        self.distinct_values
    }

    /// The densities on the left and on the right within twice the bandwidths.
    pub fn curves(&self) -> &[DensityCurve; 2] {
        &self.curves
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The density on both sides with pointwise 95 % bands, over a histogram. A step at the cutoff is what the test is about.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when values are too large to be drawn.
    pub fn density_plot(&self) -> Result<Figure> {
        let m = &self.model;
        let mut plot = LinePlot::new()
            .title(format!("Density of {} around {}", m.running, m.cutoff))
            .x_title(&m.running)
            .y_title("density")
            .reference_x(m.cutoff);
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for (name, curve) in self.names.iter().zip(&self.curves) {
            plot = plot
                .line(name, &curve.at, &curve.density)
                .band(&curve.lower, &curve.upper);
            // A bar is three sides of a rectangle.
            let half = curve.bins.first().map_or(0.0, |b| (b - m.cutoff).abs());
            for (middle, height) in curve.bins.iter().zip(&curve.heights) {
                x.extend([
                    middle - half,
                    middle - half,
                    middle + half,
                    middle + half,
                    f64::NAN,
                ]);
                y.extend([0.0, *height, *height, 0.0, f64::NAN]);
            }
        }
        plot.line("histogram", x, y).draw()
    }

    /// Both densities, their difference and its test.
    pub fn table(&self) -> Table {
        let m = &self.model;
        let [h, k] = self.bandwidths.map(|h| Cell::significant(h, 4));
        coefficient_table(self)
            .with_title(format!("Density of {} at {}", m.running, m.cutoff))
            .note(format!("{}.", self.test()))
            .note(format!(
                "Order {} (bandwidths for {}), {} kernel{}; left and right: {} and {} rows, {} and {} within h = {h} and {k}.",
                m.test_order(),
                m.order,
                m.kernel,
                if m.restricted { ", restricted" } else { "" },
                self.rows[0],
                self.rows[1],
                self.effective_rows[0],
                self.effective_rows[1]
            ))
            .warned(&self.warnings)
    }
}

crate::report::notebook::shown!(DiscontinuityDensityFit);

/// The density of one side on a grid over twice the bandwidth.
fn curve(
    model: &DiscontinuityDensity,
    sorted: &Sorted,
    side: usize,
    bandwidth: f64,
) -> DensityCurve {
    let sign = if side == 0 { -1.0 } else { 1.0 };
    let reach = (2.0 * bandwidth).min(sorted.reach()[side]);
    let z = normal::quantile(0.975);
    let grid: Vec<f64> = (0..CURVE_POINTS)
        .map(|i| sign * reach * i as f64 / (CURVE_POINTS - 1) as f64)
        .collect();
    let found = blocks::map(grid.len(), |i| {
        let (kernel, order) = (model.kernel, model.test_order());
        sorted
            .density_at(kernel, grid[i], side, bandwidth, order)
            .ok()
    });
    let mut curve = DensityCurve::default();
    for (at, (density, error)) in grid.iter().zip(found).filter_map(|(g, f)| Some((g, f?))) {
        curve.at.push(model.cutoff + at);
        curve.density.push(density);
        curve.lower.push(density - z * error);
        curve.upper.push(density + z * error);
    }
    let width = reach / BINS as f64;
    let mut counts = [0_usize; BINS];
    let own = if side == 0 {
        &sorted.x[..sorted.left]
    } else {
        &sorted.x[sorted.left..]
    };
    for x in own {
        // The farthest value belongs to the last bin.
        let bin = (x.abs() / width) as usize;
        if let Some(count) = counts.get_mut(if x.abs() <= reach {
            bin.min(BINS - 1)
        } else {
            bin
        }) {
            *count += 1;
        }
    }
    for (bin, count) in counts.iter().enumerate() {
        curve
            .bins
            .push(model.cutoff + sign * width * (bin as f64 + 0.5));
        curve
            .heights
            .push(*count as f64 / sorted.len() as f64 / width);
    }
    curve
}
