//! Qini and uplift curves counted on the rows of a trial, by the definitions of the field and its packages.

use crate::causal::units::{check_column, finite_column};
use crate::data::{Frame, MISSING};
use crate::error::{Error, Result};
use crate::inference::Estimate;
use crate::report::shown;
use crate::report::{Cell, Figure, LinePlot, Table};
use crate::uplift::path::Order;
use serde::{Deserialize, Serialize};

/// What a [`TrialCurve`] counts among the n rows of highest priority, of which `n_t` are treated with outcomes that sum to `y_t`, and `n_c` are
/// not with `y_c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrialCurveKind {
    /// Radcliffe's Qini curve `y_t − y_c n_t/n_c`: additional outcomes among the treated.
    Qini,
    /// The uplift (cumulative gain) curve `(y_t/n_t − y_c/n_c) n`: additional outcomes if all n were treated.
    Uplift,
}

/// Curves counted on a randomised trial with two arms of constant probabilities, as scikit-uplift and causalml draw them. They are means of
/// ratios without errors; [`UpliftCurve`](super::UpliftCurve) on [`TrialScores`](crate::causal::TrialScores) estimates the same gain with
/// errors, and is what one should report. These are here to be compared with published numbers.
///
/// Where packages disagree:
///
/// | | scikit-uplift | causalml |
/// |---|---|---|
/// | rows of one priority | one point of the curve | as many points, in any order |
/// | first rows without treated or without control | the missing mean (or the correction) is zero | points are interpolated from zero |
/// | area | trapezoids, above the line of treating at random, over that of the best ranking possible: [`TrialCurveFit::share_of_perfect`] | mean of the points from 0 to n, over the absolute last one: [`TrialCurveFit::mean_height`], and [`TrialCurveFit::mean_excess`] |
///
/// Rows of one priority are one point here. `interpolated(true)` chooses causalml's start.
///
/// # Errors
/// [`Error::OutOfRange`] for a priority or outcome that is not finite; [`Error::WrongKind`] for a treatment of other than two values;
/// [`Error::LengthMismatch`]; [`Error::MissingClusters`] for rows without treatment.
///
/// # References
/// Radcliffe, N. J. (2007). Using control groups to target on predicted lift. *Direct Marketing Analytics Journal*, 14–21. Gutierrez, P. &
/// Gérardy, J.-Y. (2017). Causal inference and uplift modelling. *PMLR* 67, 1–13.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let trial = Frame::new()
///     .with("bought", vec![1.0, 0.0, 1.0, 1.0])?
///     .with("coupon", vec![true, false, true, false])?;
/// let curve = TrialCurve::new("bought", "coupon").fit(&trial, &[4.0, 3.0, 2.0, 1.0])?;
/// assert_eq!(curve.points()[2].value, 1.0); // one more among the first two
/// assert_eq!(curve.points()[4].value, 1.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrialCurve {
    outcome: String,
    treatment: String,
    kind: TrialCurveKind,
    interpolated: bool,
}

/// A point of a [`TrialCurve`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialPoint {
    /// Rows of highest priority.
    pub rows: usize,
    /// The curve.
    pub value: f64,
}

/// What [`TrialCurve`] counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialCurveFit {
    kind: TrialCurveKind,
    points: Vec<TrialPoint>,
    /// The best ranking possible, when outcomes are zero and one.
    perfect: Option<Vec<TrialPoint>>,
    /// Additional outcomes among all, when nobody is harmed: the height at which a perfect Qini curve stays.
    height: f64,
}

impl TrialCurve {
    /// The Qini curve of an outcome and a treatment of two values, of which the second in their order (`true`, 1) is the treatment.
    pub fn new(outcome: impl Into<String>, treatment: impl Into<String>) -> Self {
        Self {
            outcome: outcome.into(),
            treatment: treatment.into(),
            kind: TrialCurveKind::Qini,
            interpolated: false,
        }
    }

    /// What is counted.
    pub fn kind(mut self, kind: TrialCurveKind) -> Self {
        self.kind = kind;
        self
    }

