//! What a Bayesian experiment found.

use super::BayesianTest;
use super::compare::{Arms, mean_of_largest};
use super::model::BayesianModel;
use super::posterior::Posterior;
use crate::error::{Error, Result, Warning};
use crate::report::{Cell, Figure, LinePlot, Table, shown};
use serde::{Deserialize, Serialize};

/// Points of a density in the figure.
const POINTS: usize = 161;

/// One arm after its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BayesianArm {
    /// Its name.
    pub name: String,
    /// Rows.
    pub rows: usize,
    /// Posterior mean of the mean outcome.
    pub mean: f64,
    /// Posterior standard deviation.
    pub deviation: f64,
    /// Lower end of the credible interval, of equal tails.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
    /// P(this arm is best).
    pub probability_best: f64,
    /// What choosing it costs on average, for each unit.
    pub expected_loss: f64,
}

/// An arm against control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BayesianComparison {
    /// The arm.
    pub arm: String,
    /// Posterior mean of the difference.
    pub difference: f64,
    /// Lower end of its credible interval.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
    /// Median of the lift `θ_i/θ_0 − 1` with its credible interval; none for means that may be negative.
    pub lift: Option<[f64; 3]>,
    /// P(θ_i > θ_0).
    pub probability_better: f64,
    /// P(|θ_i − θ_0| < ρ), when there is a region of practical equivalence.
    pub probability_equivalent: Option<f64>,
}

/// What to do when a loss is small enough not to care.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum BayesianDecision {
    /// Choose this arm: its expected loss is below what one cares about.
    Choose {
        /// The arm.
        arm: String,
        /// Its expected loss.
        expected_loss: f64,
    },
    /// Go on: the best arm may still cost too much.
    Continue {
        /// The smallest expected loss.
        expected_loss: f64,
    },
}

/// What [`BayesianTest`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BayesianFit {
    test: BayesianTest,
    arms: Vec<BayesianArm>,
    comparisons: Vec<BayesianComparison>,
    posteriors: Vec<Posterior>,
    warnings: Vec<Warning>,
}

