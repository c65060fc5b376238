//! A fitted dose-response curve.

use super::nuisance::StackMember;
use crate::error::{Error, Result, Warning};
use crate::inference::Estimate;
use crate::inference::krinsky_robb::sorted_quantile;
use crate::report::{Cell, Figure, LinePlot, Table, shown};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// The knots of a spline: fewest, most, and the outermost quantiles.
const KNOTS: std::ops::RangeInclusive<usize> = 2..=12;
const OUTERMOST: f64 = 0.05;
/// Doses of the table, and points of the figure.
const SHOWN: usize = 9;
const POINTS: usize = 61;
const LEVEL: f64 = 0.95;

/// The natural cubic spline with these knots: 1, d, and for each knot but the last two the cubic that is a line outside of the knots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Basis {
    knots: Vec<f64>,
}

impl Basis {
    /// Knots at equally spaced quantiles.
    pub(super) fn at_quantiles(dose: &[f64], knots: usize, name: &str) -> Result<Self> {
        if !KNOTS.contains(&knots) {
            return Err(Error::invalid_option("knots", knots, "from 2 to 12"));
        }
        let mut sorted = dose.to_vec();
        sorted.sort_by(f64::total_cmp);
        let step = (1.0 - 2.0 * OUTERMOST) / (knots - 1) as f64;
        let knots: Vec<f64> = (0..knots)
            .map(|k| sorted_quantile(&sorted, OUTERMOST + k as f64 * step))
            .collect();
        if knots.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(Error::Unidentified {
                what: format!("the curve over `{name}`"),
                needs: "fewer `knots`: some of them fall together".to_owned(),
            });
        }
        Ok(Self { knots })
    }

    pub(super) fn len(&self) -> usize {
        self.knots.len()
    }

    fn ends(&self) -> (f64, f64) {
        (self.knots[0], self.knots[self.knots.len() - 1])
    }

    /// The functions at a dose, on the scale that has the outer knots at 0 and 1.
    pub(super) fn at(&self, dose: f64) -> DVector<f64> {
        self.evaluated(dose, |u| u, |u| u.max(0.0).powi(3), 1.0)
    }

    /// Their derivatives.
    pub(super) fn slope(&self, dose: f64) -> DVector<f64> {
        let (first, last) = self.ends();
        let scale = 1.0 / (last - first);
        self.evaluated(dose, |_| scale, |u| 3.0 * scale * u.max(0.0).powi(2), 0.0)
    }

    fn evaluated(
        &self,
        dose: f64,
        line: impl Fn(f64) -> f64,
        cubic: impl Fn(f64) -> f64,
        one: f64,
    ) -> DVector<f64> {
        let (first, last) = self.ends();
        let scaled = |d: f64| (d - first) / (last - first);
        let (u, k) = (scaled(dose), self.knots.len());
        let before = scaled(self.knots[k - 2]);
        let bends = self.knots[..k - 2].iter().map(|knot| {
            let t = scaled(*knot);
            cubic(u - t) - cubic(u - before) * (1.0 - t) / (1.0 - before)
                + cubic(u - 1.0) * (before - t) / (1.0 - before)
        });
        DVector::from_iterator(k, [one, line(u)].into_iter().chain(bends))
    }
}

/// Refuses a dose outside of those that were given.
pub(super) fn inside([low, high]: [f64; 2], dose: f64) -> Result<()> {
    if (low..=high).contains(&dose) {
        return Ok(());
    }
    Err(Error::invalid_option(
        "dose",
        dose,
        format!("from {low} to {high}, the doses that were given"),
    ))
}

/// What [`DoseResponse`](super::DoseResponse) found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DoseResponseFit {
    pub(super) outcome: String,
    pub(super) dose: String,
    pub(super) range: [f64; 2],
    pub(super) basis: Basis,
    pub(super) coefficients: DVector<f64>,
    pub(super) covariance: DMatrix<f64>,
    pub(super) rows: usize,
    pub(super) clusters: Option<(String, usize)>,
    /// What the rows are worth, weighted.
    pub(super) effective: f64,
    pub(super) shown: Vec<f64>,
    pub(super) score: Vec<f64>,
    pub(super) balance: Vec<f64>,
    pub(super) kept: Vec<bool>,
    pub(super) stack: Vec<StackMember>,
    pub(super) warnings: Vec<Warning>,
}

impl DoseResponseFit {
    pub(super) fn deciles(dose: &[f64]) -> Vec<f64> {
        let mut sorted = dose.to_vec();
        sorted.sort_by(f64::total_cmp);
        let share = |k: usize| k as f64 / (SHOWN + 1) as f64;
        (1..=SHOWN)
            .map(|k| sorted_quantile(&sorted, share(k)))
            .collect()
    }

    fn linear(&self, name: String, of: &DVector<f64>) -> Estimate {
        let clusters = self.clusters.as_ref();
        Estimate {
            name,
            estimate: of.dot(&self.coefficients),
            std_error: of.dot(&(&self.covariance * of)).max(0.0).sqrt(),
            degrees_of_freedom: clusters.map_or(f64::INFINITY, |(_, count)| *count as f64 - 1.0),
        }
    }