    /// Whether first points without treated or without control are interpolated instead of having zero for what is missing.
    pub fn interpolated(mut self, interpolated: bool) -> Self {
        self.interpolated = interpolated;
        self
    }

    /// The curve of one priority per row, higher first.
    ///
    /// # Errors
    /// See [`TrialCurve`].
    pub fn fit(&self, frame: &Frame, priority: &[f64]) -> Result<TrialCurveFit> {
        let trial = self.read(frame)?;
        check_column("priority", priority, frame.rows())?;
        let points = self.count(&trial, priority);
        let binary = trial
            .outcome
            .iter()
            .all(|y| y.abs() <= 0.0 || (y - 1.0).abs() <= 0.0);
        let perfect = binary.then(|| self.count(&trial, &self.perfect_priority(&trial)));
        let sum = |treated: bool| trial.arm(treated).iter().sum::<f64>();
        let count = |treated: bool| trial.arm(treated).len() as f64;
        Ok(TrialCurveFit {
            kind: self.kind,
            points,
            perfect,
            height: sum(true) - count(true) * sum(false) / count(false),
        })
    }

    /// The mean outcome of the treated less that of the others, with the error of a difference of two means, among a share of highest
    /// priority: `among_all` rows together, or of each arm on its own. Rows of one priority at the border are taken in equal parts.
    ///
    /// # Errors
    /// See [`TrialCurve`]; [`Error::InvalidOption`] for a share outside (0, 1]; [`Error::NoRows`] when an arm has fewer than two rows there.
    pub fn uplift_at(
        &self,
        frame: &Frame,
        priority: &[f64],
        share: f64,
        among_all: bool,
    ) -> Result<Estimate> {
        let trial = self.read(frame)?;
        check_column("priority", priority, frame.rows())?;
        if !(share > 0.0 && share <= 1.0) {
            return Err(Error::invalid_option(
                "share",
                share,
                "above 0 and at most 1",
            ));
        }
        let mut weights = vec![0.0; priority.len()];
        let groups: Vec<Vec<usize>> = if among_all {
            vec![(0..priority.len()).collect()]
        } else {
            [true, false].map(|t| trial.rows(t)).to_vec()
        };
        for rows in groups {
            let own: Vec<f64> = rows.iter().map(|row| priority[*row]).collect();
            let order = Order::descending(&own);
            let mut left = (share * rows.len() as f64).floor();
            for run in order.runs() {
                let part = (left / run.len() as f64).clamp(0.0, 1.0);
                left -= run.len() as f64;
                for place in &order.places[run] {
                    weights[rows[*place as usize]] = part;
                }
            }
        }
        let (mut estimate, mut variance) = (0.0, 0.0);
        for (treated, sign) in [(true, 1.0), (false, -1.0)] {
            let rows: Vec<usize> = trial.rows(treated);
            let total: f64 = rows.iter().map(|r| weights[*r]).sum();
            if total < 2.0 {
                return Err(Error::NoRows {
                    reason: format!(
                        "an arm has fewer than two rows in the first {share} of the priorities"
                    ),
                });
            }
            let mean = rows
                .iter()
                .map(|r| weights[*r] * trial.outcome[*r])
                .sum::<f64>()
                / total;
            let squares: f64 = rows
                .iter()
                .map(|r| weights[*r] * (trial.outcome[*r] - mean).powi(2))
                .sum();
            estimate += sign * mean;
            variance += squares / (total - 1.0) / total;
        }
        Ok(Estimate {
            name: format!("uplift at {share}"),
            estimate,
            std_error: variance.sqrt(),
            degrees_of_freedom: f64::INFINITY,
        })
    }

    fn read(&self, frame: &Frame) -> Result<Trial> {
        let outcome = finite_column(frame, &self.outcome, frame.rows())?;
        let groups = frame.groups(&self.treatment)?;
        let missing = groups.codes.iter().filter(|c| **c == MISSING).count();
        if missing > 0 {
            return Err(Error::MissingClusters {
                column: self.treatment.clone(),
                missing,
            });
        }
        if groups.count() != 2 {
            return Err(Error::WrongKind {
                column: self.treatment.clone(),
                expected: "of two values, control and treatment".to_owned(),
                found: format!("of {} values", groups.count()),
                remedy: "keep the rows of two arms, or use UpliftCurve on TrialScores for several"
                    .to_owned(),
            });
        }
        Ok(Trial {
            outcome,
            treated: groups.codes.iter().map(|c| *c == 1).collect(),
        })
    }

