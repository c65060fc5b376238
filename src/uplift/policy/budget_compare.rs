//! Which of two predictions spends a budget better, on the same rows.

use super::budget_curve::{BudgetCurve, Spending};
use crate::causal::ArmScores;
use crate::causal::units::Units;
use crate::error::Result;
use crate::report::shown;
use crate::report::{Cell, Table};
use crate::uplift::evaluate::{RankingDifference, differences_table};
use serde::{Deserialize, Serialize};

/// What [`BudgetCurve::compare`] found: the gains of two predictions at the same budgets and their paired differences. Both are measured by
/// the same scores, so their errors are correlated and the difference is far better known than its parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetComparison {
    first: String,
    second: String,
    control: String,
    level: f64,
    differences: Vec<RankingDifference>,
}

impl BudgetCurve {
    /// Compares two named predictions on the same rows: the gain at each budget of [`BudgetCurve::at`] (tenths of the most that either
    /// spends, unless given), and the mean gain over all budgets up to the highest of them, `∫_0^B Q(b) db / B`. Beyond the most that a
    /// prediction spends its gain stays what it is. Predictions that are the same for all rows are a policy that ignores who is who, and an
    /// arm that is predicted to do harm is never given: so the worth of targeting, and that of a further arm, are comparisons too.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let effect: Vec<f64> = (0..100).map(|i| f64::from(i) / 100.0).collect();
    /// let scores = ArmScores::new(["none", "coupon"], vec![vec![0.0; 100], effect.clone()])?;
    /// let curve = BudgetCurve::new().cost("coupon", 2.0).at(&[1.0]);
    /// let test = curve.compare(&scores, ("targeted", &[effect]), ("by lot", &[vec![1.0; 100]]))?;
    /// let half = &test.differences()[0].difference; // half of the customers get it
    /// assert!((half.estimate - 0.125).abs() < 1e-12 && half.p_value() < 1e-6);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// See [`BudgetCurve`].
    pub fn compare(
        &self,
        scores: &ArmScores,
        first: (&str, &[Vec<f64>]),
        second: (&str, &[Vec<f64>]),
    ) -> Result<BudgetComparison> {
        let costs = self.checked_costs(scores)?;
        let units = Units::of(scores);
        let spend = |effects| Spending::new(scores, &units, effects, &costs);
        let paths = [spend(first.1)?.path, spend(second.1)?.path];
        let names = [first.0, second.0];
        let most = paths[0].most().max(paths[1].most());
        let budgets = self.budgets(most);
        let mut differences: Vec<RankingDifference> = Vec::with_capacity(budgets.len() + 1);
        for budget in &budgets {
            let measure = format!("gain of {}", Cell::significant(*budget, 4));
            let both = paths
                .each_ref()
                .map(|path| (path.gain_at(*budget), path.contributions(&units, *budget)));
            differences.push(RankingDifference::of(&units, measure, names, both));
        }
        let highest = budgets.last().copied().unwrap_or(most);
        let measure = format!("mean up to {}", Cell::significant(highest, 4));
        // Trapezoids from zero, where nothing is gained: the last place counts half.
        let steps = self.shape().steps(highest);
        let part = 1.0 / steps.len() as f64;
        let mut grid: Vec<(f64, f64)> = steps.into_iter().map(|at| (at, part)).collect();
        if let Some((_, last)) = grid.last_mut() {
            *last *= 0.5;
        }
        let both = paths.each_ref().map(|path| {
            (
                grid.iter().map(|(at, part)| part * path.gain_at(*at)).sum(),
                path.mean_contributions(&units, &grid),
            )
        });
        differences.push(RankingDifference::of(&units, measure, names, both));
        Ok(BudgetComparison {
            first: first.0.to_owned(),
            second: second.0.to_owned(),
            control: scores.arms()[0].clone(),
            level: self.shape().level,
            differences,
        })
    }
}

impl BudgetComparison {
    /// The gain at each budget in ascending order, and last the mean gain over budgets.
    pub fn differences(&self) -> &[RankingDifference] {
        &self.differences
    }

    /// A row per budget, and one for their mean.
    pub fn table(&self) -> Table {
        let (first, second) = (&self.first, &self.second);
        let title = format!("{first} and {second}: gain over {}", self.control);
        differences_table(title, [first, second], &self.differences, self.level)
    }
}

shown!(BudgetComparison);
