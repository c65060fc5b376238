//! Whether a few units make the result: leave-one-out effects and the fewest units whose loss would overturn it.

use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::experiment::arms::{Arms, measured, note};
use crate::experiment::sums::{Sums, welch};
use crate::inference::Estimate;
use crate::report::shown;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// Units listed for each arm.
const TOP: usize = 5;

/// Units dropped at most in the search for another significance: a result that stands this many losses does not hang on outliers.
const MOST_DROPPED: usize = 400;

/// A result that a smaller share of units overturns is marked (Broderick, Giordano & Meager use one per cent and less).
const FRAGILE: f64 = 0.001;

/// The influence of single units on a difference in means. From count, mean and sum of squares of each arm, the effect without unit i follows in
/// closed form (`m' = m − (y − m)/(n − 1)`, `S' = S − (y − m)² n/(n − 1)`), for all units in one pass. Two questions are answered beyond that:
///
/// - the fewest units that must be dropped for the effect to change sign. The worst choice of `k` units of an arm is its k most extreme ones, so
///   that sorted prefix sums give the exact answer;
/// - the fewest of the most extreme units that must be dropped for the effect to lose (or gain) significance, by all splits of each number over both
///   arms. It is an upper bound: other units might do it sooner, because losing an outlier also shrinks the standard error.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `control` | the first arm | the arm compared with |
/// | `unit` | row numbers | a column that names the units in the list |
/// | `alpha` | 0.05 | level of significance |
/// | `top` | 5 | units listed by arm |
///
/// # Errors
/// [`Error::InvalidOption`]; [`Error::Unidentified`] with fewer than three units in an arm or an outcome that does not vary; [`Error::Infinite`].
///
/// # References
/// Broderick, T., Giordano, R. & Meager, R. (2020). An automatic finite-sample robustness metric: when can dropping a little data make a big
/// difference? arXiv:2011.14999.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let mut spend = vec![1.0, 2.0, 3.0, 2.0, 1.0, 3.0, 2.0, 1.0, 2.0, 3.0];
/// spend[1] = 300.0; // one customer
/// let arm: Vec<&str> = (0..10).map(|i| if i % 2 == 0 { "control" } else { "tool" }).collect();
/// let frame = Frame::new().with("spend", spend)?.with("arm", arm)?;
/// let fit = OutlierInfluence::new("spend", "arm").fit(&frame)?;
/// let tool = &fit.arms[0];
/// assert_eq!(tool.contributors[0].value, 300.0);
/// assert!((tool.contributors[0].estimate_without - 0.45).abs() < 1e-12); // of an effect of 60
/// assert_eq!(tool.to_flip_sign.unwrap().total(), 3); // two more turn it
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutlierInfluence {
    outcome: String,
    arm: String,
    control: Option<String>,
    unit: Option<String>,
    alpha: f64,
    top: usize,
}

/// A unit, and the effect without it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contributor {
    /// The unit, or its row from 1.
    pub unit: String,
    /// Its arm.
    pub arm: String,
    /// Its outcome.
    pub value: f64,
    /// The effect without it.
    pub estimate_without: f64,
    /// The p-value without it.
    pub p_value_without: f64,
}

/// How many units of each arm are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Units of the arm.
    pub from_arm: usize,
    /// Units of the control.
    pub from_control: usize,
}

impl Dropped {
    /// Both together.
    pub fn total(self) -> usize {
        self.from_arm + self.from_control
    }
}

/// The influence of units on the effect of one arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmInfluence {
    /// The arm.
    pub arm: String,
    /// The effect, by Welch.
    pub effect: Estimate,
    /// Units in arm and control.
    pub units: usize,
    /// The units that move the estimate most, the strongest first.
    pub contributors: Vec<Contributor>,
    /// Smallest effect without one unit.
    pub lowest: f64,
    /// Largest effect without one unit.
    pub highest: f64,
    /// Smallest p-value without one unit.
    pub lowest_p_value: f64,
    /// Largest p-value without one unit.
    pub highest_p_value: f64,
    /// The fewest units without which the effect has not the same sign; none when two units of each arm would be left before.
    pub to_flip_sign: Option<Dropped>,
    /// Extreme units without which the effect is no longer (or becomes) significant; none when more than 400 are needed.
    pub to_change_significance: Option<Dropped>,
}

/// What [`OutlierInfluence`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutlierInfluenceFit {
    /// The outcome.
    pub outcome: String,
    /// Each arm against the control.
    pub arms: Vec<ArmInfluence>,
    /// The arm compared with.
    pub control: String,
    alpha: f64,
    warnings: Vec<Warning>,
}

impl OutlierInfluence {
    /// The influence of units on the effects of arms on the mean of an outcome.
    pub fn new(outcome: impl Into<String>, arm: impl Into<String>) -> Self {
        Self {
            outcome: outcome.into(),
            arm: arm.into(),
            control: None,
            unit: None,
            alpha: 0.05,
            top: TOP,
        }
    }

