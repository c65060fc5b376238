//! What several figures need.

use cocreate::prelude::*;

/// Means by bin, with 95 % intervals.
#[derive(Default)]
pub struct Bins {
    pub x: Vec<f64>,
    pub y: Vec<f64>,
    pub low: Vec<f64>,
    pub high: Vec<f64>,
}

/// Means of x and y in the bins between the breaks, which ascend; rows with a missing value and empty bins are left out.
pub fn binned(x: &[f64], y: &[f64], breaks: &[f64]) -> Result<Bins> {
    let mut members = vec![(Vec::new(), Vec::new()); breaks.len() + 1];
    for (x, y) in x.iter().zip(y).filter(|(x, y)| !x.is_nan() && !y.is_nan()) {
        let (xs, ys) = &mut members[breaks.partition_point(|b| b < x)];
        xs.push(*x);
        ys.push(*y);
    }
    let mut bins = Bins::default();
    for (xs, ys) in members.iter().filter(|(xs, _)| xs.len() > 1) {
        let moments = Moments::of(&[xs, ys], None)?;
        let n = xs.len() as f64;
        let mean = Estimate {
            name: "mean".to_owned(),
            estimate: moments.mean()[1],
            std_error: (moments.covariance(1.0)[(1, 1)] / n).sqrt(),
            degrees_of_freedom: n - 1.0,
        };
        let interval = mean.confidence_interval(0.95)?;
        bins.x.push(moments.mean()[0]);
        bins.y.push(mean.estimate);
        bins.low.push(interval.lower);
        bins.high.push(interval.upper);
    }
    Ok(bins)
}

/// Adds a coefficient with its 95 % interval to a plot.
pub fn with_point(
    plot: CoefficientPlot,
    name: &str,
    estimate: &Estimate,
) -> Result<CoefficientPlot> {
    let interval = estimate.confidence_interval(0.95)?;
    Ok(plot.point(name, estimate.estimate, interval.lower, interval.upper))
}
