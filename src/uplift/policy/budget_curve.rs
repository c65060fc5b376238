//! The gain of every budget: Qini curves for several arms with costs.

use super::hull::{Costs, Move, check_effects, moves};
use crate::causal::ArmScores;
use crate::causal::units::Units;
use crate::error::{Error, Result};
use crate::inference::Estimate;
use crate::report::shown;
use crate::report::{Cell, Figure, LinePlot, Table};
use crate::uplift::path::{Path, Step};
use crate::uplift::shape::{Shape, steps};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// How much a budget gains when it is spent where predicted effects per cost are highest, over several arms of different costs (the Qini
/// curve for multi-armed treatments).
///
/// Each row has arms at costs `C_k > 0` over the control and predicted effects `τ̂_k`. The best use of a mean budget B of the predictions,
/// `max E[τ̂_π] s.t. E[C_π] ≤ B`, moves rows up the upper convex hull of their points (cost, effect), steepest steps first, until the budget
/// is spent (a multiple-choice knapsack, solved for all B by one sort). The curve is the gain of that policy measured by the doubly robust
/// scores, `Q(B) = E[Γ_π − Γ_control]`, with errors from its influence function, which takes account of the estimated threshold. With one
/// arm at unit cost it is the Qini curve of [`UpliftCurve`](crate::uplift::evaluate::UpliftCurve), as far as predicted effects are positive.
/// With one arm and costs by row it is the cost curve. Predictions must not be made from the outcomes of the same rows.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `cost`, `costs` | required | cost of an arm over the control, per row that gets it | above 0 |
/// | `at` | a tenth, two tenths, … of what can be spent | budgets per row that the table shows | above 0 |
/// | `points` | 100 | points of the curve | 2 to 10 000 |
/// | `level` | 0.95 | of intervals and bands | (0, 1) |
///
/// # Errors
/// [`Error::OutOfRange`] for costs that are not positive or predictions that are not finite; [`Error::LengthMismatch`];
/// [`Error::InvalidOption`], also when no effect is predicted to be positive, so that nothing is spent.
///
/// # References
/// Sverdrup, E., Wu, H., Athey, S. & Wager, S. (2025). Qini curves for multi-armed treatment rules. *Journal of Computational and Graphical
/// Statistics*. doi:10.1080/10618600.2024.2418820. Sinha, P. & Zoltners, A. A. (1979). The multiple-choice knapsack problem. *Operations
/// Research* 27, 503–515. doi:10.1287/opre.27.3.503.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let scores = ArmScores::new(
///     ["none", "mail", "call"],
///     vec![vec![0.0; 4], vec![1.0, 1.0, 0.0, 0.0], vec![1.0, 4.0, 2.0, 0.0]],
/// )?;
/// let predicted = vec![vec![1.0, 1.0, 0.1, 0.1], vec![1.0, 4.0, 2.0, 0.1]]; // of mail and of call
/// let curve = BudgetCurve::new().cost("mail", 1.0).cost("call", 3.0).at(&[0.75]).fit(&scores, &predicted)?;
/// // The second customer is called, for 3 of a budget of 0.75 per customer.
/// assert!((curve.shown()[0].gain.estimate - 1.0).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BudgetCurve {
    costs: Costs,
    #[serde(flatten)]
    shape: Shape,
}

/// The gain of one budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetPoint {
    /// Mean cost per row.
    pub spent: f64,
    /// Gain in the mean outcome over the control for all.
    pub gain: Estimate,
    /// Gain of the same budget spent without regard to who is who, on arms at random: on the hull of mean costs and mean effects.
    pub untargeted: f64,
    /// Share of weight with each arm, the control first.
    pub shares: Vec<f64>,
}

/// What [`BudgetCurve`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetCurveFit {
    arms: Vec<String>,
    shown: Vec<BudgetPoint>,
    points: Vec<BudgetPoint>,
    most: f64,
    rows: usize,
    level: f64,
}

impl Default for BudgetCurve {
    fn default() -> Self {
        Self::new()
    }
}

impl BudgetCurve {
    /// A curve whose costs are still to be given.
    pub fn new() -> Self {
        Self {
            costs: Costs::default(),
            shape: Shape::new(Vec::new()),
        }
    }