    /// The arm compared with.
    pub fn control(mut self, arm: impl Into<String>) -> Self {
        self.control = Some(arm.into());
        self
    }

    /// The column that names units.
    pub fn unit(mut self, column: impl Into<String>) -> Self {
        self.unit = Some(column.into());
        self
    }

    /// The level of significance.
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// How many units are listed.
    pub fn top(mut self, top: usize) -> Self {
        self.top = top;
        self
    }

    /// Computes the influences.
    ///
    /// # Errors
    /// See [`OutlierInfluence`].
    pub fn fit(&self, frame: &Frame) -> Result<OutlierInfluenceFit> {
        if !(self.alpha > 0.0 && self.alpha < 1.0) {
            return Err(Error::invalid_option(
                "alpha",
                self.alpha,
                "between 0 and 1",
            ));
        }
        let arms = Arms::read(&self.arm, self.control.as_deref(), frame)?;
        let y = measured(frame, &self.outcome)?;
        let units = match &self.unit {
            None => None,
            Some(column) => Some(frame.column(column)?),
        };
        let named = |row: usize| {
            units
                .and_then(|column| column.text(row))
                .unwrap_or_else(|| format!("row {}", row + 1))
        };
        let sides: Vec<Side> = (0..arms.levels.len())
            .map(|arm| Side::new(&y, &arms, arm))
            .collect();
        let mut warnings: Vec<Warning> = arms.warning().into_iter().collect();
        let missing = y.iter().filter(|v| v.is_nan()).count();
        if missing > 0 {
            warnings.push(note(format!(
                "{missing} rows without `{}` left out",
                self.outcome
            )));
        }
        let mut found = Vec::new();
        for arm in 1..sides.len() {
            let (one, zero) = (&sides[arm], &sides[0]);
            if one.sums.n < 3.0 || zero.sums.n < 3.0 {
                return Err(Error::Unidentified {
                    what: format!("the effect of {} without one unit", arms.levels[arm]),
                    needs: "three units or more in each arm".to_owned(),
                });
            }
            let effect = welch(&arms.levels[arm], one.sums, zero.sums)?;
            let mut influence = ArmInfluence {
                arm: arms.levels[arm].clone(),
                units: one.rows.len() + zero.rows.len(),
                contributors: vec![],
                lowest: f64::INFINITY,
                highest: f64::NEG_INFINITY,
                lowest_p_value: 1.0,
                highest_p_value: 0.0,
                to_flip_sign: sign_flip(one, zero),
                to_change_significance: significance(one, zero, effect.p_value(), self.alpha),
                effect,
            };
            let mut moves: Vec<(f64, usize, usize, f64)> = Vec::new();
            for (side, arm) in [(one, arm), (zero, 0)] {
                for row in &side.rows {
                    let less = side.sums.without(y[*row]);
                    let (a, c) = if arm == 0 {
                        (one.sums, less)
                    } else {
                        (less, zero.sums)
                    };
                    let without = a.mean - c.mean;
                    influence.lowest = influence.lowest.min(without);
                    influence.highest = influence.highest.max(without);
                    let p = p_value(a, c);
                    influence.lowest_p_value = influence.lowest_p_value.min(p);
                    influence.highest_p_value = influence.highest_p_value.max(p);
                    moves.push((without, *row, arm, p));
                }
            }
            // Ties in the order of rows.
            let step = |without: f64| (without - influence.effect.estimate).abs();
            moves.sort_by(|a, b| step(b.0).total_cmp(&step(a.0)).then(a.1.cmp(&b.1)));
            influence.contributors = (moves.iter().take(self.top))
                .map(|(without, row, arm, p)| Contributor {
                    unit: named(*row),
                    arm: arms.levels[*arm].clone(),
                    value: y[*row],
                    estimate_without: *without,
                    p_value_without: *p,
                })
                .collect();
            found.push(influence);
        }
        Ok(OutlierInfluenceFit {
            outcome: self.outcome.clone(),
            arms: found,
            control: arms.levels[0].clone(),
            alpha: self.alpha,
            warnings,
        })
    }
}

/// One arm: its rows from the smallest outcome to the largest, with sums of the first ones.
struct Side {
    rows: Vec<usize>,
    sums: Sums,
    /// Sums of the k smallest values less the mean, and of their squares.
    first: Vec<(f64, f64)>,
}

impl Side {
    fn new(y: &[f64], arms: &Arms, arm: usize) -> Self {
        let mut rows: Vec<usize> = (0..y.len())
            .filter(|row| arms.of_row[*row] == Some(arm) && !y[*row].is_nan())
            .collect();
        rows.sort_by(|a, b| y[*a].total_cmp(&y[*b]));
        let sums = Sums::of(rows.iter().map(|row| y[*row]));
        let mut first = vec![(0.0, 0.0)];
        let mut total = (0.0, 0.0);
        for row in &rows {
            let gap = y[*row] - sums.mean;
            total = (total.0 + gap, total.1 + gap * gap);
            first.push(total);
        }
        Self { rows, sums, first }
    }