impl BayesianFit {
    pub(super) fn new(
        test: BayesianTest,
        names: Vec<String>,
        rows: Vec<usize>,
        posteriors: Vec<Posterior>,
        warnings: Vec<Warning>,
    ) -> Result<Self> {
        let tail = 0.5 * (1.0 - test.level);
        let rule = Arms::new(&posteriors)?;
        let (best, losses) = (rule.probability_best(), rule.expected_loss());
        let positive = !matches!(test.model, BayesianModel::Normal(_));
        let comparisons = (1..names.len())
            .map(|i| {
                let above = |shift: f64| rule.probability_above(i, 0, shift, 1.0);
                Ok(BayesianComparison {
                    arm: names[i].clone(),
                    difference: posteriors[i].mean() - posteriors[0].mean(),
                    lower: rule.difference_quantile(i, 0, tail)?,
                    upper: rule.difference_quantile(i, 0, 1.0 - tail)?,
                    lift: if positive {
                        let at = |p: f64| rule.lift_quantile(i, 0, p);
                        Some([at(0.5)?, at(tail)?, at(1.0 - tail)?])
                    } else {
                        None
                    },
                    probability_better: above(0.0),
                    probability_equivalent: test.rope.map(|r| (above(-r) - above(r)).max(0.0)),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let arms = (names.into_iter().zip(rows).enumerate())
            .map(|(i, (name, rows))| BayesianArm {
                name,
                rows,
                mean: posteriors[i].mean(),
                deviation: posteriors[i].deviation(),
                lower: rule.quantile(i, tail),
                upper: rule.quantile(i, 1.0 - tail),
                probability_best: best[i],
                expected_loss: losses[i],
            })
            .collect();
        Ok(Self {
            test,
            arms,
            comparisons,
            posteriors,
            warnings,
        })
    }

    /// The arms, control first.
    pub fn arms(&self) -> &[BayesianArm] {
        &self.arms
    }

    /// The arms against control.
    pub fn comparisons(&self) -> &[BayesianComparison] {
        &self.comparisons
    }

    /// The comparison of one arm with control.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] with the arms there are.
    pub fn comparison(&self, arm: &str) -> Result<&BayesianComparison> {
        self.comparisons
            .iter()
            .find(|c| c.arm == arm)
            .ok_or_else(|| {
                let names: Vec<&str> = self.comparisons.iter().map(|c| c.arm.as_str()).collect();
                Error::invalid_option("arm", arm, format!("one of: {}", names.join(", ")))
            })
    }

    /// The arm with the smallest expected loss, which is the one with the largest posterior mean.
    pub fn best(&self) -> &BayesianArm {
        (self.arms.iter().skip(1)).fold(&self.arms[0], |best, arm| {
            if arm.expected_loss < best.expected_loss {
                arm
            } else {
                best
            }
        })
    }

    /// Chooses the best arm once its expected loss is below what one cares about, in units of the outcome for each unit.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] unless the threshold is positive.
    pub fn decision(&self, caring: f64) -> Result<BayesianDecision> {
        if !(caring > 0.0 && caring.is_finite()) {
            return Err(Error::invalid_option(
                "caring",
                caring,
                "a positive loss for each unit",
            ));
        }
        let best = self.best();
        Ok(if best.expected_loss < caring {
            BayesianDecision::Choose {
                arm: best.name.clone(),
                expected_loss: best.expected_loss,
            }
        } else {
            BayesianDecision::Continue {
                expected_loss: best.expected_loss,
            }
        })
    }

    /// The expected value of perfect information, for each unit that will be served: the expected loss of the best arm.
    pub fn value_of_perfect_information(&self) -> f64 {
        self.best().expected_loss
    }

    /// The expected value of the information in so many more rows of each arm, for each unit that will be served, before the cost of getting them:
    /// `E max_j m_j' − max_j m_j` over the posterior means m' that those rows may lead to. Posteriors are taken as normal, so that with n rows so far `m_j' ~
    /// N(m_j, V_j k/(n + k))`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] unless the number is positive.
    pub fn value_of_sample_information(&self, rows: f64) -> Result<f64> {
        if !(rows > 0.0 && rows.is_finite()) {
            return Err(Error::invalid_option(
                "rows",
                rows,
                "a positive number for each arm",
            ));
        }
        let laws: Vec<(f64, f64)> = (self.arms.iter())
            .map(|a| (a.mean, a.deviation * (rows / (rows + a.rows as f64)).sqrt()))
            .collect();
        Ok((mean_of_largest(&laws)? - self.best().mean).max(0.0))
    }

    /// The number of rows for each arm, in doubling steps, at which the value of their information less their cost is largest; zero when nothing more pays. The value is
    /// that of the rows to be served after the test.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] unless both numbers are positive.
    pub fn worthwhile_rows(&self, served: f64, cost_per_row: f64) -> Result<f64> {
        if !(served > 0.0 && cost_per_row > 0.0 && served.is_finite() && cost_per_row.is_finite()) {
            return Err(Error::invalid_option(
                "served, cost_per_row",
                format!("{served}, {cost_per_row}"),
                "positive finite numbers",
            ));
        }
        let arms = self.arms.len() as f64;
        let mut best = (0.0, 0.0);
        let mut rows = 1.0;
        while rows < served / arms {
            // Those in the test are served by arms at random.
            let gain = (served - arms * rows) * self.value_of_sample_information(rows)?
                - arms * rows * cost_per_row;
            if gain > best.1 {
                best = (rows, gain);
            }
            rows *= 2.0;
        }
        Ok(best.0)
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// One row an arm.
    pub fn table(&self) -> Table {
        let level = format!("{} % from", self.test.level * 100.0);
        let mut columns = vec![
            "Arm",
            "Rows",
            "Mean",
            level.as_str(),
            "to",
            "P(best)",
            "Expected loss",
            "Difference",
            "from",
            "to",
            "P(better)",
        ];
        if self.test.rope.is_some() {
            columns.push("P(equivalent)");
        }
        let mut table =
            Table::new(format!("Bayesian test of {}", self.test.outcome)).columns(columns);
        for (i, arm) in self.arms.iter().enumerate() {
            let mut row = vec![
                Cell::from(arm.name.as_str()),
                Cell::count(arm.rows),
                Cell::significant(arm.mean, 4),
                Cell::significant(arm.lower, 4),
                Cell::significant(arm.upper, 4),
                Cell::fixed(arm.probability_best, 4),
                Cell::significant(arm.expected_loss, 3),
            ];
            if let Some(c) = i.checked_sub(1).map(|i| &self.comparisons[i]) {
                row.extend([
                    Cell::significant(c.difference, 4),
                    Cell::significant(c.lower, 4),
                    Cell::significant(c.upper, 4),
                    Cell::fixed(c.probability_better, 4),
                ]);
                row.extend(c.probability_equivalent.map(|p| Cell::fixed(p, 4)));
            } else {
                row.extend((0..4 + usize::from(self.test.rope.is_some())).map(|_| Cell::empty()));
            }
            table = table.row(row);
        }
        table = table.note(match self.test.model {
            BayesianModel::BetaBinomial { a, b } => format!("Prior of each rate: Beta({a}, {b})"),
            BayesianModel::Normal(prior) => format!("Prior of each mean: {prior:?}"),
            BayesianModel::GammaPoisson { shape, rate } => {
                format!("Prior of each rate: Gamma({shape}, {rate})")
            }
            BayesianModel::ZeroInflatedLogNormal { a, b, logs } => {
                format!("Prior of shares of buyers: Beta({a}, {b}); of logarithms: {logs:?}")
            }
        });
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }

    /// The posterior densities of the arms.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn figure(&self) -> Result<Figure> {
        /// Tails that are left out.
        const OUTSIDE: f64 = 1e-4;
        let mut plot = LinePlot::new()
            .title("Posterior of each arm")
            .x_title(self.test.outcome.as_str())
            .y_title("Density");
        for (arm, posterior) in self.arms.iter().zip(&self.posteriors) {
            let (low, high) = (
                posterior.quantile(OUTSIDE),
                posterior.quantile(1.0 - OUTSIDE),
            );
            let x: Vec<f64> = (0..POINTS)
                .map(|i| low + (high - low) * i as f64 / (POINTS - 1) as f64)
                .collect();
            let density: Vec<f64> = x.iter().map(|x| posterior.pdf(*x)).collect();
            plot = plot.line(arm.name.as_str(), &x, &density);
        }
        plot.draw()
    }
}

shown!(BayesianFit);