    /// What an arm costs per row, over the control.
    pub fn cost(mut self, arm: impl Into<String>, cost: f64) -> Self {
        self.costs.set(arm.into(), cost);
        self
    }

    /// What an arm costs in each row, over the control.
    pub fn costs(mut self, arm: impl Into<String>, costs: &[f64]) -> Self {
        self.costs.set_rows(arm.into(), costs.to_vec());
        self
    }

    /// The budgets per row that the table shows.
    pub fn at(mut self, budgets: &[f64]) -> Self {
        self.shape.at = budgets.to_vec();
        self
    }

    /// How many points the curve has.
    pub fn points(mut self, points: usize) -> Self {
        self.shape.points = points;
        self
    }

    /// The level of intervals and bands.
    pub fn level(mut self, level: f64) -> Self {
        self.shape.level = level;
        self
    }

    /// The curve of predicted effects against the control: one column for each arm but the control, in the order of the arms.
    ///
    /// # Errors
    /// See [`BudgetCurve`].
    pub fn fit(&self, scores: &ArmScores, effects: &[Vec<f64>]) -> Result<BudgetCurveFit> {
        let costs = self.checked_costs(scores)?;
        let units = Units::of(scores);
        let Spending { moves, path } = Spending::new(scores, &units, effects, &costs)?;
        let most = path.most();
        let at = self.budgets(most);
        let untargeted = Untargeted::of(scores, &costs, &units);
        let points = |spends: &[f64]| -> Vec<BudgetPoint> {
            let traced = path.trace(&units, spends, &[]);
            let shares = shares_at(&path, &units, &moves, spends, scores.arms().len());
            let each = spends.iter().zip(traced).zip(shares);
            each.map(|((spend, point), shares)| {
                let spent = spend.min(most);
                BudgetPoint {
                    spent,
                    gain: Estimate {
                        name: format!("gain of {}", Cell::significant(spent, 4)),
                        estimate: point.gain,
                        std_error: point.gain_error,
                        degrees_of_freedom: units.degrees_of_freedom(),
                    },
                    untargeted: untargeted.at(spent),
                    shares,
                }
            })
            .collect()
        };
        Ok(BudgetCurveFit {
            arms: scores.arms().to_vec(),
            shown: points(&at),
            points: points(&self.shape.steps(most)),
            most,
            rows: scores.len(),
            level: self.shape.level,
        })
    }

    /// The costs of each arm but the control, when the options are right.
    pub(super) fn checked_costs(&self, scores: &ArmScores) -> Result<Vec<Vec<f64>>> {
        self.shape.check(f64::INFINITY)?;
        self.costs.columns(scores.arms(), scores.len())
    }

    /// The budgets that tables show in their order.
    pub(super) fn budgets(&self, most: f64) -> Vec<f64> {
        let mut at = self.shape.at.clone();
        if at.is_empty() {
            at = steps(10, most);
        }
        at.sort_by(f64::total_cmp);
        at
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }
}

/// All moves of all rows in the order in which they are paid for.
pub(super) struct Spending {
    moves: Vec<Move>,
    pub(super) path: Path,
}

impl Spending {
    pub(super) fn new(
        scores: &ArmScores,
        units: &Units,
        effects: &[Vec<f64>],
        costs: &[Vec<f64>],
    ) -> Result<Self> {
        check_effects(effects, scores.arms(), scores.len())?;
        let moves = moves(effects, costs);
        let priorities: Vec<f64> = moves.iter().map(Move::priority).collect();
        let path = Path::new(units, &priorities, |place| {
            let Move {
                row,
                from,
                to,
                cost,
                ..
            } = moves[place];
            let score = |arm: u32| scores.values[arm as usize][row as usize];
            Step {
                row,
                gain: score(to) - score(from),
                cost,
            }
        });
        if path.most() <= 0.0 {
            return Err(Error::invalid_option(
                "effects",
                "nowhere above zero",
                "positive somewhere: otherwise nobody is treated and no budget is spent",
            ));
        }
        Ok(Self { moves, path })
    }
}

/// The hull of mean costs and mean effects.
struct Untargeted(Vec<Move>);

impl Untargeted {
    fn of(scores: &ArmScores, costs: &[Vec<f64>], units: &Units) -> Self {
        let means: Vec<f64> = scores.values.iter().map(|v| units.mean(v)).collect();
        let effects: Vec<Vec<f64>> = means[1..].iter().map(|m| vec![m - means[0]]).collect();
        let costs: Vec<Vec<f64>> = costs.iter().map(|c| vec![units.mean(c)]).collect();
        Self(moves(&effects, &costs))
    }

