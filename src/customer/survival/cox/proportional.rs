//! Are hazards proportional? The score test of coefficients that change with time.

use super::super::risk::table;
use super::CoxFit;
use super::fit::Fitted;
use crate::error::Result;
use crate::inference::{Distribution, TestResult};
use crate::numeric::linalg::Cholesky;
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// The function of time `g(t)` against which coefficients may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeTransform {
    /// `1 − S(t−)` of the pooled Kaplan–Meier curve: few late events cannot rule the test (the default, as in R).
    #[default]
    KaplanMeier,
    /// `t`.
    Identity,
    /// `ln t`.
    Log,
    /// The rank of t among the times of all rows, those censored included, as in R; the mean rank of those at one time.
    Rank,
}

impl std::fmt::Display for TimeTransform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::KaplanMeier => "1 − S(t)",
            Self::Identity => "t",
            Self::Log => "ln t",
            Self::Rank => "the rank of t",
        })
    }
}

/// The test of proportional hazards of Grambsch & Therneau (1994) as a score test: in the model with coefficients `β_j + θ_j g(t)`, of
/// `θ_j = 0` for each coefficient alone and for all together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProportionalHazardsTest {
    /// The function of time.
    pub transform: TimeTransform,
    /// One test a coefficient.
    pub each: Vec<TestResult>,
    /// The test of all together.
    pub joint: TestResult,
}

impl ProportionalHazardsTest {
    /// The tests as a table.
    pub fn table(&self) -> Table {
        let table = Table::new(format!(
            "Proportional hazards, coefficients against {}",
            self.transform
        ))
        .columns(["", "χ²", "df", "p"]);
        self.each
            .iter()
            .chain([&self.joint])
            .fold(table, |table, t| {
                let df = match t.distribution {
                    Distribution::ChiSquared { df } => df,
                    _ => f64::NAN,
                };
                table.row([
                    Cell::from(t.name.as_str()),
                    Cell::significant(t.statistic, 4),
                    Cell::count(df as usize),
                    Cell::p_value(t.p_value),
                ])
            })
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl std::fmt::Display for ProportionalHazardsTest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(ProportionalHazardsTest);

impl CoxFit {
    /// Tests whether the coefficients change with time.
    ///
    /// # Errors
    /// [`crate::Error::DataNotKept`] after `lean`; [`crate::Error::NotFinite`] for `ln t` when an event comes at time zero or before;
    /// [`crate::Error::Unidentified`] when all events come at one time.
    pub fn proportional_hazards(
        &self,
        transform: TimeTransform,
    ) -> Result<ProportionalHazardsTest> {
        let fitted = self.fitted("the test of proportional hazards")?;
        let rows = &fitted.rows;
        let detail = rows.detail(&fitted.slopes, true);
        let g = values(fitted, transform);
        let at = |time: f64| {
            g.get(g.partition_point(|(t, _)| *t < time))
                .map_or(f64::NAN, |(_, g)| *g)
        };
        if !detail
            .steps
            .iter()
            .flatten()
            .all(|s| at(s.time).is_finite())
        {
            return Err(crate::Error::NotFinite {
                what: format!("{transform} at an event of time zero or before"),
            });
        }
        // Any constant may be taken off g: it moves β alone. Its mean keeps digits.
        let count: f64 = detail.steps.iter().flatten().map(|s| s.events).sum();
        let mean = detail
            .steps
            .iter()
            .flatten()
            .map(|s| s.events * at(s.time))
            .sum::<f64>()
            / count;
        let centred = |time: f64| at(time) - mean;
        let p = fitted.slopes.len();
        let mut score = DVector::zeros(p);
        for step in detail.steps.iter().flatten() {
            for i in rows.instants[step.instant]
                .rows
                .clone()
                .filter(|i| rows.event[*i])
            {
                for j in 0..p {
                    score[j] +=
                        centred(step.time) * rows.weight(i) * (rows.columns[j][i] - step.mean[j]);
                }
            }
        }
        let information = rows.weighted_information(&detail, |_| 1.0);
        let mixed = rows.weighted_information(&detail, centred);
        let squared = rows.weighted_information(&detail, |t| centred(t).powi(2));
        let factor = Cholesky::full_rank(&information, "the information of the Cox model")?;
        let left: DMatrix<f64> = &squared - &mixed * factor.solve(&mixed);
        let names = &self.core.names;
        let each = (0..p)
            .map(|j| {
                TestResult::new(
                    names[j].as_str(),
                    score[j] * score[j] / left[(j, j)],
                    Distribution::ChiSquared { df: 1.0 },
                )
            })
            .collect();
        let whole = Cholesky::new(&left);
        if whole.rank() < p {
            return Err(crate::Error::Unidentified {
                what: "a change of the coefficients with time".to_owned(),
                needs: "events at several times".to_owned(),
            });
        }
        let joint = TestResult::new(
            "all",
            score.dot(&whole.solve_vector(&score)),
            Distribution::ChiSquared { df: p as f64 },
        );
        Ok(ProportionalHazardsTest {
            transform,
            each,
            joint,
        })
    }
}

/// `(t, g(t))` at all times of the data, ascending.
fn values(fitted: &Fitted, transform: TimeTransform) -> Vec<(f64, f64)> {
    let (mut survival, mut before) = (1.0, 0.0);
    table(&fitted.spells(), |_| 1.0)
        .into_iter()
        .map(|instant| {
            let ended = instant.events + instant.censored;
            let g = match transform {
                TimeTransform::Identity => instant.time,
                TimeTransform::Log => instant.time.ln(),
                TimeTransform::KaplanMeier => 1.0 - survival,
                TimeTransform::Rank => before + 0.5 * (ended + 1.0),
            };
            before += ended;
            survival *= 1.0 - instant.events / instant.at_risk;
            (instant.time, g)
        })
        .collect()
}