    /// What is left without the `k` largest or smallest.
    fn without(&self, k: usize, largest: bool) -> Sums {
        let n = self.rows.len();
        let all = self.first[n];
        let (sum, squares) = if largest {
            self.first[n - k]
        } else {
            (all.0 - self.first[k].0, all.1 - self.first[k].1)
        };
        let left = (n - k) as f64;
        Sums {
            n: left,
            mean: self.sums.mean + sum / left,
            squares: (squares - sum * sum / left).max(0.0),
        }
    }

    /// How many may be dropped: two stay.
    fn most(&self) -> usize {
        self.rows.len() - 2
    }
}

/// Welch's p-value; one when nothing varies and the means are equal, zero when they differ.
fn p_value(arm: Sums, control: Sums) -> f64 {
    match welch("", arm, control) {
        Ok(effect) => effect.p_value(),
        Err(_) if (arm.mean - control.mean).abs() > 0.0 => 0.0,
        Err(_) => 1.0,
    }
}

/// The fewest units without which the effect is not on its side of zero: the mean of what is left of the arm falls with the number of its
/// largest units dropped, that of the control rises, so that one pass over both finds the smallest sum.
fn sign_flip(arm: &Side, control: &Side) -> Option<Dropped> {
    let positive = arm.sums.mean > control.sums.mean;
    let gone = |from_arm: usize, from_control: usize| {
        let gap =
            arm.without(from_arm, positive).mean - control.without(from_control, !positive).mean;
        if positive { gap <= 0.0 } else { gap >= 0.0 }
    };
    let mut best: Option<Dropped> = None;
    let mut from_control = control.most();
    for from_arm in 0..=arm.most() {
        if !gone(from_arm, from_control) {
            continue;
        }
        while from_control > 0 && gone(from_arm, from_control - 1) {
            from_control -= 1;
        }
        let here = Dropped {
            from_arm,
            from_control,
        };
        if best.is_none_or(|b| here.total() < b.total()) {
            best = Some(here);
        }
        if from_control == 0 {
            break;
        }
    }
    best
}

/// The fewest extreme units without which significance is another.
fn significance(arm: &Side, control: &Side, p: f64, alpha: f64) -> Option<Dropped> {
    let significant = p < alpha;
    let positive = arm.sums.mean > control.sums.mean;
    // Significance is lost by dropping what speaks for the effect, gained by dropping what speaks against it.
    let largest = positive == significant;
    let most = MOST_DROPPED.min(arm.most() + control.most());
    for total in 1..=most {
        for from_arm in total.saturating_sub(control.most())..=total.min(arm.most()) {
            let left = arm.without(from_arm, largest);
            let control = control.without(total - from_arm, !largest);
            let same_side = (left.mean > control.mean) == positive;
            let now = p_value(left, control) < alpha;
            if (significant && !now) || (!significant && now && same_side) {
                return Some(Dropped {
                    from_arm,
                    from_control: total - from_arm,
                });
            }
        }
    }
    None
}

impl ArmInfluence {
    /// Whether one unit, or fewer than one in a thousand, changes the significance or the sign.
    pub fn is_fragile(&self) -> bool {
        let few = (self.units as f64 * FRAGILE).max(1.0);
        let within = |d: Option<Dropped>| d.is_some_and(|d| d.total() as f64 <= few);
        within(self.to_flip_sign) || within(self.to_change_significance)
    }
}

impl OutlierInfluenceFit {
    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The strongest units, and how many overturn the result.
    pub fn table(&self) -> Table {
        let mut table = Table::new(format!("Influence of units on {}", self.outcome)).columns([
            "Unit",
            "Arm",
            "Value",
            "Effect without",
            "p without",
        ]);
        for arm in &self.arms {
            table = table.section(arm.effect.to_string());
            for c in &arm.contributors {
                table = table.row([
                    Cell::from(c.unit.as_str()),
                    Cell::from(c.arm.as_str()),
                    Cell::significant(c.value, 5),
                    Cell::significant(c.estimate_without, 5),
                    Cell::p_value(c.p_value_without),
                ]);
            }
            let shown = |d: Option<Dropped>| match d {
                Some(d) => format!(
                    "{} units ({} of {}, {} of {})",
                    d.total(),
                    d.from_arm,
                    arm.arm,
                    d.from_control,
                    self.control
                ),
                None => "no number of units tried".to_owned(),
            };
            table = table.note(format!(
                "{}: the sign changes without {}; significance at {} changes without {}; n = {}",
                arm.arm,
                shown(arm.to_flip_sign),
                self.alpha,
                shown(arm.to_change_significance),
                Cell::count(arm.units)
            ));
        }
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }
}

shown!(OutlierInfluenceFit);

#[cfg(test)]
mod tests;