    fn at(&self, mut budget: f64) -> f64 {
        let mut gain = 0.0;
        for step in &self.0 {
            let part = (budget / step.cost).min(1.0);
            gain += part * step.gain;
            budget -= part * step.cost;
        }
        gain
    }
}

/// Shares of weight with each arm when so much has been spent; rows of equal priority move in equal parts.
fn shares_at(
    path: &Path,
    units: &Units,
    moves: &[Move],
    spends: &[f64],
    arms: usize,
) -> Vec<Vec<f64>> {
    let mut shares = vec![0.0; arms];
    shares[0] = 1.0;
    let take = |shares: &mut [f64], run: Range<usize>, part: f64| {
        for place in &path.order.places[run] {
            let step = moves[*place as usize];
            let weight = part * units.weights[step.row as usize];
            shares[step.from as usize] -= weight;
            shares[step.to as usize] += weight;
        }
    };
    let mut out = Vec::with_capacity(spends.len());
    let mut runs = path.order.runs().zip(path.spent.windows(2)).peekable();
    for spend in spends {
        while let Some((run, _)) = runs.next_if(|(_, spent)| spent[1] <= *spend) {
            take(&mut shares, run, 1.0);
        }
        let mut here = shares.clone();
        if let Some((run, spent)) = runs.peek() {
            let part = (spend - spent[0]) / (spent[1] - spent[0]);
            take(&mut here, run.clone(), part);
        }
        out.push(here.iter().map(|s| s.clamp(0.0, 1.0)).collect());
    }
    out
}

impl BudgetCurveFit {
    /// The curve at the budgets that were asked for.
    pub fn shown(&self) -> &[BudgetPoint] {
        &self.shown
    }

    /// The curve at equal steps.
    pub fn points(&self) -> &[BudgetPoint] {
        &self.points
    }

    /// The mean cost beyond which nothing more is spent, because no further effect is predicted to be positive.
    pub fn most(&self) -> f64 {
        self.most
    }

    /// One row a budget.
    pub fn table(&self) -> Table {
        let mut columns = [
            "Budget per row",
            "Gain",
            "Std. error",
            "from",
            "to",
            "Untargeted",
        ]
        .map(str::to_owned)
        .to_vec();
        columns.extend(self.arms.iter().map(|arm| format!("get {arm}")));
        let mut table = Table::new("Gain by budget").columns(columns);
        for point in &self.shown {
            let ends = point.gain.confidence_interval(self.level);
            let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
            let mut row = vec![
                Cell::significant(point.spent, 4),
                Cell::significant(point.gain.estimate, 4),
                Cell::significant(point.gain.std_error, 3).parenthesised(),
                Cell::significant(low, 4),
                Cell::significant(high, 4),
                Cell::significant(point.untargeted, 4),
            ];
            row.extend(point.shares.iter().map(|s| Cell::percent(*s, 1)));
            table = table.row(row);
        }
        table.note(format!(
            "{} rows; gain over {} for all; intervals at {} %.",
            Cell::count(self.rows),
            self.arms[0],
            self.level * 100.0
        ))
    }

    /// Gain against spending, with its band, and the gain of untargeted spending.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn plot(&self) -> Result<Figure> {
        let mut x = vec![0.0];
        let [mut y, mut low, mut high, mut plain] = [const { Vec::new() }; 4];
        for column in [&mut y, &mut low, &mut high, &mut plain] {
            column.push(0.0);
        }
        for point in &self.points {
            let ends = point.gain.confidence_interval(self.level)?;
            x.push(point.spent);
            y.push(point.gain.estimate);
            low.push(ends.lower);
            high.push(ends.upper);
            plain.push(point.untargeted);
        }
        LinePlot::new()
            .line("targeted", &x, &y)
            .band(&low, &high)
            .line("untargeted", &x, &plain)
            .reference_y(0.0)
            .title("Gain by budget")
            .x_title("spending per row")
            .y_title("gain in the mean outcome of all")
            .note(format!("Band: {} %, pointwise", self.level * 100.0))
            .draw()
    }
}

shown!(BudgetCurveFit);
