//! Figures of uplift curves.

use super::curve::{UpliftCurveFit, UpliftPoint};
use crate::error::Result;
use crate::inference::Estimate;
use crate::report::{Figure, LinePlot};

/// Shares are drawn in percent.
const PERCENT: f64 = 100.0;

impl UpliftCurveFit {
    /// The Qini curve, what treating the share of highest priority adds to the mean outcome of all, with its band, and the line of treating
    /// at random.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn plot(&self) -> Result<Figure> {
        let average = self.average().estimate;
        self.curve("gain", true, |point| &point.gain)
            .line("treated at random", [0.0, PERCENT], [0.0, average])
            .title(format!("Qini curve: {} against {}", self.arm, self.control))
            .y_title("gain in the mean outcome of all")
            .draw()
    }

    /// The mean effect among the share of highest priority, with its band, and the average effect.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn uplift_plot(&self) -> Result<Figure> {
        let average = self.average().estimate;
        self.curve("those of highest priority", false, |point| &point.uplift)
            .line("all", [0.0, PERCENT], [average, average])
            .title(format!("Uplift: {} against {}", self.arm, self.control))
            .y_title("mean effect among the treated")
            .draw()
    }

    /// The targeting operator characteristic with its band.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn toc_plot(&self) -> Result<Figure> {
        self.curve("TOC", false, |point| &point.toc)
            .title(format!(
                "Targeting operator characteristic: {} against {}",
                self.arm, self.control
            ))
            .y_title("effect among them less the average")
            .draw()
    }

    /// A curve over shares, from the origin when it starts there.
    fn curve(&self, name: &str, origin: bool, of: impl Fn(&UpliftPoint) -> &Estimate) -> LinePlot {
        let mut x: Vec<f64> = Vec::new();
        let [mut y, mut low, mut high] = [const { Vec::new() }; 3];
        if origin {
            for column in [&mut x, &mut y, &mut low, &mut high] {
                column.push(0.0);
            }
        }
        for point in &self.points {
            let estimate = of(point);
            x.push(PERCENT * point.share);
            y.push(estimate.estimate);
            let ends = estimate.confidence_interval(self.level);
            let (lower, upper) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
            low.push(lower);
            high.push(upper);
        }
        LinePlot::new()
            .line(name, &x, &y)
            .band(&low, &high)
            .reference_y(0.0)
            .x_title("share treated, percent")
            .note(format!("Band: {} %, pointwise", PERCENT * self.level))
    }
}