    /// The curve at the end of every run of equal priorities.
    fn count(&self, trial: &Trial, priority: &[f64]) -> Vec<TrialPoint> {
        let order = Order::descending(priority);
        let mut points = vec![TrialPoint {
            rows: 0,
            value: 0.0,
        }];
        let mut gaps = Vec::new();
        let (mut counts, mut sums) = ([0.0; 2], [0.0; 2]);
        for run in order.runs() {
            let rows = run.end;
            for place in &order.places[run] {
                let arm = usize::from(trial.treated[*place as usize]);
                counts[arm] += 1.0;
                sums[arm] += trial.outcome[*place as usize];
            }
            let ratio = |above: f64, below: f64| if below > 0.0 { above / below } else { 0.0 };
            let value = match self.kind {
                TrialCurveKind::Qini => sums[1] - sums[0] * ratio(counts[1], counts[0]),
                TrialCurveKind::Uplift => {
                    (ratio(sums[1], counts[1]) - ratio(sums[0], counts[0])) * rows as f64
                }
            };
            let known = counts[0] > 0.0 && (counts[1] > 0.0 || self.kind == TrialCurveKind::Qini);
            if self.interpolated && !known {
                gaps.push(points.len());
            }
            points.push(TrialPoint { rows, value });
        }
        self.fill(&mut points, gaps.len());
        points
    }

    /// The first points after zero on a line to the first that is known: of the curve, or of the mean effect for uplift curves.
    fn fill(&self, points: &mut [TrialPoint], gaps: usize) {
        let Some(known) = points.get(gaps + 1).copied() else {
            return;
        };
        for point in &mut points[1..=gaps] {
            let part = point.rows as f64 / known.rows as f64;
            point.value = match self.kind {
                TrialCurveKind::Qini => part * known.value,
                TrialCurveKind::Uplift => part * part * known.value,
            };
        }
    }

    /// The best ranking of zeros and ones that are already known, as scikit-uplift defines it.
    fn perfect_priority(&self, trial: &Trial) -> Vec<f64> {
        let pairs = || trial.outcome.iter().map(|y| *y > 0.5).zip(&trial.treated);
        let control_ones = pairs().filter(|(y, t)| *y && !**t).count();
        let treated_zeros = pairs().filter(|(y, t)| !*y && **t).count();
        let number = |yes: bool| f64::from(u8::from(yes));
        pairs()
            .map(|(y, t)| match self.kind {
                TrialCurveKind::Qini => number(y && *t) - number(y && !*t),
                TrialCurveKind::Uplift => {
                    let second = if control_ones > treated_zeros { y } else { *t };
                    2.0 * number(y == *t) + number(second)
                }
            })
            .collect()
    }
}

/// Outcomes and who was treated.
struct Trial {
    outcome: Vec<f64>,
    treated: Vec<bool>,
}

impl Trial {
    fn rows(&self, treated: bool) -> Vec<usize> {
        let all = 0..self.outcome.len();
        all.filter(|row| self.treated[*row] == treated).collect()
    }

    fn arm(&self, treated: bool) -> Vec<f64> {
        let rows = self.rows(treated).into_iter();
        rows.map(|row| self.outcome[row]).collect()
    }
}

/// The area under a curve by trapezoids.
fn area(points: &[TrialPoint]) -> f64 {
    let sides = points.windows(2);
    sides
        .map(|p| (p[1].rows - p[0].rows) as f64 * f64::midpoint(p[0].value, p[1].value))
        .sum()
}

impl TrialCurveFit {
    /// The curve from zero rows to all.
    pub fn points(&self) -> &[TrialPoint] {
        &self.points
    }

    fn last(&self) -> TrialPoint {
        self.points[self.points.len() - 1]
    }

