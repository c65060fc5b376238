//! How a fitted causal forest shows itself.

use super::average::ForestTarget;
use super::fit::CausalForestFit;
use crate::report::{Cell, Table, notebook, p_text};
use std::fmt;

/// Features named under the table.
const FEATURES_SHOWN: usize = 5;
const LEVEL: f64 = 0.95;

/// Says which features matter.
pub(super) fn important(table: Table, importance: &[(String, f64)]) -> Table {
    let most = importance.iter().take(FEATURES_SHOWN);
    let shares: Vec<String> = most
        .map(|(name, share)| format!("{name} {}", Cell::percent(*share, 0)))
        .collect();
    table.note(format!("Importance: {}", shares.join(", ")))
}

impl CausalForestFit {
    /// Average effects, how the effects are spread, and whether the forest is calibrated.
    pub fn table(&self) -> Table {
        let forest = &self.forest;
        let mut table = Table::new(match &forest.instrument {
            None => format!(
                "Causal forest: effect of {} on {}",
                forest.treatment, forest.outcome
            ),
            Some(z) => format!(
                "Instrumental forest: effect of {} on {} by {z}",
                forest.treatment, forest.outcome
            ),
        })
        .columns(["", "Estimate", "Std. error", "p", "95 % from", "to"]);
        let targets = [
            ForestTarget::All,
            ForestTarget::Treated,
            ForestTarget::Compliers,
            ForestTarget::Overlap,
        ];
        for effect in targets
            .into_iter()
            .filter_map(|target| self.average_effect(target).ok())
        {
            let ends = effect.confidence_interval(LEVEL);
            let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
            table = table.row([
                Cell::from(effect.name.as_str()),
                Cell::significant(effect.estimate, 4),
                Cell::significant(effect.std_error, 3),
                Cell::p_value(effect.p_value()),
                Cell::significant(low, 4),
                Cell::significant(high, 4),
            ]);
        }
        let mut sorted = self.out_of_bag.estimates.clone();
        sorted.sort_by(f64::total_cmp);
        let decile = |p: f64| {
            let last = sorted.len().saturating_sub(1) as f64;
            sorted
                .get((p * last).round() as usize)
                .copied()
                .unwrap_or(f64::NAN)
        };
        table = table.note(format!(
            "Out-of-bag effects: tenth {}, median {}, nine tenths {}",
            Cell::significant(decile(0.1), 4),
            Cell::significant(decile(0.5), 4),
            Cell::significant(decile(0.9), 4)
        ));
        if let Ok(calibration) = self.calibration() {
            table = table.note(format!(
                "Calibration: mean {} (s.e. {}), differences {} (s.e. {}, {})",
                Cell::significant(calibration.mean_effect.estimate, 3),
                Cell::significant(calibration.mean_effect.std_error, 2),
                Cell::significant(calibration.differences.estimate, 3),
                Cell::significant(calibration.differences.std_error, 2),
                p_text(calibration.differences_p_value)
            ));
        }
        table = important(table, &self.importance()).note(format!(
            "n = {}; {} trees in bags of {}; nuisances: {}",
            Cell::count(self.rows()),
            Cell::count(self.trees()),
            forest.options.bag_size,
            forest.describe_nuisances()
        ));
        if let Some(tuning) = &self.tuning {
            table = table.note(if tuning.kept() {
                "Tuned: no shape of trees was better than the given one".to_owned()
            } else {
                format!(
                    "Tuned: the out-of-bag loss is lower by {} (s.e. {})",
                    Cell::significant(tuning.gain, 3),
                    Cell::significant(tuning.std_error, 2)
                )
            });
        }
        if let (Some(column), Some((_, count))) = (&forest.clusters, &self.sample.clusters) {
            table = table.note(format!("{} clusters of {column}", Cell::count(*count)));
        }
        table.warned(&self.warnings)
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for CausalForestFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

notebook!(CausalForestFit);