    /// The mean outcome if everybody had this dose.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a dose outside of those that were given.
    pub fn mean_at(&self, dose: f64) -> Result<Estimate> {
        inside(self.range, dose)?;
        let name = format!("mean {} at {} {dose}", self.outcome, self.dose);
        Ok(self.linear(name, &self.basis.at(dose)))
    }

    /// The mean effect of the second dose against the first.
    ///
    /// # Errors
    /// As [`DoseResponseFit::mean_at`].
    pub fn contrast(&self, from: f64, to: f64) -> Result<Estimate> {
        inside(self.range, from)?;
        inside(self.range, to)?;
        let name = format!("{} of {to} against {from}", self.dose);
        let gap = self.basis.at(to) - self.basis.at(from);
        Ok(self.linear(name, &gap))
    }

    /// The slope of the curve: the mean effect of a little more, by unit.
    ///
    /// # Errors
    /// As [`DoseResponseFit::mean_at`].
    pub fn slope_at(&self, dose: f64) -> Result<Estimate> {
        inside(self.range, dose)?;
        let name = format!("slope at {} {dose}", self.dose);
        Ok(self.linear(name, &self.basis.slope(dose)))
    }

    /// The doubly robust score ξ of every row in use.
    pub fn scores(&self) -> &[f64] {
        &self.score
    }

    /// The weights `ϖ/π` of the rows in use.
    pub fn balancing_weights(&self) -> &[f64] {
        &self.balance
    }

    /// What the weighted rows are worth: `(Σ r)²/Σ r²`.
    pub fn effective_rows(&self) -> f64 {
        self.effective
    }

    /// One flag a row of the frame: whether it is in use.
    pub fn kept_rows(&self) -> &[bool] {
        &self.kept
    }

    /// The weights of stacked learners; empty when single learners were used.
    pub fn stack_weights(&self) -> &[StackMember] {
        &self.stack
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The curve at the deciles of the dose.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 4;
        let title = format!("Mean {} if everybody had this {}", self.outcome, self.dose);
        let columns = [
            self.dose.as_str(),
            "mean",
            "std. error",
            "slope",
            "std. error",
        ];
        let table = self
            .shown
            .iter()
            .fold(Table::new(title).columns(columns), |table, dose| {
                let mean = self.linear(String::new(), &self.basis.at(*dose));
                let slope = self.linear(String::new(), &self.basis.slope(*dose));
                table.row([
                    Cell::significant(*dose, DIGITS),
                    Cell::significant(mean.estimate, DIGITS),
                    Cell::significant(mean.std_error, DIGITS).parenthesised(),
                    Cell::significant(slope.estimate, DIGITS),
                    Cell::significant(slope.std_error, DIGITS).parenthesised(),
                ])
            });
        let errors = match &self.clusters {
            Some((column, count)) => format!("clustered by {column}; {count} clusters"),
            None => "independent rows".to_owned(),
        };
        let table = table.note(format!(
            "{} rows, weighted worth {:.0}. Natural cubic spline, {} knots. Standard errors of the influence function, {errors}.",
            self.rows,
            self.effective,
            self.basis.len()
        ));
        table.warned(&self.warnings)
    }

    /// The curve with pointwise 95 % intervals, between the outer knots.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn plot(&self) -> Result<Figure> {
        let (first, last) = self.basis.ends();
        let (mut x, mut y, mut low, mut high) = (vec![], vec![], vec![], vec![]);
        for k in 0..POINTS {
            let dose = first + (last - first) * k as f64 / (POINTS - 1) as f64;
            let mean = self.linear(String::new(), &self.basis.at(dose));
            let interval = mean.confidence_interval(LEVEL)?;
            x.push(dose);
            y.push(mean.estimate);
            low.push(interval.lower);
            high.push(interval.upper);
        }
        LinePlot::new()
            .title(format!("Mean {} by {}", self.outcome, self.dose))
            .x_title(self.dose.as_str())
            .y_title(self.outcome.as_str())
            .line("mean", &x, &y)
            .band(&low, &high)
            .draw()
    }
}

shown!(DoseResponseFit);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spline_has_its_slopes_and_is_straight_outside() {
        let dose: Vec<f64> = (0..101).map(|i| f64::from(i * i) / 1_000.0).collect();
        for knots in [2, 3, 5] {
            let basis = Basis::at_quantiles(&dose, knots, "d").unwrap();
            assert_eq!(basis.at(1.0).len(), knots);
            for d in [0.01, 0.7, 3.0, 9.9] {
                let h = 1e-5;
                let numeric = (basis.at(d + h) - basis.at(d - h)) / (2.0 * h);
                assert!((numeric - basis.slope(d)).amax() < 1e-6, "{knots} {d}");
            }
            for [a, b] in [[-9.0, -2.0], [11.0, 15.0]] {
                let bend = basis.slope(a) - basis.slope(b);
                assert!(bend.amax() < 1e-9, "{knots} {a}: {bend}");
            }
        }
        assert!(Basis::at_quantiles(&[1.0; 50], 3, "d").is_err());
        assert!(Basis::at_quantiles(&dose, 1, "d").is_err());
    }
}