    /// The area by trapezoids between the curve and the line to its end, with both axes divided by the number of rows: Radcliffe's
    /// coefficient in units of the outcome.
    pub fn coefficient(&self) -> f64 {
        let last = self.last();
        let rows = last.rows as f64;
        (area(&self.points) - 0.5 * rows * last.value) / (rows * rows)
    }

    /// The area over the line as a share of that of the best ranking possible: `qini_auc_score` and `uplift_auc_score` of scikit-uplift. Without
    /// `negative_effects` the best Qini curve rises to the effect of all and stays there (Radcliffe's q₀). None unless
    /// outcomes are zero and one, for an uplift curve without negative effects, which has no such definition, and when no ranking is better than
    /// treating at random.
    pub fn share_of_perfect(&self, negative_effects: bool) -> Option<f64> {
        let perfect = self.perfect.as_ref()?;
        let last = self.last();
        let rows = last.rows as f64;
        let above =
            |points: &[TrialPoint]| area(points) - 0.5 * rows * points[points.len() - 1].value;
        let best = match (self.kind, negative_effects) {
            (_, true) => above(perfect),
            (TrialCurveKind::Qini, false) => {
                let high = self.height;
                0.5 * high * high + (rows - high) * high - 0.5 * rows * high
            }
            (TrialCurveKind::Uplift, false) => return None,
        };
        (best > 0.0).then(|| above(&self.points) / best)
    }

    /// The mean of the curve from 0 to n rows over its absolute last value: `auuc_score` of causalml for an uplift curve. Not finite when the
    /// curve ends at zero, where there is no effect to compare with.
    pub fn mean_height(&self) -> f64 {
        let rows = self.last().rows as f64;
        let mut sum = 0.0;
        for pair in self.points.windows(2) {
            // All whole numbers of rows after the first point and up to the second, on a straight line.
            let steps = (pair[1].rows - pair[0].rows) as f64;
            sum += steps * pair[0].value + 0.5 * (steps + 1.0) * (pair[1].value - pair[0].value);
        }
        sum / (rows + 1.0) / self.last().value.abs()
    }

    /// The same above the line to the end: `qini_score` of causalml for a Qini curve.
    pub fn mean_excess(&self) -> f64 {
        self.mean_height() - 0.5 * self.last().value.signum()
    }

    fn name(&self) -> &'static str {
        match self.kind {
            TrialCurveKind::Qini => "Qini curve of a trial",
            TrialCurveKind::Uplift => "Uplift curve of a trial",
        }
    }

    /// The curve at tenths of the rows, and its areas.
    pub fn table(&self) -> Table {
        const TENTHS: usize = 10;
        let mut table =
            Table::new(self.name()).columns(["Rows of highest priority", "Additional outcomes"]);
        let rows = self.last().rows;
        let mut shown = 0;
        for tenth in 1..=TENTHS {
            let at = self
                .points
                .partition_point(|p| p.rows * TENTHS < rows * tenth);
            if at > shown {
                let point = self.points[at];
                table = table.row([Cell::count(point.rows), Cell::significant(point.value, 4)]);
                shown = at;
            }
        }
        table = table.summary([
            Cell::text("Coefficient"),
            Cell::significant(self.coefficient(), 4),
        ]);
        if let Some(share) = self.share_of_perfect(true) {
            table = table.summary([Cell::text("Share of perfect"), Cell::significant(share, 4)]);
        }
        table.note("Counts without errors: UpliftCurve estimates the gain with errors.")
    }

    /// The curve, and the line of treating at random.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn plot(&self) -> Result<Figure> {
        let x: Vec<f64> = self.points.iter().map(|p| p.rows as f64).collect();
        let y: Vec<f64> = self.points.iter().map(|p| p.value).collect();
        let last = self.last();
        LinePlot::new()
            .title(self.name())
            .line("by priority", &x, &y)
            .line("at random", [0.0, last.rows as f64], [0.0, last.value])
            .x_title("rows of highest priority")
            .y_title("additional outcomes")
            .draw()
    }
}

shown!(TrialCurveFit);
